package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"weir/bench/internal/frame"
	"weir/bench/internal/load"
	"weir/bench/internal/proc"
	"weir/bench/internal/stats"
)

// openSpacing keeps the opening below what every server accepts (3,236/s),
// and is not a divisor of any round interval, so that the streams' beats spread
// evenly instead of falling on the same instants.
const openSpacing = 309 * time.Microsecond

type config struct {
	addr     string
	pid      int // server to measure; 0 measures no CPU
	conns    int
	interval time.Duration
	size     int
	chat     bool          // ask for chat completions instead of /tokens
	numbered bool          // ask for numbered frames, of which none may be missing
	steps    bool          // ask the server's decode loop what it has done
	cut      bool          // end after the window
	settle   time.Duration // between the last opening and the window
	window   time.Duration
}

// frames is how many each stream needs so that the one opened first still
// runs when the window closes.
func (c config) frames() int {
	open := time.Duration(c.conns) * openSpacing
	return int((open+c.settle+c.window)/c.interval) + 3
}

func (c config) request() []byte {
	query := fmt.Sprintf("n=%d&interval=%s&size=%d&stamp=1", c.frames(), c.interval, c.size)
	if c.chat {
		return load.Chat(c.addr, query)
	}
	if c.numbered {
		query += "&chunk=1"
	}
	return fmt.Appendf(nil, "GET /tokens?%s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", query, c.addr)
}

// report is what a run prints; times are in microseconds.
type report struct {
	Conns      int     `json:"conns"`
	Chunks     int     `json:"chunks"`        // that arrived in the window
	ChunkRate  float64 `json:"chunk_rate"`    // per second
	PerRead    float64 `json:"per_read"`      // chunks that came together, by one read
	CPU        float64 `json:"cpu_us"`        // of the server, per chunk
	PerCPU     float64 `json:"per_cpu_s"`     // chunks for a second of the server's CPU time
	PushP50    float64 `json:"push_p50_us"`   // stamp to arrival
	PushP99    float64 `json:"push_p99_us"`   //
	PushMax    float64 `json:"push_max_us"`   //
	JitterP50  float64 `json:"jitter_p50_us"` // |gap between two frames - interval|
	JitterP99  float64 `json:"jitter_p99_us"` //
	ClientBusy float64 `json:"client_busy"`   // share of one core that this program took
	Behind     float64 `json:"behind_share"`  // of the expected chunks that did not arrive in the window
	Unstamped  int     `json:"unstamped"`     // frames in the window without a stamp
	Incomplete int     `json:"incomplete"`    // streams that failed or missed frames
	FirstError string  `json:"first_error"`   // of those

	// With -steps: of the server's decode loop.
	StepRate float64 `json:"step_rate,omitempty"` // per second
	Held     float64 `json:"held_us,omitempty"`   // of a step, by sending
	Refused  float64 `json:"refused"`             // tokens that had to wait for a later step, per second
	Writes   float64 `json:"writes"`              // write(2) calls of the server, per step
}

// stream is one connection's state.
type stream struct {
	response frame.Response
	events   frame.Events
	frames   int
	last     int64 // arrival of the last frame, 0 before the first
	over     bool
}

// run is the load's handler: it parses what arrives and, while sampling, notes
// times.
type run struct {
	config
	streams []stream
	running int
	chunks  int
	reads   int

	sampling     bool
	push, jitter []float64 // µs
	unstamped    int
	incomplete   int
	firstError   error

	// The stream and arrival that the callbacks below work on: they are
	// made once, since a closure per read would be garbage per read.
	current *stream
	now     int64
	onBody  func([]byte)
	onEvent func([]byte)
	bodyErr error
}

func newRun(c config) *run {
	expected := int(float64(c.conns)*c.window.Seconds()/c.interval.Seconds()) * 5 / 4
	r := &run{config: c, streams: make([]stream, c.conns),
		push: make([]float64, 0, expected), jitter: make([]float64, 0, expected)}
	r.onEvent = r.event
	r.onBody = func(p []byte) {
		if err := r.current.events.Feed(p, r.onEvent); err != nil && r.bodyErr == nil {
			r.bodyErr = err
		}
	}
	return r
}

func (r *run) Data(c *load.Conn, p []byte, now int64) {
	r.current, r.now = &r.streams[c.Index], now
	s := r.current
	r.reads++
	err := errors.Join(s.response.Feed(p, r.onBody), r.bodyErr)
	r.bodyErr = nil
	if err != nil || s.response.Done() {
		c.Close()
		r.end(s, err)
	}
}

func (r *run) Closed(c *load.Conn, err error) {
	s := &r.streams[c.Index]
	if closeErr := s.response.Close(); closeErr == nil {
		err = nil // a body that lasts until close
	}
	r.end(s, err)
}

