package target

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

// half opens at a half of four responses or more within 10 s, for 5 s.
var half = BreakerConfig{Share: 0.5, Volume: 4, Window: 10 * time.Second, Open: 5 * time.Second}

// outcomes are the words of scripts for how a request went.
var outcomes = map[string]func(b *Breaker, p given, now time.Time) Change{
	"ok":   func(b *Breaker, p given, now time.Time) Change { return b.works(p.generation, true, now) },
	"busy": func(b *Breaker, p given, now time.Time) Change { return b.works(p.generation, false, now) },
	"500":  func(b *Breaker, p given, now time.Time) Change { return b.fails(p.generation, Failed, now) },
	"dead": func(b *Breaker, p given, now time.Time) Change { return b.fails(p.generation, Unreachable, now) },
	"cut":  func(b *Breaker, p given, now time.Time) Change { return b.fails(p.generation, Interrupted, now) },
	"gone": func(b *Breaker, p given, _ time.Time) Change { b.cancel(p.generation, p.trial); return Change{} },
}

// given is what allow gives.
type given struct {
	generation uint64
	trial      bool
}

// play runs a script against a breaker with the limits of half, and returns what
// it says, word by word:
//
//	+2.5    the clock advances by so many seconds
//	ask:a   asks for a pass, named a: "yes" or "no"
//	last:a  asks for a request that has no other target
//	ok:a    reports what became of it (see outcomes); says nothing
//	ok*3    three requests that go like that; "no" for one that does not pass
//	state   the state
//	ready   whether a request would pass: "yes" or "no"
//	after   the time until then
//	change  the last change that was reported
func play(t *testing.T, script string) string {
	t.Helper()
	b := new(Breaker)
	b.Set(half)
	now, passes, said, last := epoch, map[string]given{}, []string{}, Change{}
	yes := map[bool]string{true: "yes", false: "no"}
	allow := func(alone bool) (p given, ok bool) {
		p.generation, p.trial, ok = b.allow(now, alone)
		return p, ok
	}
	report := func(outcome string, p given) {
		f, known := outcomes[outcome]
		if !known {
			t.Fatalf("%q is not an outcome", outcome)
		}
		if c := f(b, p, now); c.Breaker {
			last = c
		}
	}
	for _, word := range strings.Fields(script) {
		verb, name, named := strings.Cut(word, ":")
		outcome, times, repeated := strings.Cut(word, "*")
		state, _, wait := b.look(now)
		switch {
		case verb == "ask" || verb == "last":
			p, ok := allow(verb == "last")
			passes[name] = p
			said = append(said, yes[ok])
		case named:
			report(verb, passes[name])
		case repeated:
			n, _ := strconv.Atoi(times)
			for range n {
				if p, ok := allow(false); ok {
					report(outcome, p)
				} else {
					said = append(said, "no")
				}
			}
		case verb == "state":
			said = append(said, state.String())
		case verb == "ready":
			said = append(said, yes[b.ready(now)])
		case verb == "after":
			said = append(said, wait.String())
		case verb == "change":
			said = append(said, fmt.Sprintf("%v for %v: %s", last.State, last.For, last.Reason))
		default:
			seconds, err := strconv.ParseFloat(word, 64)
			if err != nil || word[0] != '+' {
				t.Fatalf("%q is not a word of a script", word)
			}
			now = now.Add(time.Duration(seconds * float64(time.Second)))
		}
	}
	return strings.Join(said, " ")
}

