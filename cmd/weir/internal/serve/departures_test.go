package serve

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/cmd/weir/internal/mock"
	"weir/internal/patience"
)

// A departure is a stage at which clients leave.
type departure struct {
	name    string
	model   string
	whole   bool
	fault   string // what keeps the upstream at that stage
	size    string // of an event's text
	reached func(l *leaver) error
}

var departures = []departure{
	{name: "connecting", model: "silent", reached: func(*leaver) error { return nil }},
	{name: "before the head", fault: "slow-head=1h", reached: (*leaver).arrived},
	{name: "before the first event", fault: "slow-first-event=1h", reached: (*leaver).arrived},
	{name: "mid-stream", reached: func(l *leaver) error { return l.read("token 3") }},
	{name: "silent mid-stream", fault: "stall-after=3", reached: func(l *leaver) error { return l.read("token 1") }},
	{name: "back-pressured", size: "65536", reached: (*leaver).full},
	{name: "unary", whole: true, fault: "slow-head=1h", reached: (*leaver).arrived},
	{name: "unary, its body", whole: true, fault: "stall-after=1", reached: func(l *leaver) error { return l.read("\r\n\r\n{") }},
}

// leaver is clients that leave, one after the other, and an upstream of their
// own.
type leaver struct {
	g      *instance
	up     *mock.Server
	model  string
	random *rand.Rand
	conn   *net.TCPConn

	seen   int // requests that the upstream has got
	stages map[string]int
	took   []time.Duration // from a client's FIN to the upstream's
}

// read reads the answer up to that text.
func (l *leaver) read(text string) error {
	var got []byte
	piece := make([]byte, 1<<10)
	for !bytes.Contains(got, []byte(text)) {
		n, err := l.conn.Read(piece)
		if got = append(got, piece[:n]...); err != nil {
			return fmt.Errorf("got %q, %w, want %q in it", got, err, text)
		}
	}
	return nil
}

// arrived waits until the upstream has the request.
func (l *leaver) arrived() error {
	return l.wait(func(c mock.Counts) bool { return c.Bodies > l.seen })
}

// full waits until the client's side can take no more, and the upstream is kept
// waiting: what it writes has come to a halt above the gateway's mark.
func (l *leaver) full() error {
	if err := l.conn.SetReadBuffer(8 << 10); err != nil {
		return err
	}
	if err := l.read("token 0"); err != nil {
		return err
	}
	return until(func() (bool, error) {
		n, err := l.g.gauge("weir_pending_bytes")
		return n > 64<<10, err // the low mark: below it the upstream would go on
	})
}

func (l *leaver) wait(holds func(mock.Counts) bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
	defer cancel()
	return l.up.Wait(ctx, holds)
}

// leave asks, waits for a stage, goes, and waits until the upstream knows.
func (l *leaver) leave() error {
	d := departures[l.random.IntN(len(departures))]
	reset := l.random.IntN(3) == 0
	l.stages[d.name]++
	if err := l.ask(d); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	defer l.conn.Close()
	if err := d.reached(l); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	if reset {
		if err := l.conn.SetLinger(0); err != nil { // Close resets then
			return err
		}
	}
	at := time.Now()
	if err := l.conn.Close(); err != nil || d.model != "" {
		return err // nobody is there to see it
	}
	l.seen++
	if err := l.wait(func(c mock.Counts) bool { return c.Left >= l.seen && c.Open == 0 }); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	all := l.up.Log().Requests
	if d.size == "" && !reset { // what is left unread makes a reset of a FIN
		l.took = append(l.took, all[len(all)-1].LeftAt.Sub(at))
	}
	return nil
}

