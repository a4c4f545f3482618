package middleware

import (
	"fmt"
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

// What a rule lets pass in any span is bounded, it lets pass what it has
// promised, and it says when one more will.
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
				promised := s
				v := r.take(&s, now)
				if v.ok {
					passed = append(passed, now)
					for left, c := v.left, s; left >= 0; left-- {
						if got := r.take(&c, now).ok; got != (left > 0) {
							t.Fatalf("%s, %d: promised %d more, %d before the end got %v", name, seed, v.left, left, got)
						}
					}
				} else {
					if s != promised && r.whole(&promised, now) {
						t.Fatalf("%s, %d: refused by a client that is whole", name, seed)
					}
					c := s
					if !r.take(&c, now+int64(v.retry)).ok {
						t.Fatalf("%s, %d: refused %v after the refusal", name, seed, v.retry)
					}
					if c := s; v.retry > time.Millisecond && r.take(&c, now+int64(v.retry-time.Millisecond)).ok {
						t.Fatalf("%s, %d: passed earlier than after %v", name, seed, v.retry)
					}
				}
				if c := s; !r.whole(&c, now+int64(v.whole)) {
					t.Fatalf("%s, %d: not whole after %v", name, seed, v.whole)
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
