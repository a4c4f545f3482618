package tour

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"weir"
	"weir/internal/patience"
	"weir/internal/tlstest"
	"weir/nethttp"
)

// The same routes over TLS, by HTTP/1.1 and by HTTP/2.
func TestTLS(t *testing.T) {
	id := tlstest.New(t, "127.0.0.1")
	srv := New(slog.New(slog.DiscardHandler))
	srv.TLS = &weir.TLS{Config: id.Server(), HTTP2: nethttp.OfServer(srv)}
	if err := srv.Start("127.0.0.1:0", "tls:127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		transport := &http.Transport{TLSClientConfig: id.Client(), ForceAttemptHTTP2: proto == "HTTP/2.0"}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport, Timeout: patience.Limit}
		for _, c := range []struct {
			method, path, body string
			status             int
			want               string
		}{
			{"GET", "/plaintext", "", 200, "Hello, World!"},
			{"GET", "/json", "", 200, `{"message":"Hello, World!"}`},
			{"POST", "/echo", "an echo", 200, "an echo"},
			{"PUT", "/upload", strings.Repeat("x", 100_000), 200, `"bytes":100000`},
			{"PUT", "/upload?max=10", strings.Repeat("x", 100_000), 413, ""},
			{"PUT", "/upload?auth=1", "x", 401, ""},
			{"GET", "/numbers?n=3", "", 200, "1\n2\n3\n"},
			{"GET", "/sse?n=2&interval=1ms", "", 200, "data: tick 1\n"},
			{"GET", "/tokens?n=3&interval=1ms", "", 200, "data: [DONE]\n\n"},
			{"GET", "/burst?n=100", "", 200, ""},
			{"GET", "/http/stream?n=2", "", 200, "\n"},
			{"GET", "/fail?after=0", "", 500, ""},
			{"GET", "/none", "", 404, ""},
		} {
			req, err := http.NewRequest(c.method, "https://"+srv.TLSAddrs()[0].String()+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(req)
			if err != nil {
				t.Errorf("%s %s: %v", proto, c.path, err)
				continue
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if res.Proto != proto || res.StatusCode != c.status || !strings.Contains(string(body), c.want) || err != nil {
				t.Errorf("%s %s: got %s %d %.60q, %v, want %d with %q", proto, c.path, res.Proto, res.StatusCode, body, err, c.status, c.want)
			}
		}
	}
}
