package client_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/client"
	"weir/http1"
	"weir/internal/patience"
	"weir/reactor"
)

// ways are how an Origin's calls reach a server: on the loop, and by net/http.
var ways = []string{"http", "unix", "https", "http by net/http", "unix by net/http", "https by net/http", "h2"}

// way is an Origin in front of a handler, on the system's kernel.
type way struct {
	testing.TB
	name   string
	origin *client.Origin
	loop   *reactor.Loop
}

func overAll(t *testing.T, h http.Handler, f func(w *way)) {
	for _, name := range ways {
		t.Run(name, func(t *testing.T) { f(newWay(t, name, h)) })
	}
}

func newWay(t testing.TB, name string, h http.Handler) *way {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	o := &client.Origin{NetHTTP: name == "h2" || strings.Contains(name, "net/http")}
	switch {
	case strings.HasPrefix(name, "unix"):
		path := filepath.Join(t.TempDir(), "s")
		ln, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		srv.Listener.Close()
		srv.Listener = ln
		srv.Start()
		srv.URL = "unix:" + path
	case strings.HasPrefix(name, "http "), name == "http":
		srv.Start()
	default:
		srv.EnableHTTP2 = name == "h2"
		srv.StartTLS()
		o.Roots = x509.NewCertPool()
		o.Roots.AddCert(srv.Certificate())
	}
	o.Endpoint = endpoint(t, srv.URL)
	r, err := reactor.New(reactor.Config{Loops: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		o.Close()
		r.Close()
		srv.CloseClientConnections()
		srv.Close()
	})
	return &way{t, name, o, r.Loops()[0]}
}

// on runs f on the loop and waits for it.
func (w *way) on(f func()) {
	done := make(chan struct{})
	w.loop.Post(reactor.TaskFunc(func() {
		defer close(done)
		f()
	}))
	<-done
}

// result is a Receiver that notes the response. Its fields may be read when over
// is closed.
type result struct {
	call    *client.Call
	status  int
	fields  map[string]string
	body    bytes.Buffer
	err     error
	over    chan struct{}
	begun   chan struct{} // closed by Head
	drained chan struct{}
	onBody  func()
}

func (w *way) send(req client.Request) *result {
	w.Helper()
	r := &result{over: make(chan struct{}), begun: make(chan struct{}), drained: make(chan struct{}, 100)}
	w.on(func() {
		var err error
		if r.call, err = w.origin.Do(w.loop, &req, r); err != nil {
			w.Fatal(err)
		}
	})
	return r
}

func (r *result) Head(h *http1.Response) {
	r.status, r.fields = h.Status(), map[string]string{}
	for i := range h.Len() {
		name, value := h.Field(i)
		r.fields[strings.ToLower(string(name))] = string(value)
	}
	close(r.begun)
}

func (r *result) Body(p []byte) {
	r.body.Write(p)
	if r.onBody != nil {
		r.onBody()
	}
}

func (r *result) Drained() { r.drained <- struct{}{} }

func (r *result) Done(err error) {
	r.err = err
	close(r.over)
}

// ended waits for the end of a call, and checks it.
func (w *way) ended(r *result, want string, end error) {
	w.Helper()
	wait(w, r.over)
	got := ""
	if r.status != 0 {
		got = fmt.Sprintf("%d %s", r.status, r.body.String())
	}
	if got != want || !errors.Is(r.err, end) || end == nil && r.err != nil {
		w.Errorf("got %.200q, %v, want %.200q, %v", got, r.err, want, end)
	}
}

func wait(t testing.TB, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience.Limit):
		t.Fatal("it does not come")
	}
}

// echo answers with what it was sent.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("X-Agent", r.Header.Get("User-Agent"))
	w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
	fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, r.Host, body)
}

// The same request is the same request, whichever way it goes.
func TestWays(t *testing.T) {
	overAll(t, http.HandlerFunc(echo), func(w *way) {
		host := w.origin.Endpoint.Authority
		r := w.send(client.Request{Method: "GET", Path: []byte("/a%2fb"), Query: []byte("q=%20&r")})
		w.ended(r, "200 GET /a%2fb?q=%20&r "+host+" ", nil)
		if r.fields["x-agent"] != "" || r.fields["x-length"] != "0" {
			t.Errorf("got agent %q, length %s, want none of its own", r.fields["x-agent"], r.fields["x-length"])
		}
		r = w.send(client.Request{Method: "HEAD", Path: []byte("/")})
		w.ended(r, "200 ", nil)
		r = w.send(client.Request{Method: "POST", Path: []byte("/"), Host: []byte("shop.example"), Body: []byte("hello"), Fields: fields("User-Agent: me")})
		w.ended(r, "200 POST / shop.example hello", nil)
		if r.fields["x-agent"] != "me" || r.fields["x-length"] != "5" {
			t.Errorf("got agent %q, length %s", r.fields["x-agent"], r.fields["x-length"])
		}
		for _, length := range []int64{0, 5} {
			r = w.send(client.Request{Method: "PUT", Path: []byte("/"), Body: []byte("01"), More: true, Length: length})
			w.on(func() {
				r.call.Write([]byte("2"))
				r.call.Write([]byte("34"))
				r.call.EndBody()
			})
			w.ended(r, "200 PUT / "+host+" 01234", nil)
			if want := max(length, -1+length/5); length > 0 && r.fields["x-length"] != fmt.Sprint(want) {
				t.Errorf("got length %s, want %d", r.fields["x-length"], want)
			}
			if !r.call.Connected() || !r.call.Responded() {
				t.Error("got a call that was not connected, or not answered")
			}
		}
	})
}

