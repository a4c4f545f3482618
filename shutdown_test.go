package weir_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/patience"
)

func dialServer(t *testing.T, srv *weir.Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", srv.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience.Limit))
	return c
}

// L12: streams are told, go on for the grace, and are then cut each at its own
// moment within the mercy.
func TestDrainCutsAtRandomMoments(t *testing.T) {
	const streams = 50
	y := new(tally)
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, r *weir.Request) {
		s := w.Stream()
		_ = s.Send([]byte("x"))
		s.OnClose(y.tell)
		if _, ok := s.Deadline(); ok {
			t.Error("there is a deadline before the shutdown")
		}
		begin := time.Now()
		<-s.Draining()
		if at, ok := s.Deadline(); !ok || at.Sub(begin) != 41*time.Second || !time.Now().Equal(begin.Add(time.Second)) {
			t.Errorf("got the deadline %v after %v, want 40s after the shutdown began", at.Sub(begin), time.Since(begin))
		}
		<-s.Done()
	}})
	timeouts := func(s *weir.Server) { s.Timeouts.Drain, s.Timeouts.Mercy = 40*time.Second, 10*time.Second }
	atDesk(t, m, timeouts, func(d *desk) {
		for range streams {
			c := d.get("/s")
			defer c.Close()
		}
		synctest.Wait()
		time.Sleep(time.Second)
		begin := time.Now()
		report, err := d.srv.Shutdown(context.Background())
		if err != nil || report.Cut != streams || report.Drained != 0 || report.Took != time.Since(begin) {
			t.Errorf("got %+v, %v, want %d cut", report, err, streams)
		}
		synctest.Wait()
		moments := map[time.Duration]bool{}
		for i, at := range y.times() {
			after := at.Sub(begin)
			if moments[after] = true; after < 40*time.Second || after > 50*time.Second+10*time.Millisecond {
				t.Errorf("cut after %v, want 40s to 50s", after)
			}
			if cause := y.told()[i]; !errors.Is(cause, weir.ErrServerClosed) {
				t.Errorf("got %v", cause)
			}
		}
		if len(y.told()) != streams || len(moments) < streams/2 {
			t.Errorf("got %d streams cut at %d moments, want %d at as many", len(y.told()), len(moments), streams)
		}
		if again, err := d.srv.Shutdown(context.Background()); err != nil || again != report {
			t.Errorf("again: got %+v, %v, want the same report", again, err)
		}
	})
}

// L12: the report tells apart what ended by itself and what was cut.
func TestDrainReport(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"GET /good": func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			_ = s.Send([]byte("x"))
			<-s.Draining()
		},
		"GET /bad":  func(w *weir.Response, _ *weir.Request) { <-w.Stream().Done() },
		"GET /slow": func(_ *weir.Response, r *weir.Request) { <-r.Context().Done() },
		"GET /fast": func(w *weir.Response, _ *weir.Request) { w.WriteString("x") },
	})
	atDesk(t, m, nil, func(d *desk) {
		for _, path := range []string{"/good", "/good", "/good", "/bad", "/slow", "/fast"} {
			c := d.get(path)
			defer c.Close()
		}
		idle, head := d.dial(""), d.dial("GET /fa") // neither runs anything
		defer idle.Close()
		defer head.Close()
		synctest.Wait()
		report, err := d.srv.Shutdown(context.Background())
		if err != nil || report.Drained != 3 || report.Cut != 2 || report.Took < 30*time.Second || report.Took > 36*time.Second {
			t.Errorf("got %+v, %v, want 3 drained and 2 cut in 30s to 35s", report, err)
		}
	})
}

// A shutdown whose context ends cuts everything at once.
func TestShutdownAtOnce(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) { <-w.Stream().Done() }})
	atDesk(t, m, nil, func(d *desk) {
		c := d.get("/s")
		defer c.Close()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if report, err := d.srv.Shutdown(ctx); err != nil || report.Cut != 1 || report.Took != time.Second {
			t.Errorf("got %+v, %v, want one cut after a second", report, err)
		}
	})
}

func TestServe(t *testing.T) {
	srv := &weir.Server{Handler: mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) { w.WriteString("x") }})}
	if _, err := srv.Shutdown(context.Background()); err == nil {
		t.Error("a server that was not started was shut down")
	}
	if srv.Addrs() != nil {
		t.Error("it has addresses before it was started")
	}
	if err := srv.Start("127.0.0.1:0", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if len(srv.Addrs()) != 2 {
		t.Errorf("got the addresses %v, want two", srv.Addrs())
	}
	if srv.Start() == nil {
		t.Error("it was started twice")
	}
	second := &weir.Server{Handler: srv.Handler}
	if err := second.Start(srv.Addrs()[0].String()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("an address that is taken: got %v", err)
	}
	if err := new(weir.Server).Start(); err == nil {
		t.Error("a server without a handler was started")
	}
	crossed := &weir.Server{Handler: srv.Handler, Limits: weir.Limits{HighMark: 10, LowMark: 10}}
	if err := crossed.Start(); err == nil || !strings.Contains(err.Error(), "LowMark (10)") {
		t.Errorf("marks that cross: got %v", err)
	}
	c := dialServer(t, srv)
	defer c.Close()
	shutdown(t, srv)
	if rest, err := io.ReadAll(c); err != nil || len(rest) != 0 {
		t.Errorf("an idle connection: got %q, %v, want it closed", rest, err)
	}
}

// Serve goes on until its context is done.
func TestServeUntilDone(t *testing.T) {
	srv := &weir.Server{Handler: new(weir.Mux)}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := srv.Serve(ctx, "127.0.0.1:0"); err != nil {
		t.Errorf("got %v", err)
	}
	if err := srv.Serve(context.Background(), "127.0.0.1:0"); err == nil {
		t.Error("it was served twice")
	}
}
