package hub_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/hub"
	"weir/sse"
	"weir/weirtest"
)

// T2, T4. Twenty subscribers disconnect 300 times, in three ways, while 3,000 events are published. None misses an event
// or gets one twice.
func TestReplay(t *testing.T) {
	const subscribers, leaves, events = 20, 15, 3000
	atRoom(t, hub.Config{}, func(r *room) {
		var (
			begun, all sync.WaitGroup
			left       atomic.Int64
		)
		begun.Add(subscribers)
		for i := range subscribers {
			all.Go(func() {
				c := &comer{room: r, path: "/t/a", started: begun.Done}
				if i%2 == 1 {
					c.path += "?as=ndjson"
				}
				for at := range leaves { // somewhere in each fifteenth
					c.follow(at*events/leaves + 1 + rand.N(events/leaves))
					left.Add(1)
				}
				c.follow(events)
			})
		}
		begun.Wait()
		for i := range events {
			if _, err := r.Publish("a", hub.Event{Data: []byte(strconv.Itoa(i))}); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		if got := left.Load(); got != subscribers*leaves {
			t.Errorf("got %d disconnects, want %d", got, subscribers*leaves)
		}
	})
}

// comer is a subscriber that comes back.
type comer struct {
	*room
	path    string
	started func() // called when the first head has come; nil after that
	last    string // id of the last event
	next    int    // number of the next one
}

// follow subscribes, reads up to that event and disconnects.
func (c *comer) follow(until int) {
	if c.next >= until {
		return // it left behind the last event
	}
	conn := c.Dial()
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(quiet))
	request := "GET " + c.path + " HTTP/1.1\r\nHost: test\r\n"
	if c.last != "" {
		request += "Last-Event-ID: " + c.last + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		c.Error(err)
		return
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		c.Error(err)
		return
	}
	want := "live"
	if c.last != "" {
		want = "from=" + c.last
	}
	if got := res.Header.Get("Weir-Replay"); got != want {
		c.Errorf("got Weir-Replay: %s, want %s", got, want)
	}
	if c.started != nil {
		c.started()
		c.started = nil
	}
	if strings.HasSuffix(c.path, "ndjson") {
		c.readLines(res.Body, until)
	} else {
		c.readEvents(res.Body, until)
	}
	leave(conn)
}

// quiet is longer than events are apart.
const quiet = time.Minute

func leave(conn *weirtest.Client) {
	switch rand.N(3) {
	case 0:
		conn.Reset()
	case 1:
		_ = conn.CloseWrite() // it is closed then
	}
}

func (c *comer) readLines(body io.Reader, until int) {
	for lines := json.NewDecoder(body); c.next < until; {
		var e struct{ ID, Data string }
		if err := lines.Decode(&e); err != nil {
			c.Error(err)
			return
		}
		c.take(e.ID, e.Data)
	}
}

func (c *comer) readEvents(body io.Reader, until int) {
	for e, err := range sse.Read(body) {
		if err != nil {
			c.Error(err)
			return
		}
		if c.take(e.ID, string(e.Data)); c.next >= until {
			return
		}
	}
}

func (c *comer) take(id, data string) {
	if data != strconv.Itoa(c.next) {
		c.Errorf("got event %s, want %d", data, c.next)
	}
	c.last = id
	c.next++
}

// Subscriptions on goroutines get what responses do, and end as they do.
func TestSubscription(t *testing.T) {
	atRoom(t, hub.Config{Limits: hub.Limits{Event: 1000, History: 2000}}, func(r *room) {
		s, err := r.Subscribe("a", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		begun := s.ID()
		got := make(chan string)
		go func() {
			defer close(got)
			for {
				e, err := s.Next(r.Context())
				if err != nil {
					if !errors.Is(err, hub.ErrClosed) {
						t.Error(err)
					}
					return
				}
				got <- string(e.Data) + " " + e.ID
			}
		}()
		r.Settle()
		id := ""
		for i := range 3 {
			if n := r.publish("a", fmt.Sprint(i)); n != 1 {
				t.Errorf("got %d delivered, want 1", n)
			}
			text := ""
			if text, id, _ = strings.Cut(<-got, " "); text != fmt.Sprint(i) {
				t.Errorf("got %s, want %d", text, i)
			}
		}
		s.Close()
		s.Close()
		if _, ok := <-got; ok {
			t.Error("got an event behind Close")
		}
		if got := s.ID(); got != id {
			t.Errorf("got the id %s, want the last one's, %s", got, id)
		}
		all, err := r.Subscribe("a", begun, nil)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := all.Next(r.Context()); string(e.Data) != "0" || err != nil {
			t.Errorf("behind the beginning: got %s, %v, want 0", e.Data, err)
		}
		all.Close()
		back, err := r.Subscribe("a", id, nil)
		if _, missed := back.Gap(); err != nil || missed {
			t.Errorf("got a gap, or %v", err)
		}
		skips, _ := r.Subscribe("a", id, &hub.Options{Policy: hub.Skip})
		for range 20 {
			r.publish("a", strings.Repeat("x", 500))
		}
		if _, err := back.Next(r.Context()); !errors.Is(err, hub.ErrBehind) {
			t.Errorf("got %v, want ErrBehind", err)
		}
		gap, err := skips.Next(r.Context())
		first, err2 := skips.Next(r.Context())
		if err != nil || err2 != nil || gap.Name != "gap" || string(gap.Data) != first.ID {
			t.Errorf("got %+v, %v and %.100v, %v, want a gap and its event", gap, err, first.ID, err2)
		}
		again, err := r.Subscribe("a", "", &hub.Options{From: gap.ID})
		if err != nil {
			t.Fatal(err)
		}
		if e, err := again.Next(r.Context()); e.ID != first.ID || err != nil {
			t.Errorf("behind the id of the gap: got %s, %v, want %s", e.ID, err, first.ID)
		}
		again.Close()
		back.Close()
		skips.Close()
		lost, err := r.Subscribe("a", "x", nil)
		if _, missed := lost.Gap(); err != nil || !missed {
			t.Errorf("got no gap, or %v", err)
		}
		lost.Close()
		ends, _ := r.Subscribe("a", "", nil)
		if err := r.End("a"); err != nil {
			t.Error(err)
		}
		if _, err := ends.Next(r.Context()); !errors.Is(err, hub.ErrEnded) {
			t.Errorf("got %v, want ErrEnded", err)
		}
		ends.Close()
	})
}
