package breaker

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// play runs a script against a breaker of 3 failures, a window of 10 s and an
// open time of 5 s, and returns what it says, word by word:
//
//	+2.5   the clock goes on by so many seconds
//	ask:a  asks for a pass, named a: "yes" or "no"
//	ok:a fail:a gone:a   tells what came of it: nothing is said
//	fails  asks and fails at once: "yes" or "no"
//	state  the state
//	ready  whether a request would pass: "yes" or "no"
//	after  the time until then
func play(t *testing.T, script string) string {
	t.Helper()
	b := New(Config{Failures: 3, Window: 10 * time.Second, Open: 5 * time.Second})
	now, passes, said := epoch, map[string]Pass{}, []string{}
	yes := map[bool]string{true: "yes", false: "no"}
	for _, word := range strings.Fields(script) {
		verb, name, _ := strings.Cut(word, ":")
		switch verb {
		case "ask":
			p, ok := b.Allow(now)
			passes[name] = p
			said = append(said, yes[ok])
		case "ok":
			b.Success(passes[name])
		case "fail":
			b.Failure(passes[name], now)
		case "gone":
			b.Cancel(passes[name])
		case "fails":
			p, ok := b.Allow(now)
			if ok {
				b.Failure(p, now)
			}
			said = append(said, yes[ok])
		case "state":
			said = append(said, b.State(now).String())
		case "ready":
			said = append(said, yes[b.Ready(now)])
		case "after":
			said = append(said, b.RetryAfter(now).String())
		default:
			seconds, err := strconv.ParseFloat(word, 64)
			if err != nil || word[0] != '+' {
				t.Fatalf("%q is no word of a script", word)
			}
			now = now.Add(time.Duration(seconds * float64(time.Second)))
		}
	}
	return strings.Join(said, " ")
}

func TestBreaker(t *testing.T) { // G20
	tests := []struct{ name, script, want string }{
		{"closed at first", "state ready after ask:a", "closed yes 0s yes"},
		{"opens at the third failure", "fails fails state fails state ready after ask:a", "yes yes closed yes open no 5s no"},
		{"a success in between", "fails fails ask:a ok:a fails fails state", "yes yes yes yes yes closed"},
		{"G3: a client that left in between is nothing", "fails fails ask:a gone:a fails state", "yes yes yes yes open"},
		{"failures too old to count", "fails +6 fails +4.1 fails state", "yes yes yes closed"},
		{"failures just within the window", "fails +6 fails +4 fails state", "yes yes yes open"},
		{"the window slides", "fails +9 fails +2 fails state +1 fails state", "yes yes yes closed yes open"},
		{"open until the open time is over", "fails fails fails +4.9 ready after state +0.1 ready after state", "yes yes yes no 100ms open yes 0s half-open"},
		{"one trial at a time", "fails fails fails +5 ask:a ask:b ready after state", "yes yes yes yes no no 5s half-open"},
		{"the trial succeeds", "fails fails fails +5 ask:a ok:a state ask:b ask:c", "yes yes yes yes closed yes yes"},
		{"the trial fails", "fails fails fails +5 ask:a +1 fail:a state after +4.9 ready +0.1 ready", "yes yes yes yes open 5s no yes"},
		{"G3: the trial's client left", "fails fails fails +5 ask:a gone:a state ask:b ask:c", "yes yes yes yes half-open yes no"},
		{"the next trial after that counts", "fails fails fails +5 ask:a gone:a ask:b fail:b state", "yes yes yes yes yes open"},
		{"closed again it begins at zero", "fails fails fails +5 ask:a ok:a fails fails state fails state", "yes yes yes yes yes yes closed yes open"},
		{"a failure from before it opened does not open it longer", "ask:a fails fails fails +3 fail:a after", "yes yes yes yes 2s"},
		{"a success from before it opened does not close it", "ask:a fails fails fails ok:a state +5 ask:b ok:a state", "yes yes yes yes open yes half-open"},
		{"a failure from before does not end the trial", "ask:a fails fails fails +5 ask:b fail:a state ok:b state", "yes yes yes yes yes half-open closed"},
		{"a client from before does not free the trial's place", "ask:a fails fails fails +5 ask:b gone:a ask:c", "yes yes yes yes yes no"},
		{"a failure from before it closed again does not count", "ask:a fails fails fails +5 ask:b ok:b fails fails fail:a state", "yes yes yes yes yes yes yes closed"},
		{"the zero pass is of no breaker", "fails fails fail:none fail:none ok:none fails state ok:none gone:none state", "yes yes yes open open"},
		{"failures of requests that ran side by side", "ask:a ask:b ask:c fail:a fail:b fail:c state", "yes yes yes open"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := play(t, tt.script); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.script, got, tt.want)
			}
		})
	}
}

