package weir_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/plugin"
	"weir/reactor"
	"weir/weirtest"
)

// onTurn runs f at the end of the first turn of the loop that begins after what has happened before.
func (d *desk) onTurn(f func()) {
	loop, over := d.srv.Reactor().Loops()[0], make(chan struct{})
	loop.Post(reactor.TaskFunc(func() { // in a turn that has begun, perhaps
		loop.Post(reactor.TaskFunc(func() {
			defer close(over)
			f()
		}))
	}))
	<-over
}

// Cancellation: one turn of the loop after the client has left the sink is cancelled, whatever its handler does.
func TestNativeIsCancelledWithinATurn(t *testing.T) {
	m := nativeMux()
	m.Handle("/s", weir.Native("test/decode"))
	sinks := map[string]func() plugin.Sink{
		"/hold": func() plugin.Sink { return *nativeSink.Load().(*plugin.Sink) },
		"/s":    func() plugin.Sink { return deskSinks.all[len(deskSinks.all)-1] },
	}
	departures := map[string]func(c *weirtest.Client){
		"close":      func(c *weirtest.Client) { c.Close() },
		"half-close": func(c *weirtest.Client) { c.CloseWrite() },
		"reset":      func(c *weirtest.Client) { c.Reset() },
	}
	for path, sinkOf := range sinks {
		for name, leave := range departures {
			t.Run(path+" "+name, func(t *testing.T) {
				atDesk(t, m, nil, func(d *desk) {
					c := d.get(path)
					synctest.Wait()
					sink := sinkOf()
					if sink.Cancelled() {
						t.Fatal("cancelled while the client is there")
					}
					leave(c)
					d.onTurn(func() {
						if !sink.Cancelled() || !errors.Is(sink.Cause(), weir.ErrClientGone) {
							t.Errorf("got %v, %v in the turn after, want cancelled by the client", sink.Cancelled(), sink.Cause())
						}
					})
					<-sink.Done()
				})
			})
		}
	}
}

// Half of many clients leave at once: one turn later their sinks, and no others, are cancelled, and the others go on.
func TestManyLeaveAtOnce(t *testing.T) {
	const n = 500
	decodingMany(t, n, func(d *desk, clients []*weirtest.Client, items []plugin.Item) {
		step := func(token string) {
			for i := range items {
				items[i].Data = []byte(token)
			}
			plugin.SendBatch(items)
		}
		step("one")
		for i := 0; i < n; i += 2 {
			clients[i].Close()
		}
		d.onTurn(func() {
			for i := range items {
				if got, left := items[i].Sink.Cancelled(), i%2 == 0; got != left {
					t.Errorf("sink %d: cancelled: %v, left: %v", i, got, left)
				}
			}
		})
		step("two")
		synctest.Wait()
		for i := range items {
			if i%2 == 0 {
				if !errors.Is(items[i].Err, weir.ErrClientGone) {
					t.Errorf("sink %d: got %v, want ErrClientGone", i, items[i].Err)
				}
				continue
			}
			if _, got := cutHead(d.seen(clients[i])); items[i].Err != nil || got != "3\r\none\r\n3\r\ntwo\r\n" {
				t.Errorf("sink %d: got %q, %v, want both tokens", i, got, items[i].Err)
			}
		}
	})
}

// Every method of a finished sink says so, and nothing of it gets into the answer to the next request of its connection.
func TestLateUseOfASink(t *testing.T) {
	decodingMany(t, 1, func(d *desk, clients []*weirtest.Client, items []plugin.Item) {
		late, c := items[0].Sink, clients[0]
		if err := late.Close(); err != nil {
			t.Fatal(err)
		}
		d.write(c, getS)
		synctest.Wait()
		present := deskSinks.all[1]
		var users sync.WaitGroup
		for range 4 {
			users.Go(func() {
				for range 100 {
					useLate(t, late)
				}
			})
		}
		want := ""
		for i := range 100 {
			token := fmt.Sprintf("%03d", i)
			want += "3\r\n" + token + "\r\n"
			batch := []plugin.Item{{Sink: late, Data: []byte("late")}, {Sink: present, Data: []byte(token)}}
			if plugin.SendBatch(batch); !errors.Is(batch[0].Err, plugin.ErrClosed) || batch[1].Err != nil {
				t.Errorf("got %v and %v, want ErrClosed and nil", batch[0].Err, batch[1].Err)
			}
		}
		users.Wait()
		if err := present.Close(); err != nil {
			t.Error(err)
		}
		_, rest := cutHead(d.seen(c)) // of the first answer, that had no chunk
		head, got := cutHead(strings.TrimPrefix(rest, "0\r\n\r\n"))
		if want += "0\r\n\r\n"; got != want || !strings.HasPrefix(head, "HTTP/1.1 200 ") || strings.Contains(head, "X-Late") {
			t.Errorf("got %q %q, want the second stream's bytes only", head, got)
		}
	})
}

