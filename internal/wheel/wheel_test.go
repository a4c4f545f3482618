package wheel

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type recorder struct {
	w     *Wheel
	t     Timer
	name  int
	due   time.Time
	fired *[]*recorder
	again time.Duration // starts itself anew this long after
}

func (r *recorder) Run() {
	*r.fired = append(*r.fired, r)
	if r.again > 0 {
		r.w.Start(&r.t, r.due.Add(r.again))
	}
}

// Every timer of a random crowd runs out once, in order, not early and within
// a tick of the Advance that reaches it.
func TestCrowd(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		w := New(start)
		var fired []*recorder
		live := map[*recorder]bool{}
		now := start
		for i := range 400 {
			r := &recorder{w: w, name: i, fired: &fired}
			r.t.Task = r
			r.due = now.Add(time.Duration(rnd.Int64N(int64(time.Millisecond) << rnd.IntN(27))))
			w.Start(&r.t, r.due)
			live[r] = true
			if rnd.IntN(4) == 0 {
				w.Stop(&r.t)
				delete(live, r)
			}
			if rnd.IntN(8) == 0 {
				now = now.Add(time.Duration(rnd.Int64N(int64(time.Second))))
				checkAdvance(t, w, now, &fired, live)
			}
		}
		for len(live) > 0 {
			at, ok := w.Next()
			if !ok {
				t.Fatalf("seed %d: no next moment with %d timers running", seed, len(live))
			}
			if at.Before(now) {
				t.Fatalf("seed %d: next moment %v lies before the present %v", seed, at, now)
			}
			now = at
			checkAdvance(t, w, now, &fired, live)
		}
		if w.Len() != 0 {
			t.Fatalf("seed %d: Len = %d after all ran out", seed, w.Len())
		}
	}
}

func checkAdvance(t *testing.T, w *Wheel, now time.Time, fired *[]*recorder, live map[*recorder]bool) {
	t.Helper()
	*fired = (*fired)[:0]
	w.Advance(now)
	for _, r := range *fired {
		if !live[r] {
			t.Fatalf("timer %d ran out twice or after Stop", r.name)
		}
		if r.due.After(now) {
			t.Fatalf("timer %d due %v ran out at %v", r.name, r.due, now)
		}
		delete(live, r)
	}
	if !slices.IsSortedFunc(*fired, func(a, b *recorder) int {
		return int(a.t.when - b.t.when)
	}) {
		t.Fatal("timers ran out of order")
	}
	for r := range live {
		if now.Sub(r.due) > tick {
			t.Fatalf("timer %d due %v still runs at %v", r.name, r.due, now)
		}
	}
}

func TestStartAgainInTask(t *testing.T) {
	w := New(start)
	var fired []*recorder
	r := &recorder{w: w, fired: &fired, due: start, again: time.Nanosecond}
	r.t.Task = r
	w.Start(&r.t, start)
	w.Advance(start.Add(10 * time.Millisecond))
	if got := len(fired); got != 10 {
		t.Errorf("a timer that starts itself at once ran out %d times in 10 ms, want 10", got)
	}
}

type stopper struct {
	w     *Wheel
	other *Timer
	n     int
}

func (s *stopper) Run() { s.n++; s.w.Stop(s.other) }

func TestStopNeighbourInTask(t *testing.T) {
	w := New(start)
	var a, b Timer
	s := &stopper{w: w}
	a.Task, b.Task, s.other = s, s, &b
	w.Start(&a, start.Add(time.Millisecond))
	w.Start(&b, start.Add(time.Millisecond))
	w.Advance(start.Add(time.Second))
	if s.n != 1 || w.Len() != 0 {
		t.Errorf("told %d times with %d left, want once and none", s.n, w.Len())
	}
}

func TestBeyondHorizon(t *testing.T) {
	w := New(start)
	var fired []*recorder
	due := start.Add(40 * 24 * time.Hour)
	r := &recorder{w: w, fired: &fired, due: due}
	r.t.Task = r
	w.Start(&r.t, due)
	for range 100000 {
		at, ok := w.Next()
		if !ok {
			break
		}
		w.Advance(at)
		if len(fired) > 0 && at.Before(due) {
			t.Fatalf("ran out at %v, due %v", at, due)
		}
	}
	if len(fired) != 1 {
		t.Fatalf("ran out %d times, want once", len(fired))
	}
}

func TestNoAllocation(t *testing.T) {
	w := New(start)
	s := &stopper{w: w, other: &Timer{}}
	a := Timer{Task: s}
	now := start
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(7 * time.Millisecond)
		w.Start(&a, now)
		w.Advance(now.Add(time.Millisecond))
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkStart(b *testing.B) {
	w := New(start)
	var t Timer
	t.Task = &stopper{w: w, other: &Timer{}}
	now := start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		w.Start(&t, now.Add(30*time.Second))
	}
}

// A timer beyond the horizon waits and runs out at its time, wherever in a slot
// the wheel's time is when it is started.
func TestBeyondTheHorizon(t *testing.T) {
	for _, at := range []time.Duration{0, time.Millisecond, 65 * time.Millisecond, time.Hour, 5*time.Hour + 7*time.Millisecond} {
		epoch := time.Unix(0, 0)
		w := New(epoch)
		now := epoch.Add(at)
		w.Advance(now)
		rang := new(ringer)
		rang.timer.Task = rang
		deadline := now.Add(100*24*time.Hour + 3*time.Millisecond)
		w.Start(&rang.timer, deadline)
		for now.Before(deadline) {
			if now = now.Add(7 * time.Hour); now.After(deadline) {
				now = deadline
			}
			if rang.n > 0 {
				t.Fatalf("started at %v: it ran out at %v, want %v", at, now, deadline)
			}
			w.Advance(now)
		}
		if rang.n != 1 {
			t.Errorf("started at %v: it ran out %d times by its deadline, want once", at, rang.n)
		}
	}
}

type ringer struct {
	timer Timer
	n     int
}

func (r *ringer) Run() { r.n++ }
