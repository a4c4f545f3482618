package weir_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/internal/patience"
	"weir/internal/tlstest"
)

// startTLS starts a server on sockets, one in the clear and one with TLS, and
// returns the port of the latter.
func startTLS(t *testing.T, srv *weir.Server) string {
	t.Helper()
	srv.Logger = slog.New(slog.DiscardHandler)
	if err := srv.Start("127.0.0.1:0", "tls:127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, srv) })
	if all, secure := srv.Addrs(), srv.TLSAddrs(); len(all) != 2 || len(secure) != 1 || all[1].String() != secure[0].String() {
		t.Fatalf("got the addresses %v, with TLS %v", all, secure)
	}
	_, port, _ := net.SplitHostPort(srv.TLSAddrs()[0].String())
	return port
}

// L24: a certificate is read again when its files change; a stream that runs
// keeps the old one; files that do not fit change nothing.
func TestCertificateReload(t *testing.T) {
	folder := t.TempDir()
	first, second := tlstest.New(t, "weir.test"), tlstest.New(t, "weir.test")
	cert, key := first.Files(t, folder)
	srv := &weir.Server{TLS: &weir.TLS{CertFile: cert, KeyFile: key}}
	m := new(weir.Mux)
	m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) {})
	m.HandleFunc("GET /clock", func(w *weir.Response, r *weir.Request) {
		for w.Stream().Send([]byte("tick\n")) == nil {
			time.Sleep(time.Millisecond)
		}
	})
	srv.Handler = m
	addr := net.JoinHostPort("127.0.0.1", startTLS(t, srv))

	stream, err := tls.Dial("tcp", addr, first.Client())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	io.WriteString(stream, "GET /clock HTTP/1.1\r\nHost: a\r\n\r\n")
	lines := bufio.NewReader(stream)
	serial := func() string {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	old, want := serial(), second.Certificate.Leaf.SerialNumber.String()
	if old == want {
		t.Fatal("the certificates are the same")
	}
	if err := os.WriteFile(key, []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(1200 * time.Millisecond); time.Now().Before(late); {
		if got := serial(); got != old {
			t.Fatalf("got certificate %s with a broken file, want the old one", got)
		}
	}
	second.Files(t, folder)
	for late := time.Now().Add(patience.Scaled(time.Minute)); serial() != want; {
		if time.Now().After(late) {
			t.Fatal("the new certificate is not used")
		}
	}
	for range 10 {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("the stream: %v", err)
		}
	}
}

// What makes no sense about TLS is an error at Start.
func TestTLSNonsense(t *testing.T) {
	id := tlstest.New(t, "weir.test")
	cert, key := id.Files(t, t.TempDir())
	for name, test := range map[string]struct {
		tls  *weir.TLS
		addr string
		want string
	}{
		"no TLS":          {nil, "tls:127.0.0.1:0", "Server.TLS is nil"},
		"no address":      {&weir.TLS{Config: id.Server()}, "127.0.0.1:0", `no address begins with "tls:"`},
		"no certificate":  {&weir.TLS{}, "tls:127.0.0.1:0", "no certificate"},
		"an empty Config": {&weir.TLS{Config: new(tls.Config)}, "tls:127.0.0.1:0", "no certificate"},
		"no key":          {&weir.TLS{CertFile: cert}, "tls:127.0.0.1:0", "must be set together"},
		"no such file":    {&weir.TLS{CertFile: cert + "x", KeyFile: key}, "tls:127.0.0.1:0", "no such file"},
		"not a key":       {&weir.TLS{CertFile: cert, KeyFile: cert}, "tls:127.0.0.1:0", "TLS certificate"},
		"a bad address":   {&weir.TLS{CertFile: cert, KeyFile: key}, "tls:nonsense", "nonsense"},
	} {
		srv := &weir.Server{Handler: says(""), TLS: test.tls, Logger: slog.New(slog.DiscardHandler)}
		err := srv.Start(test.addr)
		if err == nil {
			shutdown(t, srv)
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, test.want)
		}
	}
}