func TestOff(t *testing.T) {
	b := New(Config{})
	for range 100 {
		p, ok := b.Allow(epoch)
		if !ok {
			t.Fatal("got a refusal, want none")
		}
		b.Failure(p, epoch)
	}
	if got := b.State(epoch); got != Closed {
		t.Errorf("got %v, want closed", got)
	}
}

func TestOneFailureOpens(t *testing.T) {
	b := New(Config{Failures: 1, Window: time.Millisecond, Open: time.Second})
	p, _ := b.Allow(epoch)
	if b.Failure(p, epoch); b.State(epoch) != Open {
		t.Errorf("got %v, want open", b.State(epoch))
	}
}

// TestOneTrialAmongMany: however many ask at the same time, one is on trial.
func TestOneTrialAmongMany(t *testing.T) {
	b := New(Config{Failures: 1, Window: time.Second, Open: time.Second})
	now := epoch
	for round := range 200 {
		p, ok := b.Allow(now)
		if !ok {
			t.Fatalf("round %d: got a refusal of the first request", round)
		}
		b.Failure(p, now)
		now = now.Add(time.Second)
		var trials atomic.Int32
		var trial Pass
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if p, ok := b.Allow(now); ok {
					trials.Add(1)
					trial = p
				}
			})
		}
		wg.Wait()
		if got := trials.Load(); got != 1 {
			t.Fatalf("round %d: got %d trials at a time, want 1", round, got)
		}
		b.Success(trial)
	}
}

// TestStorm: many goroutines with any outcome in any order leave a breaker that
// still opens, tries and closes.
func TestStorm(t *testing.T) {
	b := New(Config{Failures: 3, Window: time.Second, Open: time.Millisecond})
	var clock atomic.Int64
	now := func() time.Time { return epoch.Add(time.Duration(clock.Add(int64(10 * time.Microsecond)))) }
	var allowed [3]atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 1))
			for range 2000 {
				b.Ready(now())
				if b.RetryAfter(now()) < 0 {
					t.Error("got a negative time to wait")
				}
				p, ok := b.Allow(now())
				if !ok {
					continue
				}
				outcome := random.IntN(3)
				allowed[outcome].Add(1)
				switch outcome {
				case 0:
					b.Success(p)
				case 1:
					b.Failure(p, now())
				case 2:
					b.Cancel(p)
				}
			}
		})
	}
	wg.Wait()
	for outcome := range allowed {
		if allowed[outcome].Load() == 0 {
			t.Errorf("outcome %d never happened", outcome)
		}
	}
	end := now().Add(time.Hour)
	if p, ok := b.Allow(end); !ok {
		t.Error("got a refusal an hour later, want a pass: a trial was lost")
	} else if b.Success(p); b.State(end) != Closed {
		t.Errorf("got %v after a success, want closed", b.State(end))
	}
}

func TestProbe(t *testing.T) { // G20
	tests := []struct {
		healthy, unhealthy int
		outcomes, want     string // + and -; capital letters where it changed: Up, Down, else u, d
	}{
		{1, 3, "", "u"},
		{1, 3, "--+--+---", "uuuuuuuuuD"},
		{1, 3, "---+", "uuuDU"},
		{1, 1, "-+-", "uDUD"},
		{3, 2, "--++-+++", "uuDdddddU"},
		{2, 1, "-+-++", "uDdddU"},
		{0, 0, "-+", "uDU"},
		{1, 3, "---------", "uuuDdddddd"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.healthy, tt.unhealthy, tt.outcomes), func(t *testing.T) {
			p := NewProbe(tt.healthy, tt.unhealthy)
			letters := map[[2]bool]string{{true, false}: "u", {true, true}: "U", {false, false}: "d", {false, true}: "D"}
			got := letters[[2]bool{p.Healthy(), false}]
			for _, c := range tt.outcomes {
				changed := p.Observe(c == '+')
				got += letters[[2]bool{p.Healthy(), changed}]
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
