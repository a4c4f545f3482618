package target

import "math"

const (
	// loadFactor is how much more than its share a replica may have before its
	// conversations spill to another one.
	loadFactor = 1.25
	// slack is how many requests it may have whatever its share is: so few at a
	// time cost less than a cold cache.
	slack = 4
)

// prefixHash is rendezvous hashing with bounded loads (Thaler and Ravishankar;
// Mirrokni, Thorup and Zadimoghaddam). A key ranks the candidates, each key in
// its own order, and goes to the first one that is below its bound. So if a
// replica is removed only its own keys move, they scatter over all others, and
// what is too much for one replica spills to the same second one. Without a key
// it is least_outstanding.
type prefixHash struct{ leastOutstanding }

func (p *prefixHash) Pick(c []Candidate, k Key) int {
	if k == 0 {
		return p.leastOutstanding.Pick(c, k)
	}
	load, weight := 0, 0
	for i := range c {
		if c[i].free() {
			load += c[i].Outstanding
			weight += c[i].weight()
		}
	}
	share := loadFactor * float64(load+1) / float64(weight) // for weight 1; this request included
	best, top := -1, 0.0
	for i := range c {
		if !c[i].free() || c[i].Outstanding >= max(slack, int(math.Ceil(share*float64(c[i].weight())))) {
			continue
		}
		if s := score(k, &c[i]); best < 0 || s > top {
			best, top = i, s
		}
	}
	return best // the bounds add up to more than the load, so one is below its own
}

// session is rendezvous hashing without a bound. Without a key it is
// least_outstanding.
type session struct{ leastOutstanding }

func (p *session) Pick(c []Candidate, k Key) int {
	if k == 0 {
		return p.leastOutstanding.Pick(c, k)
	}
	best, top := -1, 0.0
	for i := range c {
		if !c[i].free() {
			continue
		}
		if s := score(k, &c[i]); best < 0 || s > top {
			best, top = i, s
		}
	}
	return best
}

// score ranks a candidate for a key, so that it comes first for as many keys as
// its weight says: weight / -ln(u), with u in (0, 1) from the hash of both
// (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables").
func score(k Key, c *Candidate) float64 {
	u := (float64(mix(uint64(k)^mix(c.ID))>>11) + 0.5) / (1 << 53)
	return float64(c.weight()) / -math.Log(u)
}