// end checks a stream that has ended: status, number of frames, last mark.
func (r *run) end(s *stream, err error) {
	r.running--
	switch {
	case err != nil:
	case s.response.Status != 200:
		err = fmt.Errorf("paced: status %d", s.response.Status)
	case s.frames != r.frames() || !s.over:
		err = fmt.Errorf("paced: %d of %d frames, [DONE] %v", s.frames, r.frames(), s.over)
	}
	if err != nil {
		r.incomplete++
		if r.firstError == nil {
			r.firstError = err
		}
	}
}

func (r *run) event(data []byte) {
	s := r.current
	if frame.IsDone(data) {
		s.over = true
		return
	}
	if r.numbered {
		if n, ok := frame.ParseNumber(data); !ok || n != int64(s.frames) {
			r.bodyErr = fmt.Errorf("paced: frame %d where %d was to come (%v)", n, s.frames, ok)
		}
	}
	s.frames++
	r.chunks++
	if r.sampling {
		if stamp, ok := frame.ParseStamp(data); ok {
			r.push = append(r.push, float64(r.now-stamp)/1e3)
		} else {
			r.unstamped++
		}
		if s.last != 0 {
			r.jitter = append(r.jitter, math.Abs(float64(r.now-s.last-int64(r.interval)))/1e3)
		}
	}
	s.last = r.now
}

// measure opens the streams, samples the window and reads every stream to its
// end, unless they are to be cut.
func measure(c config) (report, error) {
	r := newRun(c)
	client, err := load.New(c.addr, r)
	if err != nil {
		return report{}, err
	}
	defer client.Close()
	if err := r.open(client); err != nil {
		return report{}, err
	}
	out, err := r.sample(client)
	if err != nil {
		return report{}, err
	}
	out.Incomplete, out.FirstError, err = r.finish(client)
	return out, err
}

// finish reads every stream to its end and returns how many failed, and why the
// first of them did.
func (r *run) finish(client *load.Client) (incomplete int, first string, err error) {
	incomplete = r.incomplete
	if !r.cut {
		// The stream opened last ends this much after the first; the rest is
		// patience with a server that is behind.
		limit := time.Now().Add(time.Duration(r.frames())*r.interval + 5*time.Second)
		err = client.PollWhile(func() bool { return r.running > 0 }, limit)
		incomplete = r.incomplete + r.running
	}
	switch {
	case r.firstError != nil:
		first = r.firstError.Error()
	case incomplete > 0:
		first = "paced: streams still running long after their time"
	}
	return incomplete, first, err
}

func (r *run) open(client *load.Client) error {
	request, start := r.request(), time.Now()
	for i := range r.conns {
		if err := client.Poll(start.Add(time.Duration(i) * openSpacing)); err != nil {
			return err
		}
		if _, err := client.Dial(i, request); err != nil {
			return err
		}
		r.running++
	}
	return client.Poll(time.Now().Add(r.settle))
}

// sample measures the window.
func (r *run) sample(client *load.Client) (report, error) {
	before, err := r.askSteps(client)
	if err != nil {
		return report{}, err
	}
	meter, err := proc.Start(r.pids()...)
	if err != nil {
		return report{}, err
	}
	r.sampling, r.chunks, r.reads = true, 0, 0
	if err := client.Poll(meter.Begun().Add(r.window)); err != nil {
		return report{}, err
	}
	r.sampling = false
	cost, err := meter.Stop()
	if err != nil {
		return report{}, err
	}
	out, err := r.report(cost)
	if err != nil {
		return report{}, err
	}
	after, err := r.askSteps(client)
	out.add(before, after, cost)
	return out, err
}

func (r *run) report(cost proc.Cost) (report, error) {
	push, jitter := stats.Sort(r.push), stats.Sort(r.jitter)
	if len(push) == 0 || len(jitter) == 0 {
		return report{}, fmt.Errorf("paced: %d chunks in the window, %d stamped (first error: %v)", r.chunks, len(push), r.firstError)
	}
	expected := float64(r.conns) * cost.Wall.Seconds() / r.interval.Seconds()
	return report{
		Conns:      r.conns,
		Chunks:     r.chunks,
		ChunkRate:  float64(r.chunks) / cost.Wall.Seconds(),
		PerRead:    float64(r.chunks) / float64(r.reads),
		CPU:        cost.Per(r.chunks),
		PerCPU:     float64(r.chunks) / cost.Server.Seconds(),
		PushP50:    push.Quantile(0.50),
		PushP99:    push.Quantile(0.99),
		PushMax:    push.Max(),
		JitterP50:  jitter.Quantile(0.50),
		JitterP99:  jitter.Quantile(0.99),
		ClientBusy: cost.Busy,
		Unstamped:  r.unstamped,
		Behind:     1 - float64(r.chunks)/expected,
	}, nil
}

func (c config) pids() []int {
	if c.pid == 0 {
		return nil
	}
	return []int{c.pid}
}
