package weirtest_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/weirtest"
)

// record is what handlers note. It is made in the bubble; Settle is between them
// and the test.
type record struct {
	causes []error // of OnClose
	sent   error   // what the last Send returned
}

func (n *record) watch(r *weir.Request) {
	r.OnClose(func(cause error) { n.causes = append(n.causes, cause) })
}

// stages are the moments of a request at which its client may disconnect.
var stages = []struct {
	name   string
	window int // of the client; 0 is the default
	body   string
	serve  func(w *weir.Response, r *weir.Request, n *record)
}{
	{name: "before the head", serve: func(_ *weir.Response, r *weir.Request, _ *record) {
		<-r.Context().Done()
	}},
	{name: "between two chunks", body: "one", serve: func(w *weir.Response, _ *weir.Request, n *record) {
		s := w.Stream()
		_ = s.Send([]byte("one"))
		<-s.Done()
		n.sent = s.Send([]byte("two"))
	}},
	{name: "waiting in Send", window: 100, serve: func(w *weir.Response, _ *weir.Request, n *record) {
		s := w.Stream()
		for n.sent == nil {
			n.sent = s.Send(make([]byte, 1<<10))
		}
	}},
}

// leaves are the ways in which a client disconnects.
var leaves = map[string]func(c *weirtest.Client){
	"close":      func(c *weirtest.Client) { _ = c.Close() },
	"half-close": func(c *weirtest.Client) { _ = c.CloseWrite() },
	"reset":      func(c *weirtest.Client) { c.Reset() },
}

func TestStages(t *testing.T) {
	for _, stage := range stages {
		for name, leave := range leaves {
			t.Run(stage.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var n record
					s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
						n.watch(r)
						stage.serve(w, r, &n)
					})})
					c := s.Dial()
					if stage.window > 0 {
						c.SetWindow(stage.window)
					}
					c.Get("/")
					s.Tick(time.Second)
					if len(n.causes) > 0 || c.Err() != nil {
						t.Fatalf("got causes %v, connection %v before the client disconnected", n.causes, c.Err())
					}
					if stage.window > 0 && c.Unread() != stage.window {
						t.Errorf("got %d bytes unread, want a full window", c.Unread())
					}
					if stage.body != "" && c.Response().Body != stage.body {
						t.Errorf("got another body than %q", stage.body)
					}
					now := time.Now()
					leave(c)
					s.Settle()
					if len(n.causes) != 1 || !errors.Is(n.causes[0], weir.ErrClientGone) {
						t.Errorf("got causes %v, want %v once", n.causes, weir.ErrClientGone)
					}
					if stage.name != "before the head" && !errors.Is(n.sent, weir.ErrClientGone) {
						t.Errorf("got %v from Send, want %v", n.sent, weir.ErrClientGone)
					}
					if passed := time.Since(now); passed != 0 {
						t.Errorf("it took %v to notice", passed)
					}
				})
			})
		}
	}
}

// After its end a response is not affected, and the connection is idle.
func TestLeavingAfterTheEnd(t *testing.T) {
	for name, leave := range leaves {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n record
				srv := &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
					n.watch(r)
					_ = w.Stream().Send([]byte("all"))
				})}
				s := weirtest.Start(t, srv)
				c := s.Get("/")
				if res := c.Response(); !res.Complete || res.Body != "all" {
					t.Errorf("got %+v, want a complete response", res)
				}
				leave(c)
				s.Settle()
				if len(n.causes) != 1 || n.causes[0] != nil {
					t.Errorf("got causes %v, want nil once", n.causes)
				}
				s.Tick(3 * time.Second) // Linger
				if got := srv.Stats().Connections; got != 0 {
					t.Errorf("got %d connections, want none", got)
				}
			})
		})
	}
}

// A client that takes nothing is cut when the stall time is over, and not before.
func TestStalledClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n record
		var cutAt time.Time
		s := weirtest.Start(t, &weir.Server{
			Timeouts: weir.Timeouts{WriteStall: 10 * time.Second},
			Handler: weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
				for stream := w.Stream(); n.sent == nil; {
					n.sent = stream.Send(make([]byte, 1<<10))
				}
				cutAt = time.Now()
			}),
		})
		begin := time.Now()
		c := s.Dial()
		c.SetWindow(1 << 10)
		c.Get("/")
		s.Tick(9 * time.Second)
		if n.sent != nil || c.Err() != nil {
			t.Fatalf("got %v, %v before the stall time was over", n.sent, c.Err())
		}
		s.Tick(2 * time.Second)
		if !errors.Is(n.sent, weir.ErrSlowClient) || !errors.Is(c.Err(), syscall.ECONNRESET) {
			t.Errorf("got %v and %v, want %v and a reset", n.sent, c.Err(), weir.ErrSlowClient)
		}
		if took := cutAt.Sub(begin); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("cut after %v, want 10 s", took)
		}
	})
}