// A large upload is taken as the server reads it: Write reports when to wait.
func TestUploadBackPressure(t *testing.T) {
	const size, piece = 8 << 20, 32 << 10
	read := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-read
		n, _ := io.Copy(io.Discard, r.Body) // what is wrong with it shows in the number
		fmt.Fprint(w, n)
	})
	overAll(t, h, func(w *way) {
		r := w.send(client.Request{Method: "PUT", Path: []byte("/"), More: true, Length: size})
		waited := false
		for sent := 0; sent < size; sent += piece {
			room := true
			w.on(func() { room = r.call.Write(make([]byte, piece)) })
			if room {
				continue
			}
			if !waited {
				waited = true
				if sent > size-piece || r.pending(w) > 1<<20 {
					w.Errorf("got no room after %d bytes with %d pending, want a bound", sent, r.pending(w))
				}
				go func() { read <- struct{}{} }()
			}
			wait(w, r.drained)
		}
		if !waited {
			go func() { read <- struct{}{} }()
			w.Error("got room all the time, want none while nobody reads")
		}
		w.on(r.call.EndBody)
		w.ended(r, fmt.Sprintf("200 %d", size), nil)
	})
}

func (r *result) pending(w *way) (n int) {
	w.on(func() { n = r.call.Pending() })
	return n
}

// A paused call is not shown a body, and the server cannot send it all.
func TestPauseHoldsTheServer(t *testing.T) {
	const size = 32 << 20
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.CopyN(w, zeros{}, size); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
	overAll(t, h, func(w *way) {
		r := w.send(client.Request{Method: "GET", Path: []byte("/")})
		paused := make(chan struct{}, 1)
		w.on(func() {
			r.onBody = func() {
				r.call.Pause()
				r.onBody = nil
				paused <- struct{}{}
			}
		})
		wait(w, paused)
		before, after := 0, 0
		w.on(func() { before = r.body.Len() })
		for range 100 { // turns of the loop
			w.on(func() { after = r.body.Len() })
		}
		if before != after || after > size/4 {
			w.Errorf("got %d bytes, then %d while paused, want no more", before, after)
		}
		w.on(r.call.Resume)
		wait(w, r.over)
		if r.err != nil || r.body.Len() != size {
			w.Errorf("got %d bytes, %v, want all", r.body.Len(), r.err)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Cancel reaches the server, before the response and in the middle of it.
func TestCancelReachesServer(t *testing.T) {
	for _, begin := range []bool{false, true} {
		arrived, left := make(chan struct{}, 1), make(chan struct{}, 1)
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if begin {
				_ = http.NewResponseController(w).Flush() // the client will say
			}
			arrived <- struct{}{}
			<-r.Context().Done()
			left <- struct{}{}
		})
		overAll(t, h, func(w *way) {
			r := w.send(client.Request{Method: "GET", Path: []byte("/")})
			wait(w, arrived)
			if begin {
				wait(w, r.begun)
			}
			w.on(r.call.Cancel)
			wait(w, left)
			wait(w, r.over)
			if !errors.Is(r.err, client.ErrCancelled) {
				w.Errorf("got %v, want ErrCancelled", r.err)
			}
		})
	}
}

// How calls fail is told apart, whichever way they went.
func TestWaysFail(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "half")
			_ = http.NewResponseController(w).Flush() // the client will say
		}
		panic(http.ErrAbortHandler)
	})
	overAll(t, h, func(w *way) {
		r := w.send(client.Request{Method: "GET", Path: []byte("/half")})
		w.ended(r, "200 half", client.ErrTruncated)
		r = w.send(client.Request{Method: "POST", Path: []byte("/none"), Body: []byte("x")})
		w.ended(r, "", client.ErrNoResponse)
		w.origin = &client.Origin{Endpoint: w.origin.Endpoint, NetHTTP: w.origin.NetHTTP} // no roots
		switch {
		case w.origin.Endpoint.Network == "unix":
			w.origin.Endpoint.Address += "-not"
		case !w.origin.Endpoint.TLS:
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				w.Fatal(err)
			}
			w.origin.Endpoint.Address = ln.Addr().String()
			w.origin.Endpoint.Authority = ln.Addr().String()
			ln.Close()
		}
		defer w.origin.Close()
		r = &result{over: make(chan struct{}), begun: make(chan struct{})}
		w.on(func() {
			if _, err := w.origin.Do(w.loop, &getX, r); err != nil {
				r.Done(err)
			}
		})
		w.ended(r, "", client.ErrConnect)
	})
}
