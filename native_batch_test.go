package weir_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"weir"
	"weir/internal/memloop"
	"weir/plugin"
	"weir/weirtest"
)

// deskSinks are the sinks that test/decode has been handed.
var deskSinks struct {
	sync.Mutex
	all []plugin.Sink
}

func init() {
	decode := func(_ plugin.Call, s plugin.Sink) error {
		s.Detach()
		deskSinks.Lock()
		defer deskSinks.Unlock()
		deskSinks.all = append(deskSinks.all, s)
		return nil
	}
	plugin.Register("test/decode", plugin.Handler{Limit: 4, Stream: decode})
	plugin.Register("test/decode-many", plugin.Handler{Stream: decode})
}

// decoding gives f the sinks of n clients of a detached handler, of which 4 may run, in order.
func decoding(t *testing.T, n int, f func(d *desk, clients []*weirtest.Client, items []plugin.Item)) {
	decodingBy(t, "test/decode", n, f)
}

// decodingMany is decoding for any n.
func decodingMany(t *testing.T, n int, f func(d *desk, clients []*weirtest.Client, items []plugin.Item)) {
	decodingBy(t, "test/decode-many", n, f)
}

func decodingBy(t *testing.T, name string, n int, f func(d *desk, clients []*weirtest.Client, items []plugin.Item)) {
	t.Helper()
	decodingFor(t, name, n, (*desk).Dial, f)
}

// decodingFor is decodingBy for clients that dial makes.
func decodingFor[C peer](t *testing.T, name string, n int, dial func(*desk) C, f func(d *desk, clients []C, items []plugin.Item)) {
	t.Helper()
	m := new(weir.Mux)
	m.Handle("/s", weir.Native(name))
	deskSinks.all = nil
	atDesk(t, m, nil, func(d *desk) {
		var clients []C
		for range n {
			c := dial(d)
			d.write(c, getS)
			clients = append(clients, c)
			synctest.Wait()
		}
		items := make([]plugin.Item, len(deskSinks.all))
		for i, s := range deskSinks.all {
			items[i].Sink = s
		}
		f(d, clients, items)
	})
}

// One write a connection for a step, whatever was sent before.
func TestSendBatch(t *testing.T) {
	decoding(t, 3, func(d *desk, clients []*weirtest.Client, items []plugin.Item) {
		for step := range 3 {
			for i := range items {
				items[i].Data = fmt.Appendf(nil, "%d.%d ", i, step)
			}
			before := clients[0].Writes()
			plugin.SendBatch(append(items, items...))
			synctest.Wait()
			if got := clients[0].Writes() - before; got != 1 {
				t.Errorf("step %d: got %d writes to one connection, want 1", step, got)
			}
		}
		for i := range items {
			if items[i].Err != nil {
				t.Errorf("item %d: %v", i, items[i].Err)
			}
			if err := items[i].Sink.Close(); err != nil {
				t.Error(err)
			}
			want := ""
			for step := range 3 {
				chunk := fmt.Sprintf("4\r\n%d.%d \r\n", i, step)
				want += chunk + chunk
			}
			_, got := cutHead(d.seen(clients[i]))
			if want += "0\r\n\r\n"; got != want {
				t.Errorf("client %d: got %q, want %q", i, got, want)
			}
		}
	})
}

// Each item of a batch is told what became of it; the others are not affected.
func TestSendBatchErrors(t *testing.T) {
	decoding(t, 3, func(d *desk, clients []*weirtest.Client, items []plugin.Item) {
		clients[0].Reset()
		synctest.Wait()
		clients[1].SetWindow(10)
		big := make([]byte, 300<<10)
		items[1].Data = big
		plugin.SendBatch(items[1:2])
		synctest.Wait()
		for i := range items {
			items[i].Data = []byte("token")
		}
		plugin.SendBatch(items)
		synctest.Wait()
		if !errors.Is(items[0].Err, weir.ErrClientGone) {
			t.Errorf("client that left: got %v, want ErrClientGone", items[0].Err)
		}
		if !errors.Is(items[1].Err, plugin.ErrBacklog) {
			t.Errorf("client that is behind: got %v, want ErrBacklog", items[1].Err)
		}
		if _, got := cutHead(d.seen(clients[2])); items[2].Err != nil || got != "5\r\ntoken\r\n" {
			t.Errorf("third client: got %q, %v", got, items[2].Err)
		}
	})
}

// A detached call counts against its handler's limit until its stream ends.
func TestDetachedCallsAreCounted(t *testing.T) {
	decoding(t, 4, func(d *desk, clients []*weirtest.Client, items []plugin.Item) {
		if status, _ := d.exchange("GET /s HTTP/1.1\r\nHost: a\r\n\r\n"); status != "503 Service Unavailable" {
			t.Errorf("fifth call: got %s, want 503", status)
		}
		clients[0].Close()
		items[1].Sink.Abort(errLuck)
		synctest.Wait()
		c := d.get("/s")
		synctest.Wait()
		if got := len(deskSinks.all); got != 5 {
			t.Errorf("got %d calls after two have ended, want 5", got)
		}
		c.Close()
	})
}

