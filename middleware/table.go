package middleware

import (
	"hash/maphash"
	"math"
	"sync"
)

// A table has the state of each client that has something to be remembered: at
// most so many, whatever clients make up. It is safe for concurrent use.
//
//	key ──hash──> shard ──at──> slot     a client of its own
//	                └─────────> spill    new clients for which there is no slot, together
//
// A slot is given to another client only when its own has nothing to be
// remembered. So a limit cannot be reset by pushing it out: whoever fills the
// table only makes newcomers share counters, until slots are whole again. A
// client that gets a slot after it was counted in the spill begins with what is
// counted there.
//
// Keys are known by their hash, with a seed that nobody knows: that two of
// 100,000 have the same is as likely as one in four billion.
type table struct {
	rule   rule
	seed   maphash.Seed
	slots  int // in each shard
	shards [tableShards]shard
}

const (
	tableShards = 16
	spills      = 64 // in each shard
	sweeps      = 16 // slots that are looked at for a new client
)

type shard struct {
	mu    sync.Mutex
	at    map[uint64]uint32 // in slots, by hash
	slots []slot
	hand  int // where the next sweep begins
	spill [spills]state
}

type slot struct {
	hash uint64
	state
}

func newTable(r rule, keys int) *table {
	t := &table{rule: r, seed: maphash.MakeSeed(), slots: math.MaxInt32}
	if keys > 0 {
		t.slots = min(math.MaxInt32, (keys+tableShards-1)/tableShards)
	}
	return t
}

// take counts a request of the key's client at that time.
func (t *table) take(key []byte, now int64) verdict {
	hash := maphash.Bytes(t.seed, key)
	sh := &t.shards[hash%tableShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return t.rule.take(sh.find(t, hash, now), now)
}

// find returns the client's state.
func (sh *shard) find(t *table, hash uint64, now int64) *state {
	if i, ok := sh.at[hash]; ok {
		return &sh.slots[i].state
	}
	spill := &sh.spill[hash/tableShards%spills]
	i, ok := sh.free(t, now)
	if !ok {
		return spill
	}
	sh.at[hash] = uint32(i)
	s := &sh.slots[i]
	*s = slot{hash: hash}
	if !t.rule.whole(spill, now) {
		s.state = *spill
	}
	return &s.state
}

// free makes a slot free for a new client: a new one while that costs nothing,
// else one whose client has nothing to be remembered. It reports false if there
// is none.
func (sh *shard) free(t *table, now int64) (i int, ok bool) {
	more := len(sh.slots) < t.slots
	if !more || len(sh.slots) == cap(sh.slots) {
		if i, ok = sh.sweep(t, now); ok || !more {
			return i, ok
		}
	}
	if sh.at == nil {
		sh.at = make(map[uint64]uint32)
	}
	sh.slots = append(sh.slots, slot{})
	return len(sh.slots) - 1, true
}

// sweep looks at some slots for one that is whole.
func (sh *shard) sweep(t *table, now int64) (i int, ok bool) {
	for range min(sweeps, len(sh.slots)) {
		sh.hand = (sh.hand + 1) % len(sh.slots)
		if s := &sh.slots[sh.hand]; t.rule.whole(&s.state, now) {
			delete(sh.at, s.hash)
			return sh.hand, true
		}
	}
	return 0, false
}
