package weir_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/patience"
	"weir/reactor"
	"weir/weirtest"
)

// Streams are told when new requests are no longer taken, and may go on until
// the drain is over, counted from its beginning.
func TestDrainTellsAfterTheGrace(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		_ = s.Send([]byte("x"))
		begin := time.Now()
		<-s.Draining()
		if at, ok := s.Deadline(); !ok || at.Sub(begin) != 30*time.Second || time.Since(begin) != 4*time.Second {
			t.Errorf("got told after %v of the deadline %v (%v), want 4s and 30s", time.Since(begin), at.Sub(begin), ok)
		}
	}})
	grace := func(s *weir.Server) { s.Timeouts.DrainGrace = 4 * time.Second }
	atDesk(t, m, grace, func(d *desk) {
		c := d.get("/s")
		synctest.Wait()
		go func() {
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}()
		want := weir.DrainReport{Drained: 1, Took: 5 * time.Second} // a moment for another request on that connection
		if report, err := d.srv.Shutdown(context.Background()); err != nil || report != want {
			t.Errorf("got %+v, %v, want %+v", report, err, want)
		}
	})
}

// The grace is for requests that are still to come: it is kept when nothing runs.
func TestGraceOfAnIdleServer(t *testing.T) {
	grace := func(s *weir.Server) { s.Timeouts.DrainGrace = 7 * time.Second }
	atDesk(t, new(weir.Mux), grace, func(d *desk) {
		if report, err := d.srv.Shutdown(context.Background()); err != nil || report != (weir.DrainReport{Took: 7 * time.Second}) {
			t.Errorf("got %+v, %v, want nothing done in 7s", report, err)
		}
	})
}

// G16: connections that had been accepted before the listeners closed do not
// keep the server up when the last running response has ended, whether requests
// come on them or not.
func TestDrainEndsInSpiteOfNewClients(t *testing.T) {
	var release chan struct{}
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		_ = w.Stream().Send([]byte("x"))
		<-release
	}})
	times := func(s *weir.Server) { s.Timeouts.DrainGrace, s.Timeouts.Drain = time.Second, time.Hour }
	atDesk(t, m, times, func(d *desk) {
		release = make(chan struct{}) // of the bubble
		c := d.get("/s")
		defer c.Close()
		synctest.Wait()
		reports := make(chan weir.DrainReport)
		go func() {
			report, _ := d.srv.Shutdown(context.Background()) // the first call: no error
			reports <- report
		}()
		time.Sleep(2 * time.Second) // the fake clock's
		for range 100 {
			asks, waits := d.get("/s"), d.dial("")
			defer asks.Close()
			defer waits.Close()
			time.Sleep(time.Second)
			if got := d.seen(asks); !strings.HasPrefix(got, "HTTP/1.1 503 ") {
				t.Errorf("got %q, want 503", got)
			}
		}
		close(release)
		want := weir.DrainReport{Drained: 1, Refused: 100, Took: 102 * time.Second}
		linger := 2 * time.Second // for clients that do not close
		if got := <-reports; got.Took < want.Took || got.Took > want.Took+linger+time.Second || got.Drained != 1 || got.Cut != 0 || got.Refused != 100 {
			t.Errorf("got %+v, want %+v and the time to linger", got, want)
		}
	})
}

// A second call waits for the first, and has it cut when its own time is over.
func TestShutdownIsHurried(t *testing.T) {
	for name, grace := range map[string]time.Duration{"at once": 0, "in the grace": 20 * time.Second, "after it": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) { <-w.Stream().Done() }})
			atDesk(t, m, func(s *weir.Server) { s.Timeouts.DrainGrace = grace }, func(d *desk) {
				c := d.get("/s")
				defer c.Close()
				synctest.Wait()
				reports := make(chan weir.DrainReport)
				for _, patience := range []time.Duration{time.Hour, 5 * time.Second, time.Minute} {
					go func() {
						ctx, cancel := context.WithTimeout(context.Background(), patience)
						defer cancel()
						report, err := d.srv.Shutdown(ctx)
						if err != nil {
							t.Errorf("got %v", err)
						}
						reports <- report
					}()
				}
				for range 3 {
					if got := <-reports; got != (weir.DrainReport{Cut: 1, Took: 5 * time.Second}) {
						t.Errorf("got %+v, want one cut after 5s", got)
					}
				}
			})
		})
	}
}

// Refused requests are traced as others are.
func TestRefusalIsTraced(t *testing.T) {
	var y tally
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"GET /s":  func(w *weir.Response, _ *weir.Request) { <-w.Stream().Done() },
		"POST /t": func(*weir.Response, *weir.Request) { t.Error("the handler of a refused request ran") },
	})
	set := func(s *weir.Server) {
		s.Timeouts.DrainGrace = time.Second
		s.Trace = &weir.Trace{End: func(r *weir.Request, _ any, _ weir.ResponseStats, cause error) {
			if r.Pattern() == "POST /t" {
				y.tell(cause)
			}
		}}
	}
	atDesk(t, m, set, func(d *desk) {
		c := d.get("/s")
		defer c.Close()
		synctest.Wait()
		go func() { _, _ = d.srv.Shutdown(context.Background()) }() // atDesk hurries it
		time.Sleep(2 * time.Second)                                 // the fake clock's
		if status, body := d.exchange("POST /t HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\npart"); status != "503 Service Unavailable" {
			t.Errorf("got %s %q, want 503", status, body)
		}
		if told := y.told(); len(told) != 1 || !errors.Is(told[0], weir.ErrServerClosed) {
			t.Errorf("got %v traced, want %v", told, weir.ErrServerClosed)
		}
	})
}

