package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"weir/bench/internal/frame"
	"weir/bench/internal/load"
	"weir/bench/internal/proc"
	"weir/bench/internal/stats"
)

const (
	patience    = 30 * time.Second
	openSpacing = 309 * time.Microsecond // below what every server accepts
	warmUp      = 5                      // messages that are not measured
	early       = 600                    // subscribers that come and go at first, so that what a server allocates once does not count
)

// report is what a run prints; times are in microseconds.
type report struct {
	Conns      int     `json:"conns"`
	CPU        float64 `json:"cpu_us"`    // of the server, for each delivered message
	First      float64 `json:"first_us"`  // from publishing to the first receiver, median
	Spread     float64 `json:"spread_us"` // from the first receiver to the last, median
	SpreadMax  float64 `json:"spread_max_us"`
	Writes     float64 `json:"writes"` // write(2) calls of the server, for each delivered message
	ClientBusy float64 `json:"client_busy"`
	Anonymous  float64 `json:"anonymous"`      // bytes for each subscriber that waits
	Heap       float64 `json:"heap,omitempty"` // likewise, after a collection
}

// publisher is the index of the connection that publishes.
const publisher = -1

// run is the subscribers and the one that publishes.
type run struct {
	config
	client    *load.Client
	from      *load.Conn
	published frame.Response
	subs      []subscriber
	open      int // subscribers whose head has come
	err       error

	number      int // of the message that is on its way
	got         int // subscribers that have it
	first, last int64
}

type subscriber struct {
	response frame.Response
	events   frame.Events
	number   int // of the last message
}

func measure(c config) (report, error) {
	r := &run{config: c, subs: make([]subscriber, c.conns)}
	if err := comeAndGo(c); err != nil {
		return report{}, err
	}
	client, err := load.New(c.addr, r)
	if err != nil {
		return report{}, err
	}
	defer client.Close()
	r.client = client
	if err := r.connectPublisher(); err != nil {
		return report{}, err
	}
	before, err := r.memory()
	if err != nil {
		return report{}, err
	}
	if err := r.subscribe(openSpacing); err != nil {
		return report{}, err
	}
	after, err := r.memory()
	if err != nil {
		return report{}, err
	}
	out, err := r.publishAll()
	out.Anonymous = (after.anonymous - before.anonymous) / float64(c.conns)
	out.Heap = (after.heap - before.heap) / float64(c.conns)
	return out, err
}

// comeAndGo subscribes with many at once, and disconnects.
func comeAndGo(c config) error {
	c.conns = early
	r := &run{config: c, subs: make([]subscriber, early)}
	client, err := load.New(c.addr, r)
	if err != nil {
		return err
	}
	defer client.Close()
	r.client = client
	return r.subscribe(0)
}

func (r *run) connectPublisher() error {
	r.published.Reset()
	var err error
	if r.from, err = r.client.Dial(publisher, load.Get(r.addr, "/plaintext")); err != nil {
		return err
	}
	return r.await(r.published.Done, "the publisher's connection")
}

// subscribe opens all subscriptions and waits for their heads.
func (r *run) subscribe(spacing time.Duration) error {
	request := fmt.Appendf(nil, "GET /subscribe?topic=t&as=sse HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", r.addr)
	for i := range r.subs {
		if _, err := r.client.Dial(i, request); err != nil {
			return err
		}
		if err := r.client.Poll(time.Now().Add(spacing)); err != nil {
			return err
		}
	}
	return r.await(func() bool { return r.open == len(r.subs) }, "the subscriptions' heads")
}

