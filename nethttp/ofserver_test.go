package nethttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir"
	"weir/internal/patience"
	"weir/internal/tlstest"
	"weir/nethttp"
)

// overHTTP2 starts srv with HTTP/2 and returns its URL and a client. The test
// ends the server itself, or Cleanup does.
func overHTTP2(t *testing.T, srv *weir.Server) (string, *http.Client) {
	t.Helper()
	id := tlstest.New(t, "127.0.0.1")
	srv.Loops, srv.Logger = 2, slog.New(slog.DiscardHandler)
	srv.TLS = &weir.TLS{Config: id.Server(), HTTP2: nethttp.OfServer(srv)}
	if err := srv.Start("tls:127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: id.Client(), ForceAttemptHTTP2: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
		defer cancel()
		if _, err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return "https://" + srv.Addrs()[0].String(), &http.Client{Transport: transport}
}

// guest is a way by which requests come to a Server through net/http.
type guest struct {
	name  string
	start func(t *testing.T, srv *weir.Server) (url string, client *http.Client)
}

var guestsOf = []guest{
	{"HTTP/2", overHTTP2},
	{"HTTP/1.1", func(t *testing.T, srv *weir.Server) (string, *http.Client) {
		overHTTP2(t, srv) // to be started
		host := httptest.NewServer(nethttp.OfServer(srv))
		t.Cleanup(host.Close)
		return host.URL, host.Client()
	}},
}

// A body that stays behind is refused with 408, and its handler knows why.
func TestGuestBodyGrace(t *testing.T) {
	for _, way := range guestsOf {
		for _, tt := range []struct {
			name string
			rate int
			rest func(w io.Writer) // what comes behind the first bytes
		}{
			{"silent", -1, func(io.Writer) {}},
			{"too slow", 1 << 30, func(w io.Writer) { // for some of the time
				for range 1 << 20 {
					if _, err := w.Write([]byte("x")); err != nil {
						return
					}
				}
			}},
		} {
			t.Run(way.name+"/"+tt.name, func(t *testing.T) {
				reasons := make(chan error, 2)
				m := new(weir.Mux)
				m.HandleFunc("PUT /whole", func(*weir.Response, *weir.Request) { t.Error("the handler was called") })
				m.HandleFunc("PUT /arriving", func(_ *weir.Response, r *weir.Request) {
					_, err := io.Copy(io.Discard, r.BodyReader())
					reasons <- err
				}).StreamBody()
				m.HandleLoop("PUT /loop", weir.LoopHandlerFunc(func(*weir.LoopExchange) weir.BodyReceiver { return &ends{reasons} }))
				srv := &weir.Server{Handler: m, Limits: weir.Limits{BodyRate: tt.rate}, Timeouts: weir.Timeouts{BodyGrace: 50 * time.Millisecond}}
				url, client := way.start(t, srv)
				for path, notes := range map[string]int{"/whole": 0, "/arriving": 1, "/loop": 2} {
					want(t, path, begin(t, url, client, path, tt.rest), 408)
					for range notes {
						wantIs(t, path, soon(t, "a reason", reasons), weir.ErrTimeout)
					}
				}
			})
		}
	}
}

// begin sends a part of a body, and returns the status of the response to that.
func begin(t *testing.T, url string, client *http.Client, path string, rest func(io.Writer)) int {
	t.Helper()
	if addr, clear := strings.CutPrefix(url, "http://"); clear { // net/http's client does not wait for it
		c := dial(t, addr)
		c.send("PUT " + path + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		go rest(httputil.NewChunkedWriter(c))
		status := 0
		if got := c.response("PUT"); !strings.HasPrefix(got, "HTTP/1.1 ") {
			t.Fatalf("%s: got %q", path, got)
		} else if _, err := fmt.Sscanf(got, "HTTP/1.1 %d", &status); err != nil {
			t.Fatal(err)
		}
		return status
	}
	body, sender := io.Pipe()
	defer sender.Close()
	go func() {
		_, _ = io.WriteString(sender, "hello")
		rest(sender)
	}()
	req, err := http.NewRequest("PUT", url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// ends notes why a body and its exchange have ended.
type ends struct{ reasons chan error }

func (e *ends) Data([]byte)        {}
func (e *ends) End(err error)      { e.reasons <- err }
func (e *ends) Drained()           {}
func (e *ends) Closed(cause error) { e.reasons <- cause }

// A client that takes nothing for WriteStall is cut.
func TestGuestWriteStall(t *testing.T) {
	for _, way := range guestsOf {
		t.Run(way.name, func(t *testing.T) {
			causes := make(chan error, 3)
			p := make([]byte, 64<<10)
			m := new(weir.Mux)
			m.HandleFunc("GET /stream", func(w *weir.Response, _ *weir.Request) {
				s := w.Stream()
				var err error
				for err == nil {
					err = s.Send(p)
				}
				causes <- err
			})
			m.HandleLoop("GET /loop", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
				f := &flood{x, p, causes}
				f.Drained()
				return f
			}))
			srv := &weir.Server{Handler: m, Timeouts: weir.Timeouts{WriteStall: 100 * time.Millisecond}}
			srv.OnError = func(_ *weir.Response, _ *weir.Request, err error) { causes <- err }
			url, client := way.start(t, srv)
			for _, path := range []string{"/stream", "/loop"} {
				res, err := client.Get(url + path)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					wantIs(t, path, soon(t, "the end", causes), weir.ErrSlowClient)
				}
				if _, err := io.Copy(io.Discard, res.Body); err == nil {
					t.Errorf("%s: the response is whole", path)
				}
				res.Body.Close()
			}
		})
	}
}

// flood pushes for ever.
type flood struct {
	x      *weir.LoopExchange
	p      []byte
	causes chan error
}

func (f *flood) Data([]byte)        {}
func (f *flood) End(error)          {}
func (f *flood) Closed(cause error) { f.causes <- cause }

func (f *flood) Drained() {
	for f.x.Push(f.p) {
	}
}

// PerConn bounds the requests of a connection: a client opens another one.
func TestPerConn(t *testing.T) {
	for limit, want := range map[int]int{2: 3, 0: 2, -1: 1} {
		requests := 300
		if limit > 0 {
			requests = 6
		}
		var mu sync.Mutex
		seen, arrived, over := map[string]bool{}, make(chan bool, requests), make(chan struct{})
		m := new(weir.Mux)
		m.HandleFunc("/known", func(*weir.Response, *weir.Request) {})
		m.HandleFunc("GET /{$}", func(_ *weir.Response, r *weir.Request) {
			mu.Lock()
			seen[r.RemoteAddr().String()] = true
			mu.Unlock()
			arrived <- true
			<-over
		})
		srv := &weir.Server{Handler: m, Limits: weir.Limits{PerConn: limit}}
		url, client := overHTTP2(t, srv)
		res, err := client.Get(url + "/known") // a connection whose settings are known
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		var all sync.WaitGroup
		for range requests {
			all.Go(func() {
				res, err := client.Get(url)
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
			})
		}
		for range requests {
			soon(t, "a request", arrived)
		}
		close(over)
		all.Wait()
		if n := len(seen); limit > 0 && n < want || limit <= 0 && n != want {
			t.Errorf("PerConn %d: got %d connections for %d requests, want %d", limit, n, requests, want)
		}
	}
}

// At the limit of connections one without a request gives way, and no other.
func TestGuestGivesWay(t *testing.T) {
	m, begun := new(weir.Mux), make(chan bool, 3)
	m.HandleFunc("GET /", func(*weir.Response, *weir.Request) {})
	m.HandleFunc("GET /stream", func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		_ = s.Commit()
		begun <- true
		<-s.Done()
	})
	srv := &weir.Server{Handler: m, Limits: weir.Limits{Conns: 2}}
	url, client := overHTTP2(t, srv)
	another := func() *http.Client {
		transport := client.Transport.(*http.Transport).Clone()
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	get := func(c *http.Client, path string) (*http.Response, error) {
		res, err := c.Get(url + path)
		if err == nil {
			t.Cleanup(func() { res.Body.Close() })
		}
		return res, err
	}
	if _, err := get(client, "/stream"); err != nil {
		t.Fatal(err)
	}
	soon(t, "a stream", begun)
	served := func(path string) {
		for late := time.Now().Add(patience.Limit); ; { // the server may not know yet that the one before is idle
			_, err := get(another(), path)
			if err == nil {
				return
			}
			if time.Now().After(late) {
				t.Fatal(err)
			}
		}
	}
	for range 5 { // each in the place of the one before
		served("/")
	}
	served("/stream")
	soon(t, "a stream", begun)
	if _, err := get(another(), "/"); err == nil {
		t.Error("a third connection was served, where both had a stream")
	}
	want(t, "streams", srv.Stats().StreamsActive, 2)
}

// In the grace of a drain requests are served, and clients are made to leave
// their connections.
func TestGuestDrainGrace(t *testing.T) {
	var addrs sync.Map
	m := new(weir.Mux)
	m.HandleFunc("GET /", func(w *weir.Response, r *weir.Request) {
		addrs.Store(r.RemoteAddr(), true)
		_, draining := w.Stream().Deadline()
		_ = w.Stream().Send(fmt.Append(nil, draining))
	})
	srv := &weir.Server{Handler: m, Timeouts: weir.Timeouts{Drain: time.Hour, DrainGrace: time.Hour}}
	url, client := overHTTP2(t, srv)
	ask := func() string {
		res, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(res.Proto, " ", res.StatusCode, " ", string(text))
	}
	want(t, "before", ask(), "HTTP/2.0 200 false")
	ctx, cut := context.WithCancel(context.Background())
	over := make(chan weir.DrainReport)
	go func() {
		report, _ := srv.Shutdown(ctx)
		over <- report
	}()
	count := func() (n int) {
		addrs.Range(func(any, any) bool { n++; return true })
		return n
	}
	for late := time.Now().Add(patience.Limit); count() < 3 && time.Now().Before(late); {
		if got := ask(); got != "HTTP/2.0 200 true" && got != "HTTP/2.0 200 false" {
			t.Fatalf("got %s, want to be served in the grace", got)
		}
	}
	if n := count(); n < 3 {
		t.Errorf("got %d connections, want clients to leave theirs", n)
	}
	cut()
	if report := soon(t, "the end", over); report.Cut != 0 || report.Drained == 0 {
		t.Errorf("got %+v, want those that were served in the grace", report)
	}
}

// Whatever handlers on the loop and their clients do, and whenever, each
// exchange is closed once, and nothing is left.
func TestGuestsAtRandom(t *testing.T) {
	const clients, rounds = 8, 60
	var opened, closed, twice atomic.Int64
	m := new(weir.Mux)
	m.HandleLoop("/", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
		opened.Add(1)
		c := &chancer{x: x, closed: &closed, twice: &twice}
		c.act()
		return c
	})).MaxBody(100_000)
	srv := &weir.Server{Handler: m}
	url, client := overHTTP2(t, srv)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range rounds {
				ctx, cancel := context.WithCancel(context.Background())
				if rand.N(2) == 0 {
					time.AfterFunc(rand.N(3*time.Millisecond), cancel)
				}
				body := strings.Repeat("x", rand.N(120_000))
				req, err := http.NewRequestWithContext(ctx, "POST", url, io.MultiReader(strings.NewReader(body), strings.NewReader("end")))
				if err != nil {
					t.Error(err)
				}
				if res, err := client.Do(req); err == nil {
					_, _ = io.CopyN(io.Discard, res.Body, rand.Int64N(200_000)) // it may be cut
					res.Body.Close()
				}
				cancel()
			}
		})
	}
	all.Wait()
	for late := time.Now().Add(patience.Limit); time.Now().Before(late); {
		if s := srv.Stats(); closed.Load() == opened.Load() && s.StreamsActive == 0 && s.PendingBytes == 0 && s.BodyBytes == 0 {
			break
		}
	}
	s := srv.Stats()
	if closed.Load() != opened.Load() || twice.Load() != 0 || s.StreamsActive != 0 || s.PendingBytes != 0 || s.BodyBytes != 0 {
		t.Errorf("got %d exchanges, %d closed, %d again, and %+v, want nothing left", opened.Load(), closed.Load(), twice.Load(), s)
	}
	t.Logf("%d exchanges: %d cancelled, %d failed", opened.Load(), s.StreamsCancelled, s.StreamsFailed)
}

