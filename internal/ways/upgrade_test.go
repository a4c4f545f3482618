package ways

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"weir"
)

// A connection switches to another protocol where it is weir's; where it is net/http's the handler learns that it does
// not, and HTTP/2 has no Upgrade at all (RFC 9113 8.2.2).
func TestUpgradeOverWays(t *testing.T) {
	upgrade := func(r *record) func(w *weir.Response, _ *weir.Request) {
		return func(w *weir.Response, _ *weir.Request) {
			p, err := w.Upgrade("echo")
			if err != nil {
				r.note("handler", "%v", errors.Is(err, weir.ErrUpgrade))
				w.Error(426, "not here")
				return
			}
			p.OnClose(func(cause error) { r.note("closed", "%v", cause); r.kept() })
			b := make([]byte, 5)
			_, err = io.ReadFull(p, b)
			r.note("handler", "%s, %v", b, err)
			fmt.Fprintf(p, "%s", strings.ToUpper(string(b)))
		}
	}
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			got := run(t, w, aCase{name: "upgrade", serve: func(m *weir.Mux, r *record) func(p *peer) {
				m.HandleFunc("/", upgrade(r))
				if w.guest || w.http2 {
					return nil
				}
				r.promise(1)
				return func(p *peer) {
					req, err := http.NewRequest("GET", "http://weir.test/", nil)
					if err != nil {
						p.Fatal(err)
					}
					req.Header.Set("Connection", "Upgrade")
					req.Header.Set("Upgrade", "echo")
					res, err := p.Do(req)
					if err != nil {
						p.Fatal(err)
					}
					conn, ok := res.Body.(io.ReadWriteCloser)
					if !ok || res.StatusCode != 101 {
						p.Fatalf("got %+v, want a connection", res)
					}
					if _, err := io.WriteString(conn, "hello"); err != nil {
						p.Error(err)
					}
					b, err := io.ReadAll(conn)
					p.note("client", "%s, %v", b, err)
					conn.Close()
				}
			}})
			want := []string{"client: HELLO, <nil>", "closed: <nil>", "handler: hello, <nil>", "1 requests; streams: 1, 0 cancelled, 0 failed, 0 running"}
			if w.guest || w.http2 {
				want = []string{"handler: true", "client: 426"}
			}
			for _, line := range want {
				if !strings.Contains(got, line) {
					t.Errorf("got\n%s\nwant %q", got, line)
				}
			}
		})
	}
}
