package target

import (
	"fmt"
	"math/rand/v2"
)

// Candidate is a target as it is at the moment of choice.
type Candidate struct {
	ID          uint64 // what it is hashed by, see [ID]; it outlives a reload and a restart
	Outstanding int    // requests that it has now
	Max         int    // most that it may have; 0 = any number
	Weight      int    // its share relative to the others; less than 1 counts as 1
	Healthy     bool   // whether it may be picked at all
}

func (c *Candidate) free() bool {
	return c.Healthy && (c.Max <= 0 || c.Outstanding < c.Max)
}

func (c *Candidate) weight() int { return max(c.Weight, 1) }

// less reports whether a has less to do than b for its weight.
func less(a, b *Candidate) bool {
	return a.Outstanding*b.weight() < b.Outstanding*a.weight()
}

// Policy picks one of a model's targets:
//
//	round_robin        in turn, as often as the weights say, evenly spread
//	least_outstanding  the fewest requests for its weight; in turn among equals
//	p2c                two at random, the one of them with fewer requests
//	prefix_hash        by how the conversation begins, so that a replica finds
//	                   it in its prefix cache; another one if it has too much to do
//	session            by the session's name, whatever there is to do
//
// It takes no lock, allocates nothing and is safe for concurrent use.
type Policy interface {
	// Pick returns the index of the candidate to take, -1 if none is free, that
	// is healthy and below its maximum. The candidates are those that the
	// policy was made for, in the same order each time; only what New did not
	// get may differ. Two callers may get the last free place of a target at
	// the same time: they have to take it, and to pick again if it is taken.
	Pick(c []Candidate, k Key) int
}

// makers are the policies by the names they have in the configuration.
var makers = map[string]func(n int, random func() uint64) Policy{
	"round_robin":       func(n int, _ func() uint64) Policy { return &roundRobin{newTurns(n)} },
	"least_outstanding": func(n int, _ func() uint64) Policy { return &leastOutstanding{newTurns(n)} },
	"p2c":               func(_ int, random func() uint64) Policy { return &twoChoices{random} },
	"prefix_hash":       func(n int, _ func() uint64) Policy { return &prefixHash{leastOutstanding{newTurns(n)}} },
	"session":           func(n int, _ func() uint64) Policy { return &session{leastOutstanding{newTurns(n)}} },
}

// New returns the policy of that name for n candidates. random gives uniformly
// distributed numbers and may be called by several goroutines at a time; nil is
// the standard library's.
func New(name string, n int, random func() uint64) (Policy, error) {
	make, ok := makers[name]
	if !ok {
		return nil, fmt.Errorf("target: no policy named %q", name)
	}
	if random == nil {
		random = rand.Uint64
	}
	return make(n, random), nil
}

// Names is the names of all policies, in no order.
func Names() (names []string) {
	for name := range makers {
		names = append(names, name)
	}
	return names
}
