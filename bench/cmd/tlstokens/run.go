package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
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
	ClientBusy float64 `json:"client_busy"` // share of one core that this program took

	StormP99    float64 `json:"storm_p99_us,omitempty"`
	StormFactor float64 `json:"storm_factor,omitempty"` // of the quiet p99
	Handshakes  float64 `json:"handshakes,omitempty"`   // per second
	Handshake   float64 `json:"handshake_us,omitempty"` // p50 of one, the connection included
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

// stream reads one stream; begun is called when its response has begun.
func (r *run) stream(ctx context.Context, client *http.Client, begun func()) {
	var own [phases][]float64
	var reads [phases]int
	err := r.read(ctx, client, begun, &own, &reads)
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() == nil {
		if r.ended++; r.first == nil {
			r.first = err
		}
	}
}

// flushed is how many samples a stream keeps to itself.
const flushed = 64

func (r *run) read(ctx context.Context, client *http.Client, begun func(), own *[phases][]float64, reads *[phases]int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url(), nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	begun()
	r.opened <- struct{}{}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || (res.ProtoMajor == 2) != r.h2 {
		return fmt.Errorf("tlstokens: got status %d over %s", res.StatusCode, res.Proto)
	}
	var events frame.Events
	var now int64
	phase := opening
	buf := make([]byte, 4<<10)
	for {
		n, err := res.Body.Read(buf)
		now, phase = time.Now().UnixNano(), int(r.phase.Load())
		reads[phase]++
		feedErr := events.Feed(buf[:n], func(data []byte) {
			if stamp, ok := frame.ParseStamp(data); ok && phase != opening {
				own[phase] = append(own[phase], float64(now-stamp)/1e3)
			}
		})
		if len(own[phase]) >= flushed || phase != opening && r.interval > time.Second/flushed {
			r.mu.Lock()
			r.push[phase] = append(r.push[phase], own[phase]...)
			r.reads[phase] += reads[phase]
			r.mu.Unlock()
			own[phase], reads[phase] = own[phase][:0], 0
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

// window takes samples of a phase.
func (r *run) window(phase int) (stats.Sorted, proc.Cost, error) {
	var pids []int
	if r.pid != 0 {
		pids = append(pids, r.pid)
	}
	meter, err := proc.Start(pids...)
	if err != nil {
		return nil, proc.Cost{}, err
	}
	r.phase.Store(int32(phase))
	time.Sleep(r.config.window)
	cost, err := meter.Stop()
	r.phase.Store(opening)
	r.mu.Lock()
	defer r.mu.Unlock()
	samples := stats.Sort(r.push[phase])
	if err == nil && len(samples) == 0 {
		err = fmt.Errorf("tlstokens: no token in the window (first error: %v)", r.first)
	}
	return samples, cost, err
}

func (r *run) quiet() (report, error) {
	push, cost, err := r.window(quiet)
	if err != nil {
		return report{}, err
	}
	return report{
		Conns: r.conns, Rate: float64(len(push)) / cost.Wall.Seconds(), PerRead: float64(len(push)) / float64(max(1, r.reads[quiet])),
		CPU: cost.Per(len(push)), PushP50: push.Quantile(0.5), PushP99: push.Quantile(0.99), ClientBusy: cost.Busy,
	}, nil
}
