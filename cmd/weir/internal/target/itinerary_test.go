package target

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// route is one leg of n targets, taken in turn.
func route(n int, cfg Config) *Route {
	policy, err := New("round_robin", n, nil)
	if err != nil {
		panic(err)
	}
	leg := Leg{Policy: policy}
	for i := range n {
		leg.Targets = append(leg.Targets, Target{Standing: NewStanding(cfg, nil), ID: uint64(i)})
	}
	return &Route{Legs: []Leg{leg}, Retries: 10}
}

// inOrder picks the first that is free.
type inOrder struct{}

func (inOrder) Pick(c []Candidate, _ Key) int {
	return slices.IndexFunc(c, func(c Candidate) bool { return c.free() })
}

// world is a route whose targets are the letters of its legs, and what happens
// on it.
type world struct {
	t     *testing.T
	route *Route
	names []string // of the targets of each leg
	its   map[string]*Itinerary
	now   time.Time
	said  []string
}

func newWorld(t *testing.T, legs string) *world {
	w := &world{t: t, route: &Route{Retries: 9}, its: map[string]*Itinerary{}, now: epoch}
	known := map[rune]*Standing{}
	for _, names := range strings.Split(legs, ">") {
		w.names = append(w.names, names)
		leg := Leg{Policy: inOrder{}}
		for _, name := range names {
			if known[name] == nil {
				known[name] = NewStanding(Config{Breaker: half, Probed: true, Unhealthy: 1}, nil)
			}
			leg.Targets = append(leg.Targets, Target{Standing: known[name]})
		}
		w.route.Legs = append(w.route.Legs, leg)
	}
	return w
}

// target is the target of that name in the first leg that has it.
func (w *world) target(name string) *Target {
	for i, names := range w.names {
		if j := strings.Index(names, name); j >= 0 {
			return &w.route.Legs[i].Targets[j]
		}
	}
	w.t.Fatalf("no target %q", name)
	return nil
}

// request is a request of that name, begun if it is new.
func (w *world) request(name string) *Itinerary {
	if w.its[name] == nil {
		w.its[name] = new(Itinerary)
		w.its[name].Begin(w.route, 0)
	}
	return w.its[name]
}

// next is what Next says, and whether More foresaw it.
func (w *world) next(it *Itinerary) string {
	more := it.More(w.now)
	c, why := it.Next(w.now)
	name := [...]string{NoneLeft: "none", Unhealthy: "unhealthy", Broken: "broken", Full: "full", NoBudget: "budget", Granted: ""}[why]
	if why == Granted {
		name = w.names[c.Leg][c.Target : c.Target+1]
	}
	if more != (why == Granted) {
		name += "?"
	}
	return name
}

var failures = map[string]Reason{
	"500": Failed, "kill": NoResponse, "dead": Unreachable, "silent": Silent, "429": Overloaded, "late": TooLate,
	"cut": Interrupted, "long": TooLong, "local": Shortage,
}

// run does what a script says, and returns what is said:
//
//	+5        the clock advances by so many seconds
//	r         request r is sent to the next target: its name, or why there is none
//	r:ok r:404 r:500 …   reports a response, or a failure; the attempt is left
//	r:500-    reports a failure that is passed on: the attempt continues
//	r:end r:gone         the request has ended, by itself or by its client
//	r:again   allows the last target once more
//	hold:r    a response, and the request goes on
//	a/3  a!   target a has 3 places; it fails its probes
//	x3(…)     does this three times
//	A         the state of target a
func (w *world) run(script string) string {
	w.t.Helper()
	for _, word := range strings.Fields(script) {
		w.word(word)
	}
	return strings.Join(w.said, " ")
}

func (w *world) word(word string) {
	w.t.Helper()
	name, what, _ := strings.Cut(word, ":")
	switch {
	case word[0] == '+':
		var seconds int
		_, _ = fmt.Sscan(word[1:], &seconds)
		w.now = w.now.Add(time.Duration(seconds) * time.Second)
	case strings.Contains(word, "/"):
		_, _ = fmt.Sscan(word[2:], &w.target(word[:1]).Max)
	case strings.HasSuffix(word, "!"):
		w.target(word[:1]).Standing.Observe("status 503", w.now)
	case 'A' <= word[0] && word[0] <= 'Z':
		state, _, _ := w.target(strings.ToLower(word)).Standing.Breaker.look(w.now)
		w.said = append(w.said, state.String())
	case what == "":
		w.said = append(w.said, w.next(w.request(name)))
	default:
		w.report(w.request(name), what)
	}
}

