package weir_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/patience"
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
		if report, err := d.srv.Shutdown(context.Background()); err != nil || report != (weir.DrainReport{Drained: 1, Took: 4 * time.Second}) {
			t.Errorf("got %+v, %v, want one drained when the grace was over", report, err)
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

// G16: clients that keep coming after the grace do not keep the server up when
// the last running answer has ended, whether they ask or only connect.
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
		s.Trace = &weir.Trace{RequestEnd: func(r *weir.Request, cause error) {
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

// Over sockets: as long as a stream runs every request gets an answer, before
// and after the end of the grace, and none is lost in between.
func TestNoRequestIsLostWhileDraining(t *testing.T) {
	const clients, refusals = 8, 20
	running, release := make(chan struct{}), make(chan struct{})
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /run": func(w *weir.Response, _ *weir.Request) {
		_ = w.Stream().Send([]byte("x"))
		close(running)
		<-release
	}})
	m.HandleInline("GET /s", weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) { w.WriteString("x") }))
	srv := &weir.Server{Handler: m, Loops: 2, Timeouts: weir.Timeouts{DrainGrace: 20 * time.Millisecond}}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	c := dialServer(t, srv)
	defer c.Close()
	_, _ = io.WriteString(c, "GET /run HTTP/1.1\r\nHost: a\r\n\r\n") // else the handler does not run
	<-running
	served := make(chan struct{}, clients)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() { askUntilRefused(t, srv.Addrs()[0].String(), refusals, served) })
	}
	for range clients { // they are under way
		<-served
	}
	reports := make(chan weir.DrainReport)
	go func() {
		report, _ := srv.Shutdown(context.Background()) // the first call: no error
		reports <- report
	}()
	all.Wait()
	close(release)
	if rest, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(rest), "x\r\n0\r\n\r\n") {
		t.Errorf("got %q, %v, want the whole stream", rest, err)
	}
	c.Close()
	if got := <-reports; got.Refused != clients*refusals || got.Cut != 0 || got.Drained < 1 {
		t.Errorf("got %+v, want %d refused", got, clients*refusals)
	}
}

// askUntilRefused asks on connections that are kept for as long as the server
// keeps them, until it was told 503 that often.
func askUntilRefused(t *testing.T, addr string, times int, served chan<- struct{}) {
	client := &http.Client{Transport: new(http.Transport), Timeout: patience.Limit}
	defer client.CloseIdleConnections()
	for told := 0; told < times; {
		res, err := client.Get("http://" + addr + "/s")
		if err != nil {
			t.Errorf("after %d refusals: %v", told, err)
			return
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		switch {
		case err != nil:
			t.Error(err)
		case res.StatusCode == 200:
			select {
			case served <- struct{}{}:
			default:
			}
		case res.StatusCode == 503 && res.Close && res.Header.Get("Retry-After") == "1":
			told++
		default:
			t.Errorf("got %s %v, want 200, or 503 with Retry-After and the connection's end", res.Status, res.Header)
			return
		}
	}
}