func useLate(t *testing.T, s plugin.Sink) {
	s.SetStatus(500)
	if s.SetHeader("X-Late", "1") == nil {
		t.Error("a field was taken after the end")
	}
	for name, err := range map[string]error{"Send": s.Send([]byte("late")), "TrySend": s.TrySend([]byte("late")), "Flush": s.Flush()} {
		if !errors.Is(err, plugin.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", name, err)
		}
	}
	s.Detach()
	s.Abort(errLuck)
	if err := s.Close(); err != nil || s.Cause() != nil || s.Cancelled() {
		t.Errorf("got %v, %v, %v, want an end without a cause", err, s.Cause(), s.Cancelled())
	}
	<-s.Done()
}

func init() {
	plugin.Register("test/panics", plugin.Handler{Limit: 1, Stream: func(c plugin.Call, s plugin.Sink) error {
		nativeSink.Store(&s)
		s.Detach()
		if c.Query("chunk") != "" {
			if err := s.Send([]byte("part")); err != nil {
				return err
			}
		}
		if c.Query("err") != "" {
			return errLuck
		}
		panic("of a detached handler")
	}})
}

// A handler that detaches and then panics, or fails, leaves nobody to end the stream: it ends at once, and frees its place.
func TestDetachAndPanic(t *testing.T) {
	m := new(weir.Mux)
	m.Handle("/p", weir.Native("test/panics"))
	var panicked *weir.PanicError
	atDesk(t, m, nil, func(d *desk) {
		for range 2 { // as many as the limit, twice
			if status, _ := d.exchange("GET /p HTTP/1.1\r\nHost: a\r\n\r\n"); status != "500 Internal Server Error" {
				t.Errorf("before the first chunk: got %s, want 500", status)
			}
			if sink := *nativeSink.Load().(*plugin.Sink); !errors.As(sink.Cause(), &panicked) || !errors.As(sink.TrySend([]byte("x")), &panicked) {
				t.Errorf("got the cause %v, want the panic", sink.Cause())
			}
			for _, query := range []string{"chunk=1", "chunk=1&err=1"} { // C3
				c := d.get("/p?" + query)
				if body := d.truncated(c); body != "4\r\npart\r\n" {
					t.Errorf("%s: got %q, want the chunk that was sent", query, body)
				}
				<-(*nativeSink.Load().(*plugin.Sink)).Done()
			}
		}
	})
}

// A detached stream that nobody ends is over when its client leaves, and its place is free.
func TestDetachedAndForgotten(t *testing.T) {
	decoding(t, 4, func(d *desk, clients []*weirtest.Client, items []plugin.Item) {
		for range 3 { // a generation after the other takes all of the places
			for _, c := range clients {
				c.Close()
			}
			synctest.Wait()
			for _, item := range items {
				<-item.Sink.Done()
			}
			deskSinks.all = deskSinks.all[:0]
			for i := range clients {
				clients[i] = d.get("/s")
			}
			synctest.Wait()
			if got := len(deskSinks.all); got != 4 {
				t.Fatalf("got %d calls, want the 4 places that were given back", got)
			}
			if status, _ := d.exchange(getS); status != "503 Service Unavailable" {
				t.Errorf("fifth call: got %s, want 503", status)
			}
			for i, s := range deskSinks.all {
				items[i].Sink = s
			}
		}
	})
}

// L12: detached streams go on during a drain, and are cut at its end.
func TestDrainOfDetachedSinks(t *testing.T) {
	decoding(t, 3, func(d *desk, clients []*weirtest.Client, items []plugin.Item) {
		d.srv.Timeouts.Drain, d.srv.Timeouts.Mercy = time.Minute, time.Second
		reports := make(chan weir.DrainReport)
		go func() {
			report, _ := d.srv.Shutdown(context.Background()) // it cannot fail: nobody hurries it
			reports <- report
		}()
		synctest.Wait()
		for i := range items {
			items[i].Data = []byte("more")
		}
		plugin.SendBatch(items)
		synctest.Wait()
		for i, c := range clients {
			if _, got := cutHead(d.seen(c)); items[i].Err != nil || got != "4\r\nmore\r\n" || items[i].Sink.Cancelled() {
				t.Errorf("during the drain: got %q, %v, cancelled: %v", got, items[i].Err, items[i].Sink.Cancelled())
			}
		}
		if err := items[0].Sink.Close(); err != nil {
			t.Error(err)
		}
		begin := time.Now()
		for _, item := range items {
			<-item.Sink.Done()
		}
		if after := time.Since(begin); after < time.Minute-time.Second {
			t.Errorf("cut after %v of the drain, want a minute", after)
		}
		if report := <-reports; report.Drained != 1 || report.Cut != 2 {
			t.Errorf("got %+v, want 1 drained, 2 cut", report)
		}
		for i, item := range items {
			want := weir.ErrServerClosed
			if i == 0 {
				want = nil
			}
			if cause := item.Sink.Cause(); !errors.Is(cause, want) {
				t.Errorf("sink %d: got the cause %v, want %v", i, cause, want)
			}
		}
		plugin.SendBatch(items)
		if !errors.Is(items[0].Err, plugin.ErrClosed) || !errors.Is(items[1].Err, weir.ErrServerClosed) {
			t.Errorf("after the drain: got %v and %v", items[0].Err, items[1].Err)
		}
	})
}