// A batch may hold a sink twice, sinks that have ended, nothing for a sink, and sinks of several servers.
func TestSendBatchOfAllKinds(t *testing.T) {
	decodingMany(t, 4, func(d *desk, clients []*weirtest.Client, items []plugin.Item) {
		other := weirtest.Start(d.T, &weir.Server{Handler: d.srv.Handler, Loops: 2, Logger: d.srv.Logger})
		for loop := range 2 {
			c := other.Dial()
			defer c.Close()
			d.write(c, getS)
			synctest.Wait()
			clients = append(clients, c)
			items = append(items, plugin.Item{Sink: deskSinks.all[4+loop]})
		}
		_ = items[2].Sink.Close()
		items[3].Sink.Abort(errLuck)
		synctest.Wait()
		for i := range items {
			items[i].Data = fmt.Appendf(nil, "t%d", i)
		}
		items[1].Data = nil
		batch := append(items[:6:6], plugin.Item{Sink: items[0].Sink, Data: []byte("twice")}, plugin.Item{Sink: items[5].Sink, Data: []byte("twice")})
		plugin.SendBatch(batch)
		for i, want := range []error{nil, nil, plugin.ErrClosed, errLuck, nil, nil, nil, nil} {
			if !errors.Is(batch[i].Err, want) {
				t.Errorf("item %d: got %v, want %v", i, batch[i].Err, want)
			}
		}
		for i, want := range map[int]string{0: "2\r\nt0\r\n5\r\ntwice\r\n", 1: "", 4: "2\r\nt4\r\n", 5: "2\r\nt5\r\n5\r\ntwice\r\n"} {
			if _, got := cutHead(d.seen(clients[i])); got != want {
				t.Errorf("client %d: got %q, want %q", i, got, want)
			}
			_ = batch[i].Sink.Close()
		}
	})
}

// A batch is written in parts: what has arrived meanwhile is served before its end. A second one, while the first is
// not written yet, costs no connection another write.
func TestSendBatchInTurns(t *testing.T) {
	const n = 300
	raw := func(d *desk) *memloop.Client { return d.kernel().Dial(d.srv.Reactor(), 0) } // the loop counts without settling
	decodingFor(t, "test/decode-many", n, raw, func(d *desk, clients []*memloop.Client, items []plugin.Item) {
		written := func() (count int) {
			for _, c := range clients {
				if c.Pending() > 0 {
					count++
				}
			}
			return count
		}
		served, listed := -1, 0
		d.srv.Handler.(*weir.Mux).HandleFunc("/meanwhile", func(*weir.Response, *weir.Request) {
			served, listed = written(), weir.Listed(d.srv)
		}).Inline()
		calls := clients[n-1].WriteCalls()
		d.onTurn(func() {
			for _, token := range []string{"one", "two"} {
				for i := range items {
					items[i].Data = []byte(token)
				}
				plugin.SendBatch(items)
			}
			defer d.get("/meanwhile").CloseWrite()
			if got := written(); got != 0 {
				t.Errorf("got %d written by the goroutine that sends, want none", got)
			}
		})
		synctest.Wait()
		if served < 0 || served >= n {
			t.Errorf("a request was served when %d of %d were written, want it in between", served, n)
		}
		if listed > n {
			t.Errorf("got %d connections in the queue, want each of the %d once", listed, n)
		}
		for i, c := range clients {
			if _, got := cutHead(d.seen(c)); items[i].Err != nil || got != "3\r\none\r\n3\r\ntwo\r\n" {
				t.Errorf("client %d: got %q, %v, want both tokens", i, got, items[i].Err)
			}
		}
		if got := clients[n-1].WriteCalls() - calls; got != 1 {
			t.Errorf("got %d writes to the last connection, want 1", got)
		}
	})
}

// SendBatch takes sinks that are not weir's, too.
func TestSendBatchOfFakes(t *testing.T) {
	items := []plugin.Item{{Sink: fakeSink{plugin.ErrBacklog}}, {Sink: fakeSink{nil}}}
	plugin.SendBatch(items)
	plugin.SendBatch(nil)
	if items[0].Err != plugin.ErrBacklog || items[1].Err != nil {
		t.Errorf("got %v and %v", items[0].Err, items[1].Err)
	}
}

type fakeSink struct{ err error }

func (f fakeSink) TrySend([]byte) error      { return f.err }
func (fakeSink) SetStatus(int)               {}
func (fakeSink) SetHeader(_, _ string) error { return nil }
func (fakeSink) Send([]byte) error           { return nil }
func (fakeSink) Flush() error                { return nil }
func (fakeSink) Cancelled() bool             { return false }
func (fakeSink) Done() <-chan struct{}       { return nil }
func (fakeSink) Cause() error                { return nil }
func (fakeSink) Close() error                { return nil }
func (fakeSink) Detach()                     {}
func (fakeSink) Abort(error)                 {}

// cutHead separates an answer's head from what follows it.
func cutHead(answer string) (head, body string) {
	head, body, _ = strings.Cut(answer, "\r\n\r\n")
	return head, body
}
