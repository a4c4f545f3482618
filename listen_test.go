package weir_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"weir"
)

// A request says which of the server's listeners it came in by, and so does a copy of it.
func TestListenAddr(t *testing.T) {
	clones := make(chan *weir.Request, 1)
	srv := &weir.Server{Loops: 2, Handler: weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		clones <- r.Clone()
		_, _ = io.WriteString(w, r.ListenAddr().Network()+" "+r.ListenAddr().String())
	})}
	socket := filepath.Join(t.TempDir(), "s")
	if err := srv.Start("127.0.0.1:0", ":0", "unix:"+socket); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	for _, addr := range srv.Addrs() {
		c := &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, addr.Network(), addr.String())
			},
		}}
		for range 4 { // on both loops
			res, err := c.Get("http://a/")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close() // read to its end
			want := addr.Network() + " " + addr.String()
			if err != nil || string(body) != want {
				t.Errorf("got %q, %v, want %q", body, err, want)
			}
			if clone := <-clones; clone.ListenAddr().String() != addr.String() {
				t.Errorf("a clone: got %v, want %v", clone.ListenAddr(), addr)
			}
		}
	}
	atDesk(t, weir.HandlerFunc(func(_ *weir.Response, r *weir.Request) {
		if addr := r.ListenAddr(); addr != nil {
			t.Errorf("without a listener: got %v, want none", addr)
		}
	}), nil, func(d *desk) { d.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n") })
}
