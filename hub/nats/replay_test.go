package natsbroker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir"
	"weir/hub"
	"weir/sse"
)

// routes are those of a process that shares its topics: subscriptions, and a
// publication that is stored when it is responded to.
func routes(h *hub.Hub) *weir.Mux {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /subscribe", func(w *weir.Response, r *weir.Request) {
		h.Serve(w, r, r.Query().Get("topic"), nil)
	})
	mux.HandleFunc("POST /publish", func(w *weir.Response, r *weir.Request) {
		if _, err := h.PublishWait(r.Context(), r.Query().Get("topic"), hub.Event{Data: r.Body()}); err != nil {
			w.Error(hub.Status(err), err.Error())
		}
	})
	return mux
}

// shutdown ends a server at once.
func shutdown(t *testing.T, srv *weir.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := srv.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A subscriber reads a topic by server-sent events, as an EventSource does: it comes
// back with the id of the last event that it has.
type subscriber struct {
	topic string
	last  string
	data  []string
	ids   []string
	conns int
	gap   string // what the first response with a gap says
}

// read reads at most n events of one response, or until the one whose data is last.
func (s *subscriber) read(address string, n int, last string) error {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	id := ""
	if s.last != "" {
		id = "Last-Event-ID: " + s.last + "\r\n"
	}
	if _, err := fmt.Fprintf(conn, "GET /subscribe?topic=%s HTTP/1.1\r\nHost: test\r\n%s\r\n", url.QueryEscape(s.topic), id); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	if res.StatusCode != 200 { // the body is not closed: that would read it to its end

		return fmt.Errorf("status %s", res.Status)
	}
	s.conns++
	if replay := res.Header.Get("Weir-Replay"); s.last != "unknown" && strings.HasPrefix(replay, "gap") && s.gap == "" {
		s.gap = fmt.Sprintf("behind %s: %s", s.last, replay)
	}
	d := new(sse.Decoder)
	for e, err := range d.Read(res.Body) {
		if err != nil {
			return err
		}
		s.last = d.LastEventID()
		s.data, s.ids = append(s.data, string(e.Data)), append(s.ids, e.ID)
		if n--; n == 0 || string(e.Data) == last {
			return nil
		}
	}
	return nil
}

func (s *subscriber) ended(last string) bool {
	return len(s.data) > 0 && s.data[len(s.data)-1] == last
}

// check checks that it has what all have, once.
func (s *subscriber) check(t *testing.T, who string, want []string, ids []string) {
	t.Helper()
	if s.gap != "" {
		t.Errorf("%s: got a gap: %s", who, s.gap)
	}
	for i := range max(len(want), len(s.data)) {
		if i >= len(s.data) || i >= len(want) || s.data[i] != want[i] {
			t.Errorf("%s: got %d events, want %d; the first that differs is number %d: %q, want %q", who, len(s.data), len(want), i, at(s.data, i), at(want, i))
			return
		}
	}
	if !slices.Equal(s.ids, ids) {
		t.Errorf("%s has other ids", who)
	}
}

func at(all []string, i int) string {
	if i < len(all) {
		return all[i]
	}
	return "none"
}

// Twenty subscribers disconnect 300 times during 3,000 messages, and the NATS server
// restarts in between: they miss nothing, and get nothing twice.
func TestReconnectingSubscribers(t *testing.T) {
	const (
		messages    = 3000
		subscribers = 20
		perConn     = 200 // events on one connection, at most: 100 in the middle
	)
	n := startServer(t)
	h, b := newHub(t, n.url(), Config{PublishTimeout: 50 * time.Second})
	srv := &weir.Server{Handler: routes(h)}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, srv) })
	address := srv.Addrs()[0].String()
	publishWait(t, b, "room 1", "start")

	all := make([]*subscriber, subscribers)
	var (
		running   sync.WaitGroup
		connected sync.WaitGroup
		seen      atomic.Int64
	)
	connected.Add(subscribers)
	for i := range all {
		s := &subscriber{topic: "room 1"}
		all[i] = s
		running.Go(func() {
			first := hub.Options{All: true}
			sub, err := h.Subscribe(s.topic, "", &first) // where all begin
			if err != nil {
				t.Error(err)
				connected.Done()
				return
			}
			s.last = next(t, sub).ID
			sub.Close()
			connected.Done()
			for !s.ended("end") {
				before := len(s.data)
				if err := s.read(address, 1+rand.N(perConn), "end"); err != nil {
					t.Errorf("subscriber %d: %v", i, err)
					return
				}
				seen.Add(int64(len(s.data) - before))
			}
		})
	}
	connected.Wait()
	for i := range messages {
		switch i {
		case messages / 3:
			n.kill()
		case messages / 2:
			n.start()
		}
		publish(t, h, "room 1", fmt.Sprint(i))
		for i%100 == 99 && (i < messages/3 || i >= messages/2) && seen.Load() < int64(i-600)*subscribers && !t.Failed() {
			time.Sleep(time.Millisecond) // let them read and come back while it is published
		}
	}
	publish(t, h, "room 1", "end")
	running.Wait()
	conns := 0
	for i, s := range all {
		s.check(t, fmt.Sprint("subscriber ", i), append(numbers(0, messages), "end"), all[0].ids)
		conns += s.conns
	}
	if conns-subscribers < 300 {
		t.Errorf("got %d disconnects, want 300", conns-subscribers)
	}
	t.Logf("%d subscribers, %d messages, %d disconnects, %d messages of JetStream", subscribers, messages, conns-subscribers, streamInfo(t, b).State.Msgs)
}
