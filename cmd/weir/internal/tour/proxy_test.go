package tour

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"weir"
	"weir/internal/patience"
	"weir/internal/tlstest"
	"weir/logq"
	"weir/middleware"
	"weir/nethttp"
)

// M9: behind a proxy's header a connection is what it is without one: in the
// clear, with TLS, and with HTTP/2, and the client is the header's.
func TestProxyProtocol(t *testing.T) {
	id := tlstest.New(t, "127.0.0.1")
	srv := New(slog.New(slog.DiscardHandler))
	srv.TLS = &weir.TLS{Config: id.Server(), HTTP2: nethttp.OfServer(srv)}
	var log strings.Builder
	out := logq.NewWriter(&log, false)
	srv.Trace = middleware.AccessLog{Out: out}.Trace()
	if err := srv.Start("127.0.0.1:0?proxy=loopback", "tls:127.0.0.1:0?proxy=127.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	header := "PROXY TCP6 2001:db8::9 2001:db8::1 4711 443\r\n"
	for _, proto := range []string{"http", "HTTP/1.1", "HTTP/2.0"} {
		transport := &http.Transport{
			TLSClientConfig: id.Client(), ForceAttemptHTTP2: proto == "HTTP/2.0",
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, addr)
				if err == nil {
					_, err = io.WriteString(c, header)
				}
				return c, err
			},
		}
		url := "https://" + srv.TLSAddrs()[0].String()
		if proto == "http" {
			url = "http://" + srv.Addrs()[0].String()
		}
		client := &http.Client{Transport: transport, Timeout: patience.Limit}
		for range 2 { // on one connection
			res, err := client.Get(url + "/plaintext")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if string(body) != "Hello, World!" || err != nil || proto != "http" && res.Proto != proto {
				t.Errorf("%s: got %s %q, %v", proto, res.Proto, body, err)
			}
		}
		transport.CloseIdleConnections()
	}
	if _, err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	out.Wait(patience.Limit)
	for proto, want := range map[string]int{"HTTP/1.1": 4, "HTTP/2.0": 2} {
		if got := strings.Count(log.String(), `"client":"[2001:db8::9]:4711","method":"GET","path":"/plaintext","proto":"`+proto+`","status":200`); got != want {
			t.Errorf("got %d lines of %s, want %d:\n%s", got, proto, want, log.String())
		}
	}
}