func TestBreaker(t *testing.T) { // G20
	tests := []struct{ name, script, want string }{
		{"closed at first", "state ready after ask:a", "closed yes 0s yes"},

		// Failing responses count by share.
		{"a few failures are no share", "500*3 state", "closed"},
		{"half of the volume opens it", "500*4 state ready after ask:a", "open no 5s no"},
		{"why, and for how long", "ok*2 500*2 change", "open for 5s: 2 of 4 requests failed within 10s, the last one: status"},
		{"below the share", "ok*10 500*9 state", "closed"},
		{"at the share", "ok*10 500*10 state", "open"},
		{"however many fail among more that do not", "ok*100 500*60 ok*100 500*60 state", "closed"},
		{"failures too old to count", "500*3 +10 500*1 state", "closed"},
		{"failures just within the window", "500*3 +8 500*1 state", "open"},
		{"the window slides", "500*2 +5 500*1 +6 500*2 state +1 500*1 state", "closed open"},
		{"a refusal for load is neither", "busy*50 500*3 busy*50 state 500*1 state", "closed open"},
		{"streams that break off", "ok*2 cut*2 state", "open"},

		// Signs of death count in a row.
		{"three in a row", "dead*2 state dead*1 state change", "closed open open for 5s: 3 failures in a row and no response, the last one: unreachable"},
		{"three in a row among many responses", "ok*100 dead*3 state", "open"},
		{"however long they take", "dead*1 +60 dead*1 +60 dead*1 state", "open"},
		{"a response in between", "ok*9 dead*2 ok*1 dead*2 state", "closed"},
		{"a refusal in between", "ok*9 dead*2 busy*1 dead*2 state", "closed"},
		{"a failing response in between", "ok*9 dead*2 500*1 dead*2 state", "closed"},
		{"a client that left in between is nothing", "ok*9 dead*2 ask:a gone:a dead*1 state", "yes open"},
		{"they count for the share as well", "dead*1 ok*1 dead*1 ok*1 state", "closed"},
		{"half of them", "dead*2 ok*1 dead*1 state", "open"},

		// Who is opened for responses lives.
		{"still passes who has nobody else", "500*4 ask:a last:b ready", "no yes no"},
		{"not if it is dead", "dead*3 ask:a last:b", "no no"},
		{"what comes of it then is nothing", "500*4 last:a ok:a state last:b 500:b after", "yes open yes 5s"},
		{"unless it dies", "500*4 last:a last:b last:c dead:a dead:b state dead:c last:d change",
			"yes yes yes open no open for 5s: 3 failures in a row and no response, the last one: unreachable"},

		// The trial.
		{"open until the open time has passed", "dead*3 +4.9 ready after state +0.1 ready after state", "no 100ms open yes 0s half-open"},
		{"one trial at a time", "dead*3 +5 ask:a ask:b ready after state", "yes no no 5s half-open"},
		{"the trial succeeds", "dead*3 +5 ask:a ok:a state ask:b ask:c change", "yes closed yes yes closed for 5s: the upstream responds again"},
		{"the trial is refused for load", "dead*3 +5 ask:a busy:a state", "yes closed"},
		{"the trial fails", "dead*3 +5 ask:a +1 dead:a state after change +4.9 ready +0.1 ready", "yes open 5s open for 5s: the trial failed: unreachable no yes"},
		{"the trial gets a response that is a failure", "dead*3 +5 ask:a 500:a state last:b", "yes open yes"},
		{"how long it was away", "dead*3 +5 dead*1 +5 ok*1 change", "closed for 10s: the upstream responds again"},
		{"G3: the trial's client left", "dead*3 +5 ask:a gone:a state ask:b ask:c", "yes half-open yes no"},
		{"the next trial after that counts", "dead*3 +5 ask:a gone:a ask:b dead:b state", "yes yes open"},
		{"beside the trial passes who has nobody else", "500*4 +5 ask:a ask:b last:c", "yes no yes"},
		{"and its leaving does not free the trial's place", "500*4 +5 ask:a last:c gone:c ask:b", "yes yes no"},
		{"closed again it begins at zero", "500*4 +5 ok*1 500*3 state 500*1 state", "closed open"},

		// What comes of requests of earlier times.
		{"a failure from before it opened does not open it longer", "ask:a dead*3 +3 dead:a after", "yes 2s"},
		{"a success from before it opened does not close it", "ask:a dead*3 ok:a state +5 ask:b ok:a state", "yes open yes half-open"},
		{"a failure from before does not end the trial", "ask:a dead*3 +5 ask:b dead:a state ok:b state", "yes yes half-open closed"},
		{"a client from before does not free the trial's place", "ask:a dead*3 +5 ask:b gone:a ask:c", "yes yes no"},
		{"a failure from before it closed again does not count", "ask:a dead*3 +5 ok*1 dead*2 dead:a state", "yes closed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := play(t, tt.script); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.script, got, tt.want)
			}
		})
	}
}

// A share of 0 turns the breaker off, at any time.
func TestOff(t *testing.T) {
	b := new(Breaker)
	for _, cfg := range []BreakerConfig{{}, {Volume: 1, Window: time.Hour, Open: time.Hour}} {
		b.Set(cfg)
		for range 100 {
			g, _, ok := b.allow(epoch, false)
			if !ok {
				t.Fatal("got a refusal, want none")
			}
			b.fails(g, Unreachable, epoch)
		}
	}
	b.Set(half)
	for range 3 {
		g, _, _ := b.allow(epoch, false)
		b.fails(g, Unreachable, epoch)
	}
	if b.ready(epoch) {
		t.Error("got a breaker that is closed after 3 failures, want an open one")
	}
	b.Set(BreakerConfig{})
	if !b.ready(epoch) {
		t.Error("got a breaker that was turned off and is open")
	}
}

