//go:build soak

package soak

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"weir"
)

// judge compares what was told with what had to be, and the server's count of
// it, since before, with ours. It returns a table.
func judge(t *testing.T, records []*record, before, after weir.Stats) string {
	t.Helper()
	var faults []string
	for _, r := range records {
		faults = append(faults, r.verdict()...)
	}
	complain(t, "handlers", faults)
	sum := tally(records)
	own := counted{
		streams:   int(after.StreamsTotal - before.StreamsTotal),
		cancelled: int(after.StreamsCancelled - before.StreamsCancelled),
		failed:    int(after.StreamsFailed - before.StreamsFailed),
		told:      int(after.CancelLatency.Count - before.CancelLatency.Count),
	}
	sum.check(t, own)
	seen := after.CancelLatency
	return sum.table() + fmt.Sprintf("the server's own count: %d streams, %d cancelled, %d departures told; since it started, from seeing one to telling it: p50 %v, p99 %v, max %v\n",
		own.streams, own.cancelled, own.told, seen.P50, seen.P99, seen.Max)
}

// verdict says what is wrong with a record.
func (r *record) verdict() (faults []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Sprintf("%s %d (%s): ", r.feed, r.id, r.stage)+fmt.Sprintf(format, args...))
	}
	for _, text := range r.faults {
		fault("%s", text)
	}
	switch {
	case r.runs == 0 && (r.fate == never || r.fate == maybe):
		return faults
	case r.runs != 1 || r.fate == never:
		fault("the handler ran %d times", r.runs)
		return faults
	}
	if len(r.closes) != 1 {
		fault("OnClose was called %d times: %v", len(r.closes), r.closes)
	} else if got := r.closes[0].cause; !r.fate.allows(got) {
		fault("OnClose: got %v, want %v", got, r.fate.causes())
	}
	if len(r.exits) != 1 {
		fault("the handler was told %d times: %v", len(r.exits), r.exits)
	} else if got := r.exits[0].cause; !r.fate.allows(got) && (got != errCancelled || r.fate == whole) {
		fault("the handler was told %v, want %v", got, r.fate.causes())
	}
	left := time.Duration(r.left.Load())
	for _, n := range slices.Concat(r.closes, r.exits) {
		if (r.fate == gone || r.fate == maybe) && n.at < left {
			fault("told %v, %v before its client left", n.cause, left-n.at)
		}
	}
	return faults
}

func (f fate) causes() []error {
	switch f {
	case whole:
		return []error{nil}
	case slow:
		return []error{weir.ErrSlowClient}
	case either:
		return []error{weir.ErrSlowClient, weir.ErrClientGone}
	}
	return []error{weir.ErrClientGone}
}

func (f fate) allows(cause error) bool {
	return slices.ContainsFunc(f.causes(), func(want error) bool { return errors.Is(cause, want) })
}

// line is what is counted of the records of one feed, or of one stage.
type line struct {
	asked, ran, whole, gone, slow int
	exits, closes                 []time.Duration // from the client's system call to the handler's being told
}

type summary struct {
	feeds, stages map[string]*line
	all, streams  line
}

func tally(records []*record) *summary {
	s := &summary{feeds: map[string]*line{}, stages: map[string]*line{}}
	for _, r := range records {
		lines := []*line{at(s.feeds, r.feed), at(s.stages, r.stage), &s.all}
		if slices.Contains(feeds, r.feed) {
			lines = append(lines, &s.streams)
		}
		for _, l := range lines {
			l.add(r)
		}
	}
	return s
}

func at(lines map[string]*line, name string) *line {
	if lines[name] == nil {
		lines[name] = new(line)
	}
	return lines[name]
}

func (l *line) add(r *record) {
	l.asked++
	l.ran += r.runs
	if r.runs == 0 || len(r.closes) == 0 {
		return
	}
	switch cause := r.closes[0].cause; {
	case cause == nil:
		l.whole++
	case errors.Is(cause, weir.ErrSlowClient):
		l.slow++
	default:
		l.gone++
	}
	left := time.Duration(r.left.Load())
	if left == 0 || r.fate != gone || len(r.exits) == 0 {
		return
	}
	l.closes = append(l.closes, r.closes[0].at-left)
	l.exits = append(l.exits, r.exits[0].at-left)
}

// counted is what the server has counted.
type counted struct{ streams, cancelled, failed, told int }

// check compares the server's figures with ours. A stream whose client had
// left before it was opened does not count as one; and a departure is also
// told to a body that no handler has seen.
func (s *summary) check(t *testing.T, own counted) {
	t.Helper()
	if got := own.streams - own.cancelled; got != s.streams.whole || own.failed != 0 {
		t.Errorf("the server counts %d streams that came to their end and %d failed ones, want %d and none", got, own.failed, s.streams.whole)
	}
	if got, low, high := own.cancelled, len(s.streams.exits)+s.streams.slow, s.streams.gone+s.streams.slow; got < low || got > high {
		t.Errorf("the server counts %d cancelled streams, want %d to %d", got, low, high)
	}
	low, high := s.all.gone+s.all.slow, s.all.gone+s.all.slow
	if l := s.stages["mid-buffered"]; l != nil {
		high += l.asked
	}
	if got := own.told; got < low || got > high {
		t.Errorf("the server counts %d departures told, want %d to %d", got, low, high)
	}
}

func (s *summary) table() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tasked\tran\twhole\tleft\tstalled\tms to told: p50\tp99\tmax\tto OnClose: p50\tp99\tmax\t")
	for _, lines := range []map[string]*line{s.feeds, s.stages, {"all": &s.all}} {
		for _, name := range slices.Sorted(maps.Keys(lines)) {
			l := lines[name]
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t\n", name, l.asked, l.ran, l.whole, l.gone, l.slow, quantiles(l.exits), quantiles(l.closes))
		}
		fmt.Fprintln(w, strings.Repeat("\t", 12))
	}
	w.Flush()
	return text.String()
}

// quantiles are p50, p99 and the maximum in milliseconds, as three cells.
func quantiles(d []time.Duration) string {
	if len(d) == 0 {
		return "\t\t"
	}
	slices.Sort(d)
	at := func(percent int) float64 {
		return d[(len(d)-1)*percent/100].Seconds() * 1e3
	}
	return fmt.Sprintf("%.2f\t%.2f\t%.2f", at(50), at(99), at(100))
}
