package middleware

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

const second = int64(time.Second)

// rules are one of each kind, of ten requests in ten seconds.
var rules = map[string]rule{
	"bucket":  bucket{every: second, burst: 10},
	"fixed":   fixed{per: 10 * second, limit: 10},
	"sliding": sliding{per: 10 * second, limit: 10},
}

// M5: pushing a client out of the table does not reset its limit, however many
// others are made up.
func TestFloodOfKeysResetsNothing(t *testing.T) {
	for name, r := range rules {
		t.Run(name, func(t *testing.T) {
			tab := newTable(r, 160)
			victim := []byte("victim")
			for range 10 {
				if !tab.take(victim, 0).ok {
					t.Fatal("refused too early")
				}
			}
			passed := 0
			for i := range 20_000 {
				if tab.take(fmt.Appendf(nil, "made up %d", i), 0).ok {
					passed++
				}
				if i%97 == 0 && tab.take(victim, 0).ok {
					t.Fatalf("passed after %d made up keys", i)
				}
			}
			// Each slot and each counter of the spill has let ten pass, and no more.
			if most := (160 + tableShards*spills) * 10; passed > most {
				t.Errorf("%d passed, want at most %d", passed, most)
			}
			for i := range tab.shards {
				if sh := &tab.shards[i]; len(sh.slots) > 10 || len(sh.at) > 10 {
					t.Errorf("got %d slots and %d keys in a shard, want at most 10", len(sh.slots), len(sh.at))
				}
			}
			// What is whole again makes room.
			const later = 1000 * second
			if v := tab.take([]byte("newcomer"), later); !v.ok || v.left != 9 {
				t.Errorf("got %+v for a newcomer, want a limit of its own", v)
			}
		})
	}
}

// M5: a newcomer that was counted with others keeps that when it gets a slot.
func TestSpillIsKept(t *testing.T) {
	for name, r := range rules {
		tab := newTable(r, 16) // a slot in each shard, which is taken
		for i := range tab.shards {
			sh := &tab.shards[i]
			sh.at, sh.slots = map[uint64]uint32{1: 0}, make([]slot, 1)
			sh.slots[0].hash = 1
			for range 10 {
				r.take(&sh.slots[0].state, 0)
			}
		}
		var used [][]byte // of the spill, which have nothing left
		for i := 0; len(used) < 100; i++ {
			key := fmt.Appendf(nil, "second %d", i)
			for range 11 {
				tab.take(key, 5*second)
			}
			used = append(used, key)
		}
		later := 11 * second // the slots are whole again, and the spill is not
		if name == "sliding" {
			later = 21 * second
		}
		for _, key := range used[:20] {
			if v := tab.take(key, later); v.left > 6 {
				t.Errorf("%s: got %+v, want what was counted before", name, v)
			}
		}
	}
}

// The table is safe for concurrent use, and counts exactly.
func TestTableAtOnce(t *testing.T) {
	for name, r := range rules {
		tab := newTable(r, 0)
		var all sync.WaitGroup
		var mu sync.Mutex
		passed := map[byte]int{}
		for range 8 {
			all.Go(func() {
				for i := range 1000 {
					if key := byte(i % 7); tab.take([]byte{key}, 0).ok {
						mu.Lock()
						passed[key]++
						mu.Unlock()
					}
				}
			})
		}
		all.Wait()
		for key, n := range passed {
			if n != 10 {
				t.Errorf("%s: %d of key %d passed, want 10", name, n, key)
			}
		}
	}
}

// passing is how many of a client's requests pass at that time.
func passing(r rule, s state, now int64) (n int64) {
	for r.take(&s, now).ok {
		n++
	}
	return n
}

// M5: what a rule lets pass in any span is bounded; what is left is exactly what
// passes, and it says to the nanosecond until when.
func TestRules(t *testing.T) {
	for name, r := range rules {
		most := map[string]int{"bucket": 20, "fixed": 20, "sliding": 19}[name] // in any ten seconds
		for seed := range uint64(60) {
			random := rand.New(rand.NewPCG(seed, 1))
			var s state
			var passed []int64
			now := int64(0)
			for range 300 {
				now += random.Int64N(2*second) * random.Int64N(3)
				before := passing(r, s, now)
				v := r.take(&s, now)
				if v.ok {
					passed = append(passed, now)
				}
				if left := max(0, before-1); v.ok != (before > 0) || v.left != left || passing(r, s, now) != left {
					t.Fatalf("%s, %d: got %+v when %d would pass, and then %d", name, seed, v, before, passing(r, s, now))
				}
				if v.next <= 0 || passing(r, s, now+int64(v.next)-1) != v.left || passing(r, s, now+int64(v.next)) <= v.left {
					t.Fatalf("%s, %d: got %+v, but %d pass just before, and %d then", name, seed, v, passing(r, s, now+int64(v.next)-1), passing(r, s, now+int64(v.next)))
				}
			}
			for i := range passed {
				n := 0
				for _, at := range passed[i:] {
					if at-passed[i] < 10*second {
						n++
					}
				}
				if n > most {
					t.Fatalf("%s, %d: %d passed in ten seconds, want at most %d", name, seed, n, most)
				}
			}
		}
	}
}

// M5: large limits and long spans do not overflow, and neither does a time that
// is a little earlier than the last, as another goroutine has read it.
func TestRulesAtLimits(t *testing.T) {
	const year = 366 * 24 * 3600 * second
	for name, r := range map[string]rule{
		"bucket":  bucket{every: year / math.MaxInt32, burst: math.MaxInt32},
		"fixed":   fixed{per: year, limit: math.MaxInt32},
		"sliding": sliding{per: year, limit: math.MaxInt32},
	} {
		s := state{at: year, now: math.MaxInt32 - 1, before: 0}
		if b, ok := r.(bucket); ok {
			s.at += b.every * (b.burst - 1)
		}
		for _, now := range []int64{year, year - 1000} {
			if v := r.take(&s, now); v.left != 0 || v.next <= 0 || int64(v.next) > 2*year {
				t.Errorf("%s at %d: got %+v, want none left", name, now, v)
			}
		}
		if v := r.take(&s, 4*year); !v.ok || v.left != math.MaxInt32-1 {
			t.Errorf("%s: got %+v, want all", name, v)
		}
	}
	s := state{at: 0, now: math.MaxInt32 / 2, before: math.MaxInt32}
	if v := (sliding{per: year, limit: math.MaxInt32}).take(&s, year/2); v.ok || v.left != 0 || v.next <= 0 || int64(v.next) > year/2 {
		t.Errorf("two windows: got %+v", v)
	}
}