// Idle clients whose responses have long arrived are not waited for, though
// they do not close: the drain of ten takes the grace and no more. // K8.44
func TestDrainWithIdleClients(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) { w.WriteString("x") }})
	grace := func(s *weir.Server) { s.Timeouts.DrainGrace = 2 * time.Second }
	atDesk(t, m, grace, func(d *desk) {
		clients := make([]*weirtest.Client, 10)
		for i := range clients {
			clients[i] = d.get("/s")
			defer clients[i].Close()
			if got := d.seen(clients[i]); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
				t.Fatalf("got %q, want 200", got)
			}
		}
		if report, err := d.srv.Shutdown(context.Background()); err != nil || report != (weir.DrainReport{Took: 2 * time.Second}) {
			t.Errorf("got %+v, %v, want it to take 2s", report, err)
		}
		for _, c := range clients {
			if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("an idle client: got %d bytes, %v, want the end", n, err)
			}
		}
	})
}

// A request that is in the kernel when an idle connection is to be closed, and
// of which no event has told yet, gets a response. // K8.42
func TestIdleConnectionIsReadBeforeItsEnd(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) { w.WriteString("x") }})
	for name, length := range map[string]time.Duration{"in a drain": 3 * time.Second, "idle for its time": 75 * time.Second} {
		t.Run(name, func(t *testing.T) {
			set := func(s *weir.Server) { s.Timeouts.DrainGrace = length - time.Second }
			atDesk(t, m, set, func(d *desk) {
				c := d.get("/s")
				defer c.Close()
				if got := d.seen(c); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
					t.Fatalf("got %q, want 200", got)
				}
				want := "HTTP/1.1 200 "
				if length < 75*time.Second {
					want = "HTTP/1.1 503 "
					go func() { _, _ = d.srv.Shutdown(context.Background()) }() // atDesk hurries it
				}
				time.Sleep(length - 2*time.Second) // the fake clock's
				release := d.hold()
				time.Sleep(3 * time.Second)
				d.write(c, getS)
				release()
				if got := d.seen(c); !strings.HasPrefix(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}

// hold keeps the loop from doing anything until release.
func (d *desk) hold() (release func()) {
	gate := make(chan struct{})
	d.srv.Reactor().Loops()[0].Post(reactor.TaskFunc(func() { <-gate }))
	synctest.Wait()
	return func() { close(gate) }
}

// A client that is behind with its stream gets the whole of it, and the drain
// waits for that.
func TestDrainWaitsForAClientThatIsBehind(t *testing.T) {
	const size = 100_000
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		_ = w.Stream().Send(make([]byte, size))
	}})
	atDesk(t, m, nil, func(d *desk) {
		c := d.dial("")
		defer c.Close()
		c.SetWindow(1000)
		d.write(c, getS)
		synctest.Wait()
		reports := make(chan weir.DrainReport)
		go func() {
			report, _ := d.srv.Shutdown(context.Background()) // the first call: no error
			reports <- report
		}()
		time.Sleep(20 * time.Second) // the fake clock's
		got, err := io.ReadAll(c)
		if err != nil || len(got) < size || !strings.HasSuffix(string(got), "\r\n0\r\n\r\n") {
			t.Errorf("got %d bytes, %v, want %d and the last chunk", len(got), err, size)
		}
		c.Close()
		if got := <-reports; got.Cut != 0 {
			t.Errorf("got %+v, want nothing cut", got)
		}
	})
}

// Over sockets: from the signal to the end every request that was sent gets a
// response, on new connections and on those that are kept, until connecting is
// refused. // K8.42
func TestNoRequestIsLostWhileDraining(t *testing.T) {
	const clients = 200
	for name, grace := range map[string]time.Duration{"grace": 50 * time.Millisecond, "no grace": 0} {
		t.Run(name, func(t *testing.T) {
			m := new(weir.Mux)
			m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) { w.WriteString("x") }).Inline()
			srv := &weir.Server{Handler: m, Loops: 2, Timeouts: weir.Timeouts{DrainGrace: grace}}
			if err := srv.Start("127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			addr := srv.Addrs()[0].String()
			served := make(chan struct{}, clients)
			var all sync.WaitGroup
			for i := range clients {
				all.Go(func() { askUntilRefused(t, addr, i%2 == 0, served) })
			}
			for range clients { // they are under way
				<-served
			}
			report, err := srv.Shutdown(context.Background())
			if err != nil || report.Cut != 0 {
				t.Errorf("got %+v, %v, want nothing cut", report, err)
			}
			all.Wait()
		})
	}
}

// askUntilRefused makes requests, on connections of their own or until the
// server says that it closes, until nobody listens any more.
func askUntilRefused(t *testing.T, addr string, keep bool, served chan<- struct{}) {
	for first := true; ; {
		c, err := net.Dial("tcp", addr)
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) {
			return // no request was sent
		}
		if err != nil {
			t.Error(err)
			return
		}
		_ = c.SetDeadline(time.Now().Add(patience.Limit))
		for in, open := bufio.NewReader(c), true; open; {
			if open = askOnce(t, c, in) && keep; first {
				first = false
				served <- struct{}{}
			}
		}
		c.Close()
	}
}

// askOnce reports whether another request may follow.
func askOnce(t *testing.T, c net.Conn, in *bufio.Reader) (more bool) {
	_, err := io.WriteString(c, getS)
	if err != nil {
		t.Errorf("writing: %v", err)
		return false
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Errorf("a request without a response: %v", err)
		return false
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Error(err)
	}
	switch {
	case res.StatusCode == 200:
	case res.StatusCode == 503 && res.Close && res.Header.Get("Retry-After") == "1":
	default:
		t.Errorf("got %s %v, want 200, or 503 with Retry-After and the connection's end", res.Status, res.Header)
	}
	return !res.Close
}