// Connections whose clients choose HTTP/2 go to TLS.HTTP2, on the same port; a
// shutdown lets their requests end.
func TestTLSHTTP2(t *testing.T) {
	id := tlstest.New(t, "127.0.0.1")
	began, end := make(chan struct{}, 1), make(chan struct{})
	srv := &weir.Server{
		Handler: weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { fmt.Fprint(w, r.TLS().NegotiatedProtocol) }),
		TLS: &weir.TLS{Config: id.Server(), HTTP2: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Proto)
			if r.URL.Path == "/stream" {
				w.(http.Flusher).Flush()
				began <- struct{}{}
				<-end
				fmt.Fprint(w, " ended")
			}
		})},
	}
	port := startTLS(t, srv)
	get := func(h2 bool, path string) string {
		transport := &http.Transport{TLSClientConfig: id.Client(), ForceAttemptHTTP2: h2}
		defer transport.CloseIdleConnections()
		res, err := (&http.Client{Transport: transport}).Get("https://127.0.0.1:" + port + path)
		if err != nil {
			t.Error(err)
			return ""
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		return res.Proto + " " + string(body)
	}
	if got := get(true, "/"); got != "HTTP/2.0 HTTP/2.0" {
		t.Errorf("got %q, want HTTP/2", got)
	}
	if got := get(false, "/"); got != "HTTP/1.1 " {
		t.Errorf("got %q, want HTTP/1.1", got)
	}
	stream := make(chan string, 1)
	go func() { stream <- get(true, "/stream") }()
	<-began
	over := make(chan error, 1)
	go func() {
		_, err := srv.Shutdown(context.Background())
		over <- err
	}()
	for err := error(nil); err == nil; { // until nobody can connect any more
		var c net.Conn
		if c, err = net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
		}
	}
	close(end)
	if got := <-stream; got != "HTTP/2.0 HTTP/2.0 ended" {
		t.Errorf("got %q", got)
	}
	if err := <-over; err != nil {
		t.Error(err)
	}
}

// curl, with both versions of TLS and of HTTP, and a stream of events.
func TestCurlTLS(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("there is no curl")
	}
	id := tlstest.New(t, "localhost", "127.0.0.1")
	cert, key := id.Files(t, t.TempDir())
	m := new(weir.Mux)
	m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) { io.WriteString(w, "hello") })
	m.HandleFunc("POST /", func(w *weir.Response, r *weir.Request) { fmt.Fprint(w, len(r.Body())) })
	m.HandleFunc("GET /sse", func(w *weir.Response, r *weir.Request) {
		for i := range 5 {
			if _, err := fmt.Fprintf(w.EventStream(), "data: %d\n\n", i); err != nil {
				t.Error(err)
			}
		}
		w.EventStream().Close()
	})
	srv := &weir.Server{Handler: m, TLS: &weir.TLS{CertFile: cert, KeyFile: key}}
	url := "https://127.0.0.1:" + startTLS(t, srv)
	for _, test := range []struct {
		args, path, want string
	}{
		{"--http1.1 --tlsv1.3", "/", "hello"},
		{"--http1.1 --tls-max 1.2", "/", "hello"},
		{"--http2", "/", "hello"},
		{"--http1.1 --tlsv1.3 -N", "/sse", "data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n"},
		{"--http1.1 -d " + strings.Repeat("x", 50_000), "/", "50000"},
	} {
		args := append([]string{"-sS", "--cacert", cert, url + test.path}, strings.Fields(test.args)...)
		out, err := exec.Command(curl, args...).CombinedOutput()
		if string(out) != test.want || err != nil {
			t.Errorf("curl %.40s %s: got %q, %v, want %q", test.args, test.path, out, err, test.want)
		}
	}
}