// publishAll publishes and gathers what that took.
func (r *run) publishAll() (report, error) {
	for range warmUp {
		if err := r.publish(); err != nil {
			return report{}, err
		}
	}
	meter, err := proc.Start(r.pid)
	if err != nil {
		return report{}, err
	}
	var first, spread []float64
	for range r.messages {
		at := time.Now()
		if err := r.publish(); err != nil {
			return report{}, err
		}
		first = append(first, float64(r.first-at.UnixNano())/1e3)
		spread = append(spread, float64(r.last-r.first)/1e3)
		if err := r.client.Poll(at.Add(r.interval)); err != nil {
			return report{}, err
		}
	}
	cost, err := meter.Stop()
	if err != nil {
		return report{}, err
	}
	sorted, delivered := stats.Sort(spread), r.messages*r.conns
	return report{
		Conns: r.conns, CPU: cost.Per(delivered), First: stats.Sort(first).Median(),
		Spread: sorted.Median(), SpreadMax: sorted.Max(),
		Writes: float64(cost.Writes) / float64(delivered), ClientBusy: cost.Busy,
	}, nil
}

// publish publishes one message and waits until all have it.
func (r *run) publish() error {
	r.number++
	r.got, r.first, r.last = 0, 0, 0
	body := append(strconv.AppendInt(nil, int64(r.number), 10), ' ')
	body = append(body, bytes.Repeat([]byte("x"), max(0, r.size-len(body)))...)
	r.published.Reset()
	r.from.Send(fmt.Appendf(nil, "POST /publish?topic=t HTTP/1.1\r\nHost: %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", r.addr, len(body), body))
	return r.await(func() bool { return r.got == len(r.subs) && r.published.Done() }, "message "+strconv.Itoa(r.number))
}

func (r *run) await(done func() bool, what string) error {
	until := time.Now().Add(patience)
	err := r.client.PollWhile(func() bool { return r.err == nil && !done() }, until)
	switch {
	case err != nil:
		return err
	case r.err != nil:
		return fmt.Errorf("%s: %w", what, r.err)
	case !done():
		return fmt.Errorf("%s: not complete after %v: %d of %d subscribers open, %d have it", what, patience, r.open, len(r.subs), r.got)
	}
	return nil
}

// Data implements load.Handler.
func (r *run) Data(c *load.Conn, p []byte, now int64) {
	if c.Index == publisher {
		if err := r.published.Feed(p, func([]byte) {}); err != nil {
			r.fail(err)
		} else if s := r.published.Status; s != 0 && s/100 != 2 {
			r.fail(fmt.Errorf("publishing: status %d", s))
		}
		return
	}
	s := &r.subs[c.Index]
	before := s.response.Status
	err := s.response.Feed(p, func(body []byte) {
		if err := s.events.Feed(body, func(data []byte) { r.event(s, data, now) }); err != nil {
			r.fail(err)
		}
	})
	if err != nil {
		r.fail(err)
	}
	if before == 0 && s.response.Status != 0 {
		if r.open++; s.response.Status != http.StatusOK {
			r.fail(fmt.Errorf("subscribing: status %d", s.response.Status))
		}
	}
}

func (r *run) event(s *subscriber, data []byte, now int64) {
	text, _, _ := bytes.Cut(data, []byte(" "))
	n, err := strconv.Atoi(string(text))
	if err != nil || n != r.number || n != s.number+1 {
		r.fail(fmt.Errorf("got message %.20q, want %d behind %d", text, r.number, s.number))
		return
	}
	s.number = n
	if r.got++; r.first == 0 {
		r.first = now
	}
	r.last = now
}

// Closed implements load.Handler.
func (r *run) Closed(c *load.Conn, err error) {
	r.fail(fmt.Errorf("connection %d: %w", c.Index, err))
}

func (r *run) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// memory is one reading, in bytes.
type memory struct{ anonymous, heap float64 }

func (r *run) memory() (memory, error) {
	var m memory
	if r.stats {
		var err error
		if m.heap, err = heapOf(r.addr); err != nil {
			return m, err
		}
	}
	kernel, err := proc.ReadMemory(r.pid)
	m.anonymous = float64(kernel.Anonymous)
	return m, err
}

func heapOf(addr string) (float64, error) {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + addr + "/stats?gc=1")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var figures struct {
		Heap float64 `json:"heap_bytes"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&figures); err != nil {
		return 0, fmt.Errorf("/stats: %w", err)
	}
	if figures.Heap == 0 {
		return 0, errors.New("/stats has no heap_bytes")
	}
	return figures.Heap, nil
}
