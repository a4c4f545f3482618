package target

import "time"

// Why is why a request got no target. Later reasons are nearer to having one.
type Why uint8

// The reasons.
const (
	NoneLeft  Why = iota // all were tried, or no attempts remain
	Lost                 // the names of the remaining ones do not resolve
	Unhealthy            // the remaining ones fail their health probes
	Broken               // their breakers are open
	Full                 // they are at their limits of requests
	NoBudget             // too many requests are being retried
	Granted              // it got one
)

// Choice is a target of a route.
type Choice struct{ Leg, Target int }

// Itinerary is one request on its route. Each target is tried once, the model's
// own before those of its fallbacks; none is tried twice unless it requested
// that by Retry-After. A target whose breaker is open only because too many of
// its responses were failures comes last.
//
// What a failure means for the upstream is also decided here. If the request
// may have caused it, it is held back until the request has succeeded with
// another target, which convicts the upstream, or failed there, too, which
// acquits all of them. So no single request can take out more than one
// upstream.
//
// It is not safe for concurrent use. The zero value is ready for Begin.
type Itinerary struct {
	route    *Route
	key      Key
	attempts int  // further ones
	begun    bool // one was made
	tried    set  // of all targets, leg after leg
	last     int  // which of them was chosen last
	all      []Candidate

	now    pass // of the attempt under way
	open   bool // there is one
	known  bool // its outcome is known
	failed bool // badly

	held   []charge
	doubts int  // failures that the request may have caused
	poor   bool // a retry was withheld from it
}

// charge is a failure that does not yet count against its upstream.
type charge struct {
	pass
	reason Reason
}

// Begin prepares for a request. It keeps the memory of the last one.
func (it *Itinerary) Begin(r *Route, key Key) {
	it.tried.clear()
	*it = it.Spare()
	it.route, it.key, it.attempts = r, key, r.Retries+1
}

// Skip takes targets out of the request's way, as if they had been tried. Call it
// after Begin.
func (it *Itinerary) Skip(targets []Choice) {
	for _, c := range targets {
		n := c.Target
		for i := range c.Leg {
			n += len(it.route.Legs[i].Targets)
		}
		it.tried.add(n)
	}
}

// Spare returns an itinerary without a request that has the memory of this one,
// which must not be used any more.
func (it *Itinerary) Spare() Itinerary {
	it.tried.clear()
	clear(it.held)
	return Itinerary{tried: it.tried, all: it.all[:0], held: it.held[:0]}
}

// Next chooses the target of the next attempt and takes a place at it, which
// [Itinerary.Leave] frees. Without [Granted] there is none.
func (it *Itinerary) Next(now time.Time) (Choice, Why) {
	switch {
	case it.attempts == 0:
		return Choice{}, NoneLeft
	case !it.begun:
		it.route.Budget.request(now)
	case !it.affords(now):
		return Choice{}, NoBudget
	}
	why := NoneLeft
	for _, last := range [...]bool{false, true} {
		offset := 0
		for i := range it.route.Legs {
			leg := &it.route.Legs[i]
			target, not := it.pick(leg, offset, last, now)
			if target >= 0 {
				return it.grant(Choice{i, target}, offset+target, now)
			}
			why = max(why, not)
			offset += len(leg.Targets)
		}
	}
	return Choice{}, why
}

// grant begins the attempt for which a place was taken.
func (it *Itinerary) grant(c Choice, n int, now time.Time) (Choice, Why) {
	if it.begun && !it.route.Budget.take(now) { // another request was faster
		it.now.cancel()
		it.now.leave()
		it.withhold()
		return Choice{}, NoBudget
	}
	it.begun, it.open, it.known, it.failed = true, true, false, false
	it.attempts--
	it.last = n
	it.tried.add(n)
	return c, Granted
}

// pick takes a place at a target of a leg, whose first target has this number
// among all. If there is none it returns -1 and why.
func (it *Itinerary) pick(leg *Leg, offset int, last bool, now time.Time) (i int, why Why) {
	it.all = it.all[:0]
	for i := range leg.Targets {
		t := &leg.Targets[i]
		not := it.obstacle(t, offset+i, last, now)
		if not != Granted {
			why = max(why, not)
		}
		it.all = append(it.all, Candidate{
			ID: t.ID, Weight: t.Weight, Outstanding: t.Standing.Running(), Max: t.Max, Healthy: not == Granted,
		})
	}
	for {
		i = leg.Policy.Pick(it.all, it.key)
		if i < 0 {
			return i, why
		}
		var not Why
		if it.now, not = leg.Targets[i].Standing.enter(leg.Targets[i].Max, last, now); not == Granted {
			return i, Granted
		}
		it.all[i].Healthy = false // another request was faster
		why = max(why, not)
	}
}