func (w *world) report(it *Itinerary, what string) {
	w.t.Helper()
	switch what {
	case "ok":
		it.Works(200, w.now)
	case "404":
		it.Works(404, w.now)
	case "end":
		it.End(w.now)
	case "gone":
		it.Drop()
	case "again":
		it.Repeat()
	default:
		name, stays := strings.CutSuffix(what, "-")
		r, ok := failures[name]
		if !ok {
			w.t.Fatalf("%q is not an outcome", what)
		}
		it.Fails(r, w.now)
		if !stays {
			it.Leave()
		}
	}
}

// G6, and the order of targets and fallbacks.
func TestItinerary(t *testing.T) {
	for _, tt := range []struct{ name, legs, script, want string }{
		{"each once", "abc", "r r:500 r r:500 r r:500 r", "a b c none"},
		{"then the fallback", "ab>d", "r r:500 r r:500 r r:500 r", "a b d none"},
		{"a target of two models is two", "ab>a", "r r:500 r r:500 r r:500 r", "a b a none"},
		{"only who asked for it is tried again", "ab", "r r:429 r r:429 r:again r r:429 r", "a b b none"},
		{"who fails its probes is not asked", "ab", "a! r r:500 r", "b unhealthy"},
		{"nobody is healthy", "ab", "a! b! r", "unhealthy"},
		{"who is full is not asked", "ab", "a/1 q r r:500 r", "a b full"},
		{"nobody has a place", "ab", "a/1 b/2 p q r s", "a b b full"},
		{"a place that is given back", "a", "a/1 p q p:end r", "a full a"},
		{"full is said before broken, broken before unhealthy", "abc", "a! p p:dead p:end q q:dead q:end r r:dead r:end c/1 s s2", "b b b c full"},
		{"broken is said before unhealthy", "ab", "a! p p:dead p:end q q:dead q:end r r:dead r:end s", "b b b broken"},
		{"the fallback, if all are full", "a>b", "a/1 p q", "a b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := newWorld(t, tt.legs).run(tt.script); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.script, got, tt.want)
			}
		})
	}
}

func TestRetries(t *testing.T) {
	for retries, want := range []string{"a none", "a b none", "a b c none"} {
		w := newWorld(t, "abc")
		w.route.Retries = retries
		if got := w.run("r" + strings.Repeat(" r:500 r", retries+1)); got != want {
			t.Errorf("%d retries: got %s, want %s", retries, got, want)
		}
	}
}

// times repeats a script with requests of other names; no other word in it has
// an r.
func times(n int, script string) (all string) {
	for i := range n {
		all += strings.ReplaceAll(script, "r", fmt.Sprint("r", i)) + " "
	}
	return all
}

// Blame needs evidence: whose failure it was is decided by what became of the
// request elsewhere. The breakers open at half of four responses.
func TestBlame(t *testing.T) {
	const poison = "r r:500 r r:500 r:end "
	for _, tt := range []struct{ name, legs, script, want string }{
		{"who fails where another does not", "ab", times(4, "r r:500 r r:ok r:end ") + "A B", "open closed"},
		{"it is not known before that", "ab", "p p:500 p q q:500 q r r:500 r s s:500 s A p:ok q:ok r:ok A s:ok A", "closed closed open"},
		{"a request that fails with both", "ab", times(20, poison) + "A B", "closed closed"},
		{"with all three", "abc", times(20, "r r:500 r r:500 r r:500 r:end ") + "A B C", "closed closed closed"},
		{"two fail and the third does not", "abc", times(4, "r r:500 r r:500 r r:ok r:end ") + "A B C", "open open closed"},
		{"one that the second refuses as wrong", "ab", times(20, "r r:500 r r:404 r:end ") + "A B", "closed closed"},
		{"one that kills the connection of both", "ab", times(20, "r r:kill r r:kill r:end ") + "A B", "closed closed"},
		{"one that kills it, and the other answers", "ab", times(3, "r r:kill r r:ok r:end ") + "A B", "open closed"},
		{"one that gets no second try", "a", times(4, "r r:500 r:end ") + "A", "open"},
		{"one that the second has no time for", "ab", times(4, "r r:500 r r:429 r:end ") + "A B", "open closed"},
		{"one whose client leaves while the second is asked", "ab", times(20, "r r:500 r r:gone ") + "A B", "closed closed"},
		{"one whose client leaves at once", "ab", times(20, "r r:gone ") + "A B", "closed closed"},
		{"who is not there", "ab", times(3, "r r:dead r r:500 r:end ") + "A B", "open closed"},
		{"who is not there is known at once", "ab", times(3, "r r:dead r ") + "A", "open"},
		{"who says nothing is known at once", "ab", times(3, "r r:silent r ") + "A", "open"},
		{"who has too much to do", "ab", times(20, "r r:429 r:end ") + "A", "closed"},
		{"the gateway's own limits", "ab", times(20, "r r:long r:end q q:local q:end s s:late s:end ") + "A", "closed"},
		{"a stream that breaks off", "a", times(4, "r r:ok r:cut r:end ") + "A", "open"},
		{"a failure that passes on, and breaks off", "ab", times(20, "r r:500 r r:500- r:cut r:end ") + "A B", "closed closed"},
		{"a stream that is too long for the gateway", "a", times(20, "r r:ok r:long r:end ") + "A", "closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := newWorld(t, tt.legs).run(tt.script)
			states := slices.DeleteFunc(strings.Fields(got), func(s string) bool { return s != "open" && s != "closed" && s != "half-open" })
			if strings.Join(states, " ") != tt.want {
				t.Errorf("%s: got %s, want %s", tt.script, got, tt.want)
			}
		})
	}
}

