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
)

// deskSinks are the sinks that test/decode has been handed.
var deskSinks struct {
	sync.Mutex
	all []plugin.Sink
}

func init() {
	plugin.Register("test/decode", plugin.Handler{Limit: 4, Stream: func(_ plugin.Call, s plugin.Sink) error {
		s.Detach()
		deskSinks.Lock()
		defer deskSinks.Unlock()
		deskSinks.all = append(deskSinks.all, s)
		return nil
	}})
}

// decoding gives f the sinks of n clients of a detached handler, in order.
func decoding(t *testing.T, n int, f func(d *desk, clients []*memloop.Client, items []plugin.Item)) {
	m := new(weir.Mux)
	m.Handle("/s", weir.Native("test/decode"))
	deskSinks.all = nil
	atDesk(t, m, nil, func(d *desk) {
		var clients []*memloop.Client
		for range n {
			clients = append(clients, d.get("/s"))
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
	decoding(t, 3, func(d *desk, clients []*memloop.Client, items []plugin.Item) {
		for step := range 3 {
			for i := range items {
				items[i].Data = fmt.Appendf(nil, "%d.%d ", i, step)
			}
			before := clients[0].WriteCalls()
			plugin.SendBatch(append(items, items...))
			synctest.Wait()
			if got := clients[0].WriteCalls() - before; got != 1 {
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
	decoding(t, 3, func(d *desk, clients []*memloop.Client, items []plugin.Item) {
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
	decoding(t, 4, func(d *desk, clients []*memloop.Client, items []plugin.Item) {
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