// chancer is a receiver that does anything at any time.
type chancer struct {
	x             *weir.LoopExchange
	over          bool
	body          []byte
	closed, twice *atomic.Int64
}

var errChance = errors.New("by chance")

func (c *chancer) act() {
	x := c.x
	x.Loop().Check()
	switch rand.N(12) {
	case 0:
		x.End()
	case 1:
		x.Abort(errChance)
	case 2, 3:
		x.PauseBody()
		x.Loop().Post(task(x.ResumeBody))
	case 4, 5:
		x.Commit()
	default:
		x.Push(make([]byte, rand.N(50_000)))
	}
	if rand.N(4) == 0 {
		x.Loop().Post(task(func() {
			if !c.over {
				c.act()
			}
		}))
	}
}

func (c *chancer) Data(p []byte) {
	if rand.N(8) == 0 {
		c.act()
	}
	c.body = append(c.body, p...)
	x := c.x
	x.Keep(int64(len(c.body)))
}

func (c *chancer) End(err error) {
	if errors.Is(err, io.EOF) && rand.N(3) == 0 {
		c.x.HandOver(weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { _, _ = w.Write(r.Body()) }), c.body)
		return
	}
	c.act()
	if rand.N(2) == 0 {
		c.x.End()
		return
	}
	c.x.Loop().Post(task(c.finish))
}

func (c *chancer) Drained() { c.act() }

func (c *chancer) finish() {
	if !c.over {
		c.x.End()
	}
}

func (c *chancer) Closed(error) {
	if c.over {
		c.twice.Add(1)
	}
	c.over = true
	c.closed.Add(1)
}

type task func()

func (t task) Run() { t() }