// A client that reads again resumes its producer.
func TestSlowClientIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const chunks = 1000
		sent := 0
		s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
			for stream := w.Stream(); sent < chunks && stream.Send(make([]byte, 1<<10)) == nil; {
				sent++
			}
		})})
		c := s.Get("/")
		s.Settle()
		if sent == chunks || c.Unread() == 0 {
			t.Fatalf("got %d chunks sent and %d bytes unread, want a producer that waits", sent, c.Unread())
		}
		if res := c.Response(); !res.Complete || len(res.Body) != chunks<<10 {
			t.Errorf("got %d bytes, complete: %v", len(res.Body), res.Complete)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		srv := &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			_ = s.Send([]byte("one "))
			select {
			case <-release:
				_ = s.Send([]byte("two"))
			case <-s.Done():
			}
		})}
		s := weirtest.Start(t, srv)
		c := s.Get("/")
		idle := s.Dial()
		s.Settle()
		report := s.Drain()
		s.Tick(2 * time.Second)
		if idle.Err() != io.EOF || c.Err() != nil {
			t.Errorf("got %v for the idle connection and %v for the stream, want only the first closed", idle.Err(), c.Err())
		}
		late := s.Get("/") // as one that the kernel had accepted before
		if res := late.Response(); res.Status != 503 {
			t.Errorf("got status %d for a late request, want 503", res.Status)
		}
		close(release)
		s.Settle()
		if res := c.Response(); !res.Complete || res.Body != "one two" {
			t.Errorf("got %+v, want the stream complete", res)
		}
		s.Tick(5 * time.Second)
		if got := <-report; got.Drained != 1 || got.Cut != 0 || got.Refused != 1 {
			t.Errorf("got %+v, want one drained and one refused", got)
		}
	})
}

func TestResponses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := new(weir.Mux)
		mux.HandleFunc("GET /plain", func(w *weir.Response, _ *weir.Request) { w.WriteString("plain") })
		mux.HandleFunc("GET /trailer", func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			_ = s.SetTrailer("X-Sum", "1")
			_ = s.Send([]byte("body"))
		})
		mux.HandleFunc("GET /abort", func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			_ = s.Send([]byte("part"))
			time.Sleep(time.Second)
			s.Abort(errors.New("no luck"))
		})
		mux.HandleFunc("PUT /echo", func(w *weir.Response, r *weir.Request) { _, _ = w.Write(r.Body()) })
		s := weirtest.Start(t, &weir.Server{Handler: mux})

		c := s.Get("/plain")
		c.Get("/trailer") // pipelined
		c.Send("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
		if res := c.Response(); res.Status != 200 || res.Body != "plain" || !res.Complete || res.Header.Get("Date") == "" {
			t.Errorf("got %+v", res)
		}
		if res := c.Response(); res.Body != "body" || !res.Complete || res.Trailer.Get("X-Sum") != "1" {
			t.Errorf("got %+v", res)
		}
		c.Expect("") // the body of the third has not arrived
		c.Send("cd")
		if res := c.Response(); res.Body != "abcd" || !res.Complete {
			t.Errorf("got %+v", res)
		}
		if res := s.Post("/echo", "").Response(); res.Status != 405 {
			t.Errorf("got %+v, want 405", res)
		}
		c.Get("/abort")
		if res := c.Response(); res.Body != "part" || res.Complete || c.Err() != nil {
			t.Errorf("got %+v, %v, want the first part", res, c.Err())
		}
		s.Tick(time.Second)
		if res := c.Response(); res.Body != "part" || res.Complete || c.Err() == nil {
			t.Errorf("got %+v, %v, want it cut", res, c.Err())
		}

		mux.HandleFunc("POST /echo", func(w *weir.Response, r *weir.Request) { _, _ = w.Write(r.Body()) })
		if res := s.Post("/echo", "body").Response(); res.Body != "body" || !res.Complete {
			t.Errorf("got %+v", res)
		}

		old := s.Dial()
		old.Send("GET /trailer HTTP/1.0\r\n\r\n") // until the connection is closed
		if res := old.Response(); res.Body != "body" || !res.Complete {
			t.Errorf("got %+v", res)
		}
		if got := old.Received(); got != "" {
			t.Errorf("got %q behind the response", got)
		}
	})
}

// What Response has read ahead is there for Read and Received, once.
func TestReadAfterResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
			stream := w.Stream()
			_ = stream.Send([]byte("hello"))
			<-stream.Done()
		})})
		c := s.Get("/")
		c.Response()
		p := make([]byte, 8)
		if n, err := c.Read(p); string(p[:n]) != "HTTP/1.1" || err != nil {
			t.Errorf("got %q, %v", p[:n], err)
		}
		if got := c.Received(); !strings.HasPrefix(got, " 200 OK\r\n") || !strings.HasSuffix(got, "\r\n5\r\nhello\r\n") {
			t.Errorf("got %q", got)
		}
		c.Expect("")
		if got := c.Writes(); got != 1 {
			t.Errorf("got %d writes, want head and chunk in one", got)
		}
		_ = c.Close()
		if _, err := c.Read(p); !errors.Is(err, net.ErrClosed) || !errors.Is(c.Err(), net.ErrClosed) {
			t.Errorf("got %v, %v, want %v", err, c.Err(), net.ErrClosed)
		}
	})
}

// Two loops, two servers, and a server that was started by the test's fakes.
func TestSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		says := func(text string) weir.Handler {
			return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { w.WriteString(text + r.RemoteAddr().String()) })
		}
		fake := make(chan struct{})
		ended := make(chan struct{})
		t.Cleanup(func() { close(fake); <-ended }) // runs after the servers' cleanup
		go func() { <-fake; close(ended) }()
		a := weirtest.Start(t, &weir.Server{Handler: says("a "), Loops: 2})
		b := weirtest.Start(t, &weir.Server{Handler: says("b ")})
		var got []string
		for _, s := range []*weirtest.Server{a, a, b} {
			c := s.Get("/")
			res := c.Response().Body
			if !strings.HasSuffix(res, " "+c.LocalAddr().String()) {
				t.Errorf("got %q, want the client's address %v", res, c.LocalAddr())
			}
			got = append(got, res[:1])
		}
		if !slices.Equal(got, []string{"a", "a", "b"}) {
			t.Errorf("got %q", got)
		}
	})
}