// The last available target is not left alone for its responses, but it comes
// last; who is dead is left alone all the same.
func TestLastTarget(t *testing.T) {
	for _, tt := range []struct{ name, legs, script, want string }{
		{"alone", "a", times(4, "r r:500 r:end ") + "A s s:ok s:end s2", "open a a"},
		{"the other one first", "ab", times(4, "r r:500 r r:ok r:end ") + "A s s:500 s", "open b a"},
		{"the fallback first", "a>b", times(4, "r r:500 r r:ok r:end ") + "A s s:500 s", "open b a"},
		{"alone and dead", "a", times(3, "r r:dead r:end ") + "A s", "open broken"},
		{"alone and down", "a", times(4, "r r:500 r:end ") + "a! A s", "open unhealthy"},
		{"alone and full", "a", times(4, "r r:500 r:end ") + "a/1 A s s2", "open a full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := newWorld(t, tt.legs).run(tt.script)
			if _, after, _ := strings.Cut(got, "open"); "open"+after != tt.want {
				t.Errorf("%s: got %s, want … %s", tt.script, got, tt.want)
			}
		})
	}
}

// 30 requests that every upstream answers with 500 beside 10 good ones: none of
// the good ones fails, whatever their order.
func TestPoison(t *testing.T) {
	for shift := range 40 {
		w := newWorld(t, "abc")
		w.route.Legs[0].Policy, _ = New("round_robin", 3, nil)
		for i := range 40 {
			it := new(Itinerary)
			it.Begin(w.route, 0)
			if good := (i+shift)%4 == 0; good {
				if _, why := it.Next(w.now); why != Granted {
					t.Fatalf("shift %d: good request %d got %v, want a target", shift, i, why)
				}
				it.Works(200, w.now)
			} else {
				for it.More(w.now) || !it.begun {
					if _, why := it.Next(w.now); why != Granted {
						break
					}
					it.Fails(Failed, w.now)
					it.Leave()
				}
			}
			it.End(w.now)
			w.now = w.now.Add(10 * time.Millisecond)
		}
	}
}

// Every target is asked once, however many there are.
func TestManyTargets(t *testing.T) {
	for _, n := range []int{1, 63, 64, 65, 128, 129, 300} {
		for _, legs := range []int{1, 2} {
			r := route(n, Config{})
			r.Retries = 3 * n
			if legs == 2 {
				r.Legs = append(r.Legs, route(n, Config{}).Legs...)
			}
			var it Itinerary
			for range 2 { // the second time with the memory of the first
				it.Begin(r, 0)
				seen := map[Choice]int{}
				for {
					c, why := it.Next(epoch)
					if why != Granted {
						break
					}
					seen[c]++
					it.Fails(Failed, epoch)
					it.Leave()
				}
				if len(seen) != n*legs {
					t.Errorf("%d legs of %d targets: got %d asked, want all", legs, n, len(seen))
				}
				for c, times := range seen {
					if times != 1 {
						t.Errorf("%d targets: got %v asked %d times, want once", n, c, times)
					}
				}
				it.End(epoch)
				it = it.Spare()
			}
		}
	}
}

// No target ever has more requests than it has places, however many loops choose
// at the same time.
func TestPlaces(t *testing.T) {
	r := route(2, Config{})
	for i := range r.Legs[0].Targets {
		r.Legs[0].Targets[i].Max = 3
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var it Itinerary
			for range 2000 {
				it.Begin(r, 0)
				c, why := it.Next(epoch)
				if why == Granted {
					if n := r.Legs[0].Targets[c.Target].Standing.Running(); n > 3 {
						t.Errorf("got %d requests at a target, want 3 at most", n)
					}
				}
				it.End(epoch)
			}
		})
	}
	wg.Wait()
	for i := range r.Legs[0].Targets {
		if n := r.Legs[0].Targets[i].Standing.Running(); n != 0 {
			t.Errorf("got %d requests that run at the end, want none", n)
		}
	}
}

