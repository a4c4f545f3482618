//go:build !race && !invariants

package weir_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir"
	"weir/internal/tlstest"
)

// An idle connection with TLS takes at most 9 KB of the server's memory after
// its handshake and one request, and has no goroutine.
func TestIdleTLS(t *testing.T) {
	const conns, most = 300, 9 << 10
	id := tlstest.New(t, "weir.test")
	m := new(weir.Mux)
	m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) { io.WriteString(w, "hello") }).Inline()
	port := startTLS(t, &weir.Server{Handler: m, TLS: &weir.TLS{Config: id.Server()}})
	open := make([]net.Conn, 0, 2*conns) // the sockets alone, without the clients' TLS
	dial := func() {
		for range conns {
			raw, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err != nil {
				t.Fatal(err)
			}
			c := tls.Client(raw, id.Client())
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
				t.Fatal(err)
			}
			open = append(open, raw)
		}
	}
	dial() // what is made once is made now
	heap := func() uint64 {
		var ms runtime.MemStats
		for range 3 { // pools are emptied by the second
			runtime.GC()
		}
		runtime.ReadMemStats(&ms)
		return ms.HeapAlloc + ms.StackInuse
	}
	goroutines, before := runtime.NumGoroutine(), heap()
	dial()
	each := (int64(heap()) - int64(before)) / conns
	if n := runtime.NumGoroutine() - goroutines; n > conns/10 { // one or the other may be ending
		t.Errorf("%d idle connections have %d goroutines", conns, n)
	}
	t.Logf("%d bytes each, the client's socket included", each)
	if each > most {
		t.Errorf("an idle connection takes %d bytes, want %d at most", each, most)
	}
	for _, c := range open {
		c.Close()
	}
}

// seats are the streams of a benchmark.
const seats = 200

// TestDiscard is the client of BenchmarkToken, in a process of its own: it opens
// the streams and throws away what comes, without decrypting it.
func TestDiscard(t *testing.T) {
	addr, child := os.LookupEnv("WEIR_DISCARD")
	if !child {
		t.Skip("runs as a child of BenchmarkToken")
	}
	addr, secure := strings.CutPrefix(addr, "tls:")
	var all sync.WaitGroup
	for range seats {
		raw, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c := raw
		if secure {
			c = tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
		}
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		all.Go(func() { io.Copy(io.Discard, raw) })
	}
	all.Wait()
}

// BenchmarkToken is what a token costs the server: 200 streams, each sent 64
// bytes every few milliseconds.
//
//	go test -run xxx -bench Token/ -benchtime 200000x .
func BenchmarkToken(b *testing.B) {
	id := tlstest.New(b, "127.0.0.1")
	token := []byte(strings.Repeat("t", 63) + "\n")
	for _, test := range []struct {
		name   string
		server func(b *testing.B, join func(send func())) (addr string, end func())
	}{
		{"clear", func(b *testing.B, join func(func())) (string, func()) { return weirServer(b, nil, join, token) }},
		{"tls", func(b *testing.B, join func(func())) (string, func()) {
			return weirServer(b, &weir.TLS{Config: id.Server()}, join, token)
		}},
		{"nethttp-tls", func(b *testing.B, join func(func())) (string, func()) { return stdServer(b, id, join, token) }},
	} {
		b.Run(test.name, func(b *testing.B) {
			var mu sync.Mutex
			var sends []func()
			full := make(chan struct{})
			addr, end := test.server(b, func(send func()) {
				mu.Lock()
				defer mu.Unlock()
				if sends = append(sends, send); len(sends) == seats {
					close(full)
				}
			})
			defer end()
			child := exec.Command(os.Args[0], "-test.run", "^TestDiscard$")
			child.Env = append(os.Environ(), "WEIR_DISCARD="+addr)
			if err := child.Start(); err != nil {
				b.Fatal(err)
			}
			defer func() {
				child.Process.Kill()
				child.Wait()
			}()
			<-full
			began, n := cpuTime(b), 0
			for b.Loop() {
				sends[n%seats]()
				if n++; n%seats == 0 {
					time.Sleep(2 * time.Millisecond)
				}
			}
			b.ReportMetric(float64(cpuTime(b)-began)/float64(n), "cpu-ns/token")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func weirServer(b *testing.B, t *weir.TLS, join func(func()), token []byte) (string, func()) {
	srv := &weir.Server{TLS: t, Handler: weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		s.Send(token)
		join(func() { s.Send(token) })
		<-s.Done()
	})}
	addr := "127.0.0.1:0"
	if t != nil {
		addr = "tls:" + addr
	}
	if err := srv.Start(addr); err != nil {
		b.Fatal(err)
	}
	addr = srv.Addrs()[0].String()
	if t != nil {
		addr = "tls:" + addr
	}
	return addr, func() { srv.Reactor().Close() }
}

func stdServer(b *testing.B, id *tlstest.Identity, join func(func()), token []byte) (string, func()) {
	lis, err := tls.Listen("tcp", "127.0.0.1:0", id.Server())
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		send := func() {
			w.Write(token)
			w.(http.Flusher).Flush()
		}
		send()
		join(send)
		<-r.Context().Done()
	})}
	go srv.Serve(lis)
	return "tls:" + lis.Addr().String(), func() { srv.Close() }
}