// obstacle returns why a target is not available now.
func (it *Itinerary) obstacle(t *Target, n int, last bool, now time.Time) Why {
	s := t.Standing
	switch {
	case it.tried.has(n):
		return NoneLeft
	case s.Name.lost.Load():
		return Lost
	case s.Probe.down.Load():
		return Unhealthy
	case !s.Breaker.ready(now) && !(last && s.Breaker.lenient()):
		return Broken
	case t.Max > 0 && s.Running() >= t.Max:
		return Full
	}
	return Granted
}

// More reports whether another target could be tried now. It does not call the
// policy, which would count as a choice.
func (it *Itinerary) More(now time.Time) bool {
	if it.attempts == 0 {
		return false
	}
	n := 0
	for i := range it.route.Legs {
		for j := range it.route.Legs[i].Targets {
			if it.obstacle(&it.route.Legs[i].Targets[j], n, true, now) == Granted {
				return it.affords(now)
			}
			n++
		}
	}
	return false
}

// MayRepeat reports whether the target that was tried last may be tried again
// later.
func (it *Itinerary) MayRepeat(now time.Time) bool { return it.attempts > 0 && it.affords(now) }

// affords reports whether the budget allows a retry.
func (it *Itinerary) affords(now time.Time) bool {
	b := it.route.Budget
	if b.spare(now) {
		return true
	}
	if !b.none() {
		it.withhold()
	}
	return false
}

// withhold notes that the budget allows no retry, once for a request.
func (it *Itinerary) withhold() {
	if !it.poor {
		it.poor = true
		it.route.Budget.withhold()
	}
}

// Withheld reports whether the request was not retried because too many are.
func (it *Itinerary) Withheld() bool { return it.poor }

// Repeat allows the target that was tried last once more.
func (it *Itinerary) Repeat() { it.tried.remove(it.last) }

// Stop ends the attempts: Next no longer finds a target.
func (it *Itinerary) Stop() { it.attempts = 0 }

// Wait returns how long it is until the first breaker of an untried target lets
// a request pass; 0 if none is open, or before Begin.
func (it *Itinerary) Wait(now time.Time) (wait time.Duration) {
	if it.route == nil {
		return 0
	}
	n := 0
	for i := range it.route.Legs {
		for j := range it.route.Legs[i].Targets {
			s := it.route.Legs[i].Targets[j].Standing
			if _, _, w := s.Breaker.look(now); w > 0 && !it.tried.has(n) && (wait == 0 || w < wait) {
				wait = w
			}
			n++
		}
	}
	return wait
}

// Responds reports the status of the response to the attempt.
func (it *Itinerary) Responds(status int) {
	if it.open {
		it.now.of.requests[min(status/100, 5)].Add(1)
	}
}

// Works reports that the attempt has brought a response that is not a failure.
// One that refuses the request, with a status from 400 on, means that others
// had reason to fail.
func (it *Itinerary) Works(status int, now time.Time) {
	if !it.open || it.known {
		return
	}
	it.known = true
	it.now.works(true, now)
	if status < 400 {
		it.convict(now)
	} else {
		it.acquit()
	}
}

// Fails reports that the attempt has failed, or that its response broke off.
func (it *Itinerary) Fails(r Reason, now time.Time) {
	if !it.open {
		return
	}
	v := &verdicts[r]
	it.now.of.failures[r].Add(1)
	if v.doubt && !it.failed {
		it.doubts++
	}
	switch {
	case it.failed: // one failure is enough
	case it.known && v.weight == none: // it has worked so far
	case it.known:
		it.now.fails(r, now)
	case v.held:
		it.held = append(it.held, charge{it.now, r})
	case v.weight != none:
		it.now.fails(r, now)
	case v.alive:
		it.now.works(false, now)
	default:
		it.now.cancel()
	}
	it.known, it.failed = true, true
}

// Leave reports that the attempt has ended and frees its place.
func (it *Itinerary) Leave() {
	if !it.open {
		return
	}
	it.open = false
	if !it.known {
		it.known = true
		it.now.cancel()
	}
	it.now.leave()
}

// End reports that the request has ended, with a response or without. A failure
// that was the only one now counts against its upstream, unless another target
// would have been tried if the budget had allowed it.
func (it *Itinerary) End(now time.Time) {
	it.Leave()
	if it.doubts == 1 && !it.poor {
		it.convict(now)
	} else {
		it.acquit()
	}
}

// Drop reports that the client has ended the request, which means nothing for
// any upstream (G3).
func (it *Itinerary) Drop() {
	it.Leave()
	it.acquit()
}

func (it *Itinerary) convict(now time.Time) {
	for _, c := range it.held {
		c.fails(c.reason, now)
	}
	it.forget()
}

func (it *Itinerary) acquit() {
	for _, c := range it.held {
		c.acquit(c.reason)
	}
	it.forget()
}

func (it *Itinerary) forget() {
	clear(it.held)
	it.held = it.held[:0]
}
