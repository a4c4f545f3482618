package main

import (
	"errors"
	"fmt"
	"time"

	"weir/bench/internal/frame"
	"weir/bench/internal/load"
	"weir/bench/internal/proc"
	"weir/bench/internal/stats"
)

// warmUp is how many streams each way are not counted: the first ones open
// connections.
const warmUp = 20

// ackDelay is somewhat less than the 40 ms for which Linux holds an
// acknowledgement back. A sender that waits for one, as Nagle's algorithm
// makes it, shows a pause at least this long.
const ackDelay = 38 * time.Millisecond

type config struct {
	direct, addr string
	pids         []int // of all that take part; a pause in which one of them waited for a CPU is the machine's
	count        int   // streams each way
	events       int   // of a stream
	interval     time.Duration
}

// report is what a run prints; times are in microseconds.
type report struct {
	Streams   int     `json:"streams"`
	AddedP50  float64 `json:"added_p50_us"` // difference of the medians
	AddedP99  float64 `json:"added_p99_us"`
	AddedMax  float64 `json:"added_max_us"`
	P50       float64 `json:"ttft_p50_us"` // through the gateway
	Max       float64 `json:"ttft_max_us"`
	DirectP50 float64 `json:"direct_p50_us"`
	DirectMax float64 `json:"direct_max_us"`
	Gap       float64 `json:"gap_max_us"`      // longest time between two arrivals of a stream, including the sending of the request
	Paused    int     `json:"paused"`          // streams through the gateway with a gap of ackDelay or more
	Machine   int     `json:"machine_pauses"`  // such gaps, on both ways, that waiting for a CPU explains
	DirectGap float64 `json:"direct_gap_us"`   // as gap_max_us
	PausedOwn int     `json:"paused_directly"` // as paused
}

// measure takes both ways in turn, so that a machine whose speed drifts
// treats them alike.
func measure(c config) (report, error) {
	var ways [2]*way
	for i, addr := range []string{c.direct, c.addr} {
		w, err := newWay(c, addr)
		if err != nil {
			return report{}, err
		}
		defer w.client.Close()
		ways[i] = w
	}
	for i := range warmUp + c.count {
		if i == warmUp {
			for _, w := range ways {
				w.figures = figures{}
			}
		}
		for _, w := range ways {
			if err := w.once(); err != nil {
				return report{}, err
			}
		}
	}
	direct, through := ways[0], ways[1]
	d, t := stats.Sort(direct.ttft), stats.Sort(through.ttft)
	return report{
		Streams:  len(t),
		AddedP50: t.Median() - d.Median(), AddedP99: t.Quantile(0.99) - d.Quantile(0.99), AddedMax: t.Max() - d.Max(),
		P50: t.Median(), Max: t.Max(), DirectP50: d.Median(), DirectMax: d.Max(),
		Gap: micros(through.gap), Paused: through.paused, DirectGap: micros(direct.gap), PausedOwn: direct.paused,
		Machine: direct.machine + through.machine,
	}, nil
}

func micros(ns int64) float64 { return float64(ns) / 1e3 }

// way is one address and the connection to it, which is kept alive.
type way struct {
	config
	figures
	name    string
	client  *load.Client
	conn    *load.Conn
	request []byte

	response frame.Response
	events   frame.Events
	begun    int64 // of the current stream, unix nanoseconds
	last     int64 // its last arrival; begun before the first
	came     int   // its events
	longest  int64 // its longest gap
	over     bool  // its [DONE] came
	err      error
}

// figures is what a way's streams gave.
type figures struct {
	ttft    []float64 // µs
	gap     int64     // the longest of all, ns
	paused  int
	machine int
}

func newWay(c config, addr string) (*way, error) {
	query := fmt.Sprintf("n=%d&interval=%s&size=8", c.events, c.interval)
	w := &way{config: c, name: addr, request: load.Chat(addr, query)}
	var err error
	w.client, err = load.New(addr, w)
	return w, err
}

// once asks for one stream and reads it to its end.
func (w *way) once() error {
	waited, err := proc.ReadWait(w.pids...)
	if err != nil {
		return err
	}
	w.response.Reset()
	w.came, w.over, w.longest = 0, false, 0
	w.begun = time.Now().UnixNano()
	w.last = w.begun
	if w.conn == nil {
		if w.conn, err = w.client.Dial(0, w.request); err != nil {
			return err
		}
	} else {
		w.conn.Send(w.request)
	}
	limit := time.Now().Add(time.Duration(w.config.events)*w.interval + 5*time.Second)
	if err := w.client.PollWhile(func() bool { return w.err == nil && !w.response.Done() }, limit); err != nil {
		return err
	}
	switch {
	case w.err != nil:
	case !w.response.Done():
		w.err = errors.New("no end in time")
	case w.response.Status != 200:
		w.err = fmt.Errorf("status %d", w.response.Status)
	case w.came != w.config.events || !w.over:
		w.err = fmt.Errorf("%d of %d events, [DONE] %v", w.came, w.config.events, w.over)
	}
	if w.err != nil {
		return fmt.Errorf("ttft: %s: %w", w.name, w.err)
	}
	w.gap = max(w.gap, w.longest)
	if pause := time.Duration(w.longest); pause >= ackDelay {
		return w.explain(pause, waited)
	}
	return nil
}

// explain counts a pause as the machine's or as one of the protocol; waited is
// what ReadWait returned before the stream.
func (w *way) explain(pause, waited time.Duration) error {
	now, err := proc.ReadWait(w.pids...)
	if pause-(now-waited) < ackDelay {
		w.machine++
	} else {
		w.paused++
	}
	return err
}

// Data implements load.Handler.
func (w *way) Data(_ *load.Conn, p []byte, now int64) {
	err := w.response.Feed(p, func(body []byte) {
		w.err = errors.Join(w.err, w.events.Feed(body, func(data []byte) { w.event(data, now) }))
	})
	w.err = errors.Join(w.err, err)
}

func (w *way) event(data []byte, now int64) {
	w.longest = max(w.longest, now-w.last)
	w.last = now
	if frame.IsDone(data) {
		w.over = true
		return
	}
	if w.came++; w.came == 1 {
		w.ttft = append(w.ttft, micros(now-w.begun))
	}
}

// Closed implements load.Handler: no server here may close first.
func (w *way) Closed(_ *load.Conn, err error) {
	w.err = fmt.Errorf("the server closed: %w", err)
}