func (l *leaver) ask(d departure) error {
	c, err := net.Dial("tcp", strings.TrimPrefix(l.g.url, "http://"))
	if err != nil {
		return err
	}
	l.conn = c.(*net.TCPConn)
	if err := c.SetDeadline(time.Now().Add(patience.Limit)); err != nil {
		return err
	}
	model, fields := l.model, ""
	if d.model != "" {
		model = d.model
	}
	if d.fault != "" {
		fields += "x-mock-fault: " + d.fault + "\r\n"
	}
	if d.size != "" {
		fields += "x-mock-size: " + d.size + "\r\nx-mock-pace: 0s\r\n"
	}
	if d.whole {
		fields += "x-mock-tokens: 64\r\n"
	}
	body := fmt.Sprintf(`{"model":%q,"stream":%v,"messages":[]}`, model, !d.whole)
	_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", chat, fields, len(body), body)
	return err
}

// G3: 1,000 clients leave at random stages. The upstream sees each of them go,
// and none counts against it.
func TestDepartures(t *testing.T) {
	const total, workers = 1000, 8
	const breaker = "breaker: {volume: 1, window: 1h, open: 1h}"
	var ups, models strings.Builder
	fmt.Fprintf(&ups, "upstreams:\n  silent: {url: 'http://%s', timeouts: {connect: 1h}, %s}\n", mock.Silent(t), breaker)
	fmt.Fprint(&models, "models:\n  silent: {targets: [{upstream: silent}]}\n")
	all := make([]*leaver, workers)
	for i := range all {
		l := &leaver{
			up:    mock.Start(t, mock.Config{Tokens: 1 << 20, Pace: time.Millisecond}),
			model: fmt.Sprintf("m%d", i), random: rand.New(rand.NewPCG(7, uint64(i))), stages: make(map[string]int),
		}
		fmt.Fprintf(&ups, "  u%d: {url: %q, %s}\n", i, l.up.URL(), breaker)
		fmt.Fprintf(&models, "  m%d: {targets: [{upstream: u%d}]}\n", i, i)
		all[i] = l
	}
	g := serve(t, ups.String()+models.String())
	var working sync.WaitGroup
	for _, l := range all {
		l.g = g
		working.Go(func() {
			for i := range total / workers {
				if err := l.leave(); err != nil {
					t.Errorf("%s, departure %d: %v", l.model, i, err)
					return
				}
			}
		})
	}
	working.Wait()
	if t.Failed() {
		t.Fatalf("the log:\n%s", g.log)
	}
	g.out.wait(t, total, `"status":499`)
	var took []time.Duration
	stages := make(map[string]int)
	for _, l := range all {
		took = append(took, l.took...)
		for name, n := range l.stages {
			stages[name] += n
		}
	}
	t.Logf("%d departures: %v", total, stages)
	logTook(t, fmt.Sprintf("%d clients at a time", workers), took)

	_, metrics := do(t, "GET", g.admin+"/metrics", "")
	for _, want := range []string{"\nweir_streams 0\n", "\nweir_pending_bytes 0\n", fmt.Sprintf("weir_cancelled_total{model=\"silent\"} %d\n", stages["connecting"])} {
		if !strings.Contains(metrics, want) {
			t.Errorf("got %s, want %q in it", metrics, want)
		}
	}
	if blamed.MatchString(metrics) {
		t.Errorf("got %s, want no failure of an upstream", metrics)
	}
	alone := all[0]
	alone.took = nil
	for range total / workers {
		if err := alone.leave(); err != nil {
			t.Fatal(err)
		}
	}
	logTook(t, "one client at a time", alone.took)
	for _, l := range all { // one failure would have opened the breaker for an hour
		res, got := do(t, "POST", g.url+chat, `{"model":"`+l.model+`","stream":true}`, "x-mock-tokens", "3")
		if res.StatusCode != 200 || !strings.HasSuffix(got, "[DONE]\n\n") {
			t.Errorf("%s: got %d %q, want its upstream as good as before", l.model, res.StatusCode, got)
		}
	}
	g.end()
}

// logTook prints what passed from a client's FIN to its upstream's.
func logTook(t *testing.T, when string, took []time.Duration) {
	slices.Sort(took)
	t.Logf("client FIN to upstream FIN, %s, of %d: p50 %v, p99 %v, most %v", when, len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
}