// New limits hold for what was counted before.
func TestSetKeepsCounts(t *testing.T) {
	b := new(Breaker)
	b.Set(BreakerConfig{Share: 0.5, Volume: 100, Window: time.Minute, Open: time.Minute})
	for range 9 {
		b.fails(b.word.Load()>>generationShift, Failed, epoch)
	}
	b.Set(BreakerConfig{Share: 0.5, Volume: 10, Window: time.Minute, Open: time.Minute})
	if !b.ready(epoch) {
		t.Error("got an open breaker before the next failure")
	}
	if b.fails(b.word.Load()>>generationShift, Failed, epoch); b.ready(epoch) {
		t.Error("got a closed breaker after 10 failures, want it open")
	}
}

// TestOneTrialAmongMany: however many ask at the same time, one is on trial.
func TestOneTrialAmongMany(t *testing.T) {
	b := new(Breaker)
	b.Set(BreakerConfig{Share: 1, Volume: 1, Window: time.Second, Open: time.Second})
	now := epoch
	for round := range 200 {
		g, _, ok := b.allow(now, false)
		if !ok {
			t.Fatalf("round %d: got a refusal of the first request", round)
		}
		b.fails(g, Unreachable, now)
		now = now.Add(time.Second)
		var trials atomic.Int32
		var trial uint64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if g, _, ok := b.allow(now, false); ok {
					trials.Add(1)
					trial = g
				}
			})
		}
		wg.Wait()
		if got := trials.Load(); got != 1 {
			t.Fatalf("round %d: got %d trials at a time, want 1", round, got)
		}
		b.works(trial, true, now)
	}
}

// TestStorm: many goroutines with any outcome in any order leave a breaker that
// still opens, tries and closes.
func TestStorm(t *testing.T) {
	b := new(Breaker)
	b.Set(BreakerConfig{Share: 0.3, Volume: 5, Window: time.Second, Open: time.Millisecond})
	var clock atomic.Int64
	now := func() time.Time { return epoch.Add(time.Duration(clock.Add(int64(10 * time.Microsecond)))) }
	names := []string{"ok", "busy", "500", "dead", "cut", "gone"}
	var allowed [6]atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 1))
			for range 2000 {
				b.ready(now())
				if _, _, wait := b.look(now()); wait < 0 {
					t.Error("got a negative time to wait")
				}
				var p given
				var ok bool
				if p.generation, p.trial, ok = b.allow(now(), random.IntN(4) == 0); !ok {
					continue
				}
				outcome := random.IntN(len(names))
				allowed[outcome].Add(1)
				outcomes[names[outcome]](b, p, now())
			}
		})
	}
	wg.Wait()
	for outcome := range allowed {
		if allowed[outcome].Load() == 0 {
			t.Errorf("outcome %s never happened", names[outcome])
		}
	}
	end := now().Add(time.Hour)
	if g, _, ok := b.allow(end, false); !ok {
		t.Error("got a refusal an hour later, want a pass: a trial was lost")
	} else if b.works(g, true, end); !b.ready(end) {
		t.Error("got an open breaker after a success, want it closed")
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
			p := new(Probe)
			p.set(true, tt.healthy, tt.unhealthy)
			letters := map[[2]bool]string{{true, false}: "u", {true, true}: "U", {false, false}: "d", {false, true}: "D"}
			up, _ := p.look()
			got := letters[[2]bool{up, false}]
			for i, outcome := range tt.outcomes {
				failure := map[rune]string{'+': "", '-': "status 503"}[outcome]
				c := p.observe(failure, epoch.Add(time.Duration(i)*time.Second))
				up, last := p.look()
				if last != failure || c.Probe && (c.Up != up || c.Reason == "") {
					t.Errorf("got %+v and a last failure %q after %q", c, last, failure)
				}
				got += letters[[2]bool{up, c.Probe}]
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// An upstream that is not probed any more is up; with new limits it stays as it
// is.
func TestProbeSet(t *testing.T) {
	p := new(Probe)
	p.set(true, 1, 1)
	p.observe("status 503", epoch)
	p.set(true, 2, 5)
	if up, failure := p.look(); up || failure == "" {
		t.Errorf("got up %v, %q with new limits, want it down", up, failure)
	}
	p.set(false, 1, 1)
	p.observe("status 503", epoch) // it was under way
	if up, failure := p.look(); !up || failure != "" {
		t.Errorf("got up %v, %q without probes, want it up", up, failure)
	}
}