// G6: 100 requests while every upstream says 429 make 120 at most.
func TestBudget(t *testing.T) {
	attempts := func(n int, b *Budget) (asked, withheld int) {
		r := route(3, Config{})
		r.Budget = b
		for i := range n {
			now := epoch.Add(time.Duration(i) * time.Millisecond)
			var it Itinerary
			it.Begin(r, 0)
			for _, why := it.Next(now); why == Granted; _, why = it.Next(now) {
				asked++
				it.Fails(Overloaded, now)
				it.Leave()
				if !it.More(now) {
					break
				}
			}
			it.End(now)
			if it.Withheld() {
				withheld++
			}
		}
		return asked, withheld
	}
	for _, tt := range []struct {
		share       float64
		floor, asks int
		want        int
	}{
		{0.2, 10, 100, 120},
		{0.2, 10, 1000, 1200},
		{0.2, 10, 20, 30},
		{0, 5, 100, 105},
		{1, 0, 100, 200},
	} {
		b := new(Budget)
		b.Set(tt.share, tt.floor)
		asked, withheld := attempts(tt.asks, b)
		if asked != tt.want || uint64(withheld) != b.Withheld() || withheld == 0 {
			t.Errorf("share %v, floor %d: got %d attempts for %d requests, %d of them withheld (%d), want %d",
				tt.share, tt.floor, asked, tt.asks, withheld, b.Withheld(), tt.want)
		}
	}
	if asked, withheld := attempts(100, nil); asked != 300 || withheld != 0 {
		t.Errorf("without a budget: got %d attempts, %d withheld, want 300 and none", asked, withheld)
	}
}

// Without means for a second try there is no evidence: the failure is held
// against nobody. Without any means by configuration there never is a second try,
// and it counts.
func TestBlameWithoutBudget(t *testing.T) {
	for floor, want := range map[int]string{0: "open", 1: "closed"} {
		w := newWorld(t, "ab")
		w.route.Budget = new(Budget)
		w.route.Budget.Set(0, floor)
		w.run("q q:500 q q:ok q:end " + strings.ReplaceAll(times(20, "r r:500 r r:end "), "r0", "s"))
		state, _, _ := w.target("a").Standing.Breaker.look(w.now)
		if got := state.String(); got != want {
			t.Errorf("%d retries in all: got %s, want %s", floor, got, want)
		}
	}
}

// The budget forgets.
func TestBudgetWindow(t *testing.T) {
	b := new(Budget)
	b.Set(0, 2)
	now := epoch
	for _, want := range []bool{true, true, false, false} {
		if got := b.take(now); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{budgetWindow - 2*time.Second, false}, {2 * time.Second, true}} {
		now = now.Add(tt.after)
		if got := b.spare(now); got != tt.want {
			t.Errorf("after %v: got %v, want %v", tt.after, got, tt.want)
		}
	}
}

func TestSnapshot(t *testing.T) {
	var changes []Change
	s := NewStanding(Config{Breaker: half, Probed: true, Unhealthy: 1, Healthy: 1}, func(c Change) { changes = append(changes, c) })
	r := &Route{Legs: []Leg{{Targets: []Target{{Standing: s}}, Policy: inOrder{}}}}
	var running Itinerary
	running.Begin(r, 0)
	running.Next(epoch)
	running.Responds(200)
	for range 3 {
		var it Itinerary
		it.Begin(r, 0)
		it.Next(epoch)
		it.Fails(Unreachable, epoch)
		it.End(epoch)
	}
	s.Observe("status 503", epoch)
	snap := s.Snapshot(epoch.Add(time.Second))
	if snap.Up || snap.ProbeFailure != "status 503" || snap.Breaker != Open || snap.BreakerReason == "" || snap.Wait != 4*time.Second ||
		snap.Running != 1 || snap.Requests != [6]uint64{2: 1} || snap.Failures[Unreachable] != 3 {
		t.Errorf("got %+v", snap)
	}
	if len(changes) != 2 || !changes[0].Breaker || changes[0].State != Open || !changes[1].Probe || changes[1].Up {
		t.Errorf("got %+v, want the breaker's change and the health's", changes)
	}
}

// Every reason has a name of its own, for a metric's label.
func TestReasons(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Reasons() {
		if name := r.String(); name == "" || seen[name] {
			t.Errorf("got %q for reason %d", name, r)
		}
		seen[r.String()] = true
	}
}
