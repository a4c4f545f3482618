package serve

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weir/cmd/weir/internal/mock"
)

// nginxConfig is of one process that touches nothing outside of its folder.
const nginxConfig = `
daemon off;
master_process off;
error_log stderr notice;
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    BLOCK
}
`

// runNginx starts nginx with what its http block is to have, or skips the test.
// It cannot listen on a port of the system's choice: "listen 80;" becomes a unix
// socket.
func runNginx(t *testing.T, block string) net.Addr {
	t.Helper()
	program := installed(t, "nginx")
	dir, err := os.MkdirTemp("", "nginx") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // the system's own cleaning takes what remains
	socket := &net.UnixAddr{Name: filepath.Join(dir, "socket"), Net: "unix"}
	block = strings.Replace(block, "listen 80;", "listen unix:"+socket.Name+";", 1)
	file := fileIn(t, dir, "nginx.conf", strings.Replace(nginxConfig, "BLOCK", block, 1))
	p := start(t, nil, program, "-e", "stderr", "-p", dir, "-c", file)
	p.log.wait(t, 1, `\[notice\] .* nginx/`) // it listens by then
	return socket
}

// installed is the path of a server that scripts/install.sh installs. The test
// is skipped without it.
func installed(t *testing.T, name string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/" + name) // where only root looks
	}
	if err != nil {
		t.Skipf("%s is missing (%v): run scripts/install.sh", name, err)
	}
	return program
}

// startNginx starts nginx in front of a mock, or skips the test.
func startNginx(t *testing.T, up *mock.Server, settings string) net.Addr {
	t.Helper()
	return runNginx(t, settings+`
    server {
        listen 80;
        location / {
            proxy_pass `+up.URL()+`;
            proxy_http_version 1.1;
            proxy_buffering off;
            add_header x-nginx-connection $connection always;
            add_header x-nginx-requests $connection_requests always;
        }
    }`)
}

func nginxIdler(addr net.Addr) *idler {
	return &idler{addr, askWhole, askStream, "token 0 token 1 token 2 "}
}

// nginx closes idle connections; no request is lost by that (G6).
func TestNginxIdle(t *testing.T) {
	up := mock.Start(t, mock.Config{Tokens: 3})
	for _, crossing := range []string{"", "fin", "reset"} {
		t.Run("crossing="+crossing, func(t *testing.T) {
			t.Parallel() // they wait most of the time
			nginxIdler(startNginx(t, up, "keepalive_timeout 1s;")).checkIdle(t, crossing)
		})
	}
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		s := nginxIdler(startNginx(t, up, "keepalive_timeout 1ms;"))
		s.checkStorm(t, "unix:"+s.addr.String())
	})
}

// nginx closes a connection after its third answer, and says so there. The
// gateway's client does not hear of that, and its own connection stays (G12).
func TestNginxRequests(t *testing.T) {
	up := mock.Start(t, mock.Config{Tokens: 3})
	addr := startNginx(t, up, "keepalive_timeout 1h; keepalive_requests 3;")
	w := startWire(t, addr, "fin") // so that the gateway has only the answer's word for it
	g := serve(t, to(w.url), "--loops", "1")
	own := &http.Client{Transport: new(http.Transport)}
	defer own.CloseIdleConnections()
	used := make(map[string]int)
	for i := range 12 {
		ask, want := askWhole, mock.UnaryBody
		if i%2 == 0 {
			ask, want = askStream, mock.StreamBody
		}
		fresh := false
		r := asked(t, "POST", g.url+chat, ask)
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { fresh = !c.Reused }}))
		res, err := own.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if body := want(mock.Body{Model: "m", Tokens: 3}); err != nil || res.StatusCode != 200 || string(text) != string(body) {
			t.Fatalf("request %d: got %d %q, %v, want 200 %q", i, res.StatusCode, text, err, body)
		}
		if fresh != (i == 0) || res.Close || res.Header.Get("x-weir-attempts") != "1" {
			t.Errorf("request %d: got a fresh connection %v, its close %v, attempt %s; want the first one kept, and no second attempt", i, fresh, res.Close, res.Header.Get("x-weir-attempts"))
		}
		if got, want := res.Header.Get("x-nginx-requests"), fmt.Sprint(i%3+1); got != want {
			t.Errorf("request %d: it was number %s of its connection to nginx, want %s", i, got, want)
		}
		used[res.Header.Get("x-nginx-connection")]++
	}
	if len(used) != 4 {
		t.Errorf("got %v requests by connection to nginx, want three on each of four", used)
	}
	if n := w.crossed.Load(); n != 0 {
		t.Errorf("the gateway sent %d requests after an answer that said close, want none", n)
	}
	g.end()
}

// G3: the client leaves, the gateway leaves nginx, and nginx its upstream.
func TestNginxLeft(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	addr := startNginx(t, up, "")
	g := serve(t, to("unix:"+addr.String()))
	for i, fault := range []string{"slow-head=1h", "slow-first-event=1h", "stall-after=3"} {
		r := asked(t, "POST", g.url+chat, askStream, "x-mock-fault", fault)
		ctx, leave := context.WithCancel(r.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if res, err := client.Do(r.WithContext(ctx)); err == nil {
				_, _ = io.Copy(io.Discard, res.Body) // until it leaves
				res.Body.Close()
			}
		}()
		wait(t, up, func(c mock.Counts) bool { return c.Bodies > i })
		leave()
		<-done
		wait(t, up, func(c mock.Counts) bool { return c.Left > i })
	}
	g.out.wait(t, 3, `"status":499`)
	g.end()
}
