// Package target decides which upstream a request goes to next, and what a
// failure means for an upstream. It opens no socket and reads no clock: the
// caller passes the time, and reports the outcome of each attempt.
//
//	Route      a model's targets, and those of the models that it falls back to
//	Itinerary  one request on its route: Next chooses, the other methods report
//	Standing   what is known of one upstream, whichever models lead to it
//	Breaker    whether an upstream may get requests, by the outcome of earlier ones
//	Probe      whether it may, by its health probes
//	Name       whether it has an address, by the look-ups of its name
//	Budget     how many of all requests may be retries
//	Policy     how one of several free targets is chosen
package target

// Target is one upstream of a model, as decisions see it.
type Target struct {
	Standing *Standing // of its upstream
	ID       uint64    // what it is hashed by, see [ID]; it outlives a reload and a restart
	Weight   int       // its share relative to the other targets; less than 1 counts as 1
	Max      int       // the upstream's limit of requests at a time; 0 = none
}

// Leg is the targets of one model.
type Leg struct {
	Targets []Target
	Policy  Policy // made for as many targets
}

// Route is where the requests for a model may go: to the model's own targets,
// which are the first leg, then to those of its fallbacks. It does not change.
type Route struct {
	Legs    []Leg
	Retries int     // further attempts after the first one
	Budget  *Budget // that the retries of all routes are taken from; nil = no bound
}

// set is a set of small numbers. The first 64 need no memory of their own, and
// the memory of the others is reused after clear.
type set struct {
	first uint64
	rest  []uint64
}

func (s *set) has(i int) bool {
	if i < 64 {
		return s.first&(1<<i) != 0
	}
	word := i/64 - 1
	return word < len(s.rest) && s.rest[word]&(1<<(i%64)) != 0
}

func (s *set) add(i int) {
	if i < 64 {
		s.first |= 1 << i
		return
	}
	for len(s.rest) < i/64 {
		s.rest = append(s.rest, 0)
	}
	s.rest[i/64-1] |= 1 << (i % 64)
}

func (s *set) remove(i int) {
	if i < 64 {
		s.first &^= 1 << i
	} else if s.has(i) {
		s.rest[i/64-1] &^= 1 << (i % 64)
	}
}

func (s *set) clear() { s.first, s.rest = 0, s.rest[:0] }
