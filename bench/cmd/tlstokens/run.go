package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"weir/bench/internal/frame"
	"weir/bench/internal/proc"
	"weir/bench/internal/stats"
)

// report is what a run prints; times are in microseconds.
type report struct {
	Conns      int     `json:"conns"`
	Rate       float64 `json:"chunk_rate"`  // tokens per second
	PerRead    float64 `json:"per_read"`    // tokens that came together
	CPU        float64 `json:"cpu_us"`      // of the server, per token
	PushP50    float64 `json:"push_p50_us"` // stamp to arrival
	PushP99    float64 `json:"push_p99_us"`
	LateP50    float64 `json:"late_p50_us"` // |gap between two tokens - interval|
	LateP99    float64 `json:"late_p99_us"`
	ClientBusy float64 `json:"client_busy"` // share of one core that this program took

	StormP99    float64 `json:"storm_p99_us,omitempty"`  // push, beside the storm
	StormLate   float64 `json:"storm_late_us,omitempty"` // p99 of late, likewise
	StormFactor float64 `json:"storm_factor,omitempty"`  // of the quiet LateP99
	Handshakes  float64 `json:"handshakes,omitempty"`    // per second
	Handshake   float64 `json:"handshake_us,omitempty"`  // p50 of one, the connection included
	Failed      float64 `json:"failed_handshakes,omitempty"`

	Incomplete int    `json:"incomplete"` // streams that ended or failed
	FirstError string `json:"first_error"`
}

// Phases of a run; samples are taken in those from quiet on.
const (
	opening = iota
	quiet
	stormy
	phases
)

// run is all streams.
type run struct {
	config
	phase atomic.Int32

	mu     sync.Mutex
	push   [phases][]float64
	late   [phases][]float64
	reads  [phases]int
	ended  int
	first  error
	opened chan struct{}
}

// client returns an HTTP client with connections of its own.
func (c config) client() *http.Client {
	t := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // a certificate of today's, on loopback
		MaxConnsPerHost: 1 << 20, DisableCompression: true,
	}
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(!c.h2)
	t.Protocols.SetHTTP2(c.h2)
	return &http.Client{Transport: t}
}

func (c config) url() string {
	scheme := "https"
	if c.clear {
		scheme = "http"
	}
	return fmt.Sprintf("%s://%s/tokens?n=1000000000&interval=%v&size=%d&stamp=1", scheme, c.addr, c.interval, c.size)
}

func measure(c config) (report, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := &run{config: c, opened: make(chan struct{}, c.conns)}
	if err := r.open(ctx); err != nil {
		return report{}, err
	}
	out, err := r.quiet()
	if err == nil && c.storm > 0 {
		err = r.beside(&out)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if out.Incomplete = r.ended; r.first != nil {
		out.FirstError = r.first.Error()
	}
	return out, err
}

// open begins the streams, a few at a time: a handshake is work on both sides.
func (r *run) open(ctx context.Context) error {
	const atOnce = 8
	slots := make(chan struct{}, atOnce)
	client := r.client()
	for i := range r.conns {
		if r.h2 && i%r.perConn == 0 || !r.h2 {
			client = r.client()
		}
		own := client
		slots <- struct{}{}
		go r.stream(ctx, own, func() { <-slots })
		if r.h2 && i%r.perConn == 0 {
			<-r.opened // those behind it find its connection
			r.opened <- struct{}{}
		}
	}
	for range r.conns {
		<-r.opened
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	time.Sleep(r.settle)
	return r.first
}

// stream reads one stream; sent is called when its request was written, or could
// not be: the response may begin with the first token.
func (r *run) stream(ctx context.Context, client *http.Client, sent func()) {
	sent = sync.OnceFunc(sent)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent() }})
	err := r.read(ctx, client, sent)
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() == nil {
		if r.ended++; r.first == nil {
			r.first = err
		}
	}
}

func (r *run) read(ctx context.Context, client *http.Client, sent func()) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url(), nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	sent()
	r.opened <- struct{}{}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || (res.ProtoMajor == 2) != r.h2 {
		return fmt.Errorf("tlstokens: got status %d over %s", res.StatusCode, res.Proto)
	}
	var events frame.Events
	var stamps []int64
	var last int64 // arrival of the token before
	buf := make([]byte, 4<<10)
	for {
		n, err := res.Body.Read(buf)
		now := time.Now().UnixNano()
		stamps = stamps[:0]
		feedErr := events.Feed(buf[:n], func(data []byte) {
			if stamp, ok := frame.ParseStamp(data); ok {
				stamps = append(stamps, stamp)
			}
		})
		r.arrived(stamps, now, last)
		if len(stamps) > 0 {
			last = now
		}
		switch {
		case feedErr != nil:
			return feedErr
		case err == io.EOF:
			return fmt.Errorf("tlstokens: a stream has ended")
		case err != nil:
			return err
		}
	}
}

// arrived notes tokens that one read has brought.
func (r *run) arrived(stamps []int64, now, last int64) {
	phase := r.phase.Load()
	if phase == opening || len(stamps) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads[phase]++
	for _, stamp := range stamps {
		r.push[phase] = append(r.push[phase], float64(now-stamp)/1e3)
	}
	if last != 0 {
		r.late[phase] = append(r.late[phase], math.Abs(float64(now-last-int64(r.interval)))/1e3)
	}
}

// window takes samples of a phase.
func (r *run) window(phase int) (push, late stats.Sorted, cost proc.Cost, err error) {
	var pids []int
	if r.pid != 0 {
		pids = append(pids, r.pid)
	}
	meter, err := proc.Start(pids...)
	if err != nil {
		return nil, nil, cost, err
	}
	r.phase.Store(int32(phase))
	time.Sleep(r.config.window)
	cost, err = meter.Stop()
	r.phase.Store(opening)
	r.mu.Lock()
	defer r.mu.Unlock()
	push, late = stats.Sort(r.push[phase]), stats.Sort(r.late[phase])
	if err == nil && len(late) == 0 {
		err = fmt.Errorf("tlstokens: %d tokens in the window (first error: %v)", len(push), r.first)
	}
	return push, late, cost, err
}

func (r *run) quiet() (report, error) {
	push, late, cost, err := r.window(quiet)
	if err != nil {
		return report{}, err
	}
	return report{
		Conns: r.conns, Rate: float64(len(push)) / cost.Wall.Seconds(), PerRead: float64(len(push)) / float64(max(1, r.reads[quiet])),
		CPU: cost.Per(len(push)), PushP50: push.Quantile(0.5), PushP99: push.Quantile(0.99),
		LateP50: late.Quantile(0.5), LateP99: late.Quantile(0.99), ClientBusy: cost.Busy,
	}, nil
}
