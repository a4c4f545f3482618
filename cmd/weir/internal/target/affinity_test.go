package target

import (
	"fmt"
	"math"
	"testing"
)

const keys = 20_000

func placed(p Policy, c []Candidate) []int {
	at := make([]int, keys)
	for i := range at {
		at[i] = p.Pick(c, KeyOf(fmt.Sprint("conversation ", i)))
	}
	return at
}

// TestOnlyTheLeaversKeysMove: when a member leaves, the keys of all others stay,
// its own scatter over all others, and all are back when it is.
func TestOnlyTheLeaversKeysMove(t *testing.T) {
	for _, name := range []string{"prefix_hash", "session"} {
		t.Run(name, func(t *testing.T) {
			c := targets(1, 1, 2, 1)
			p := policy(t, name, len(c))
			before := placed(p, c)
			c[2].Healthy = false
			without := placed(p, c)
			moved := make([]int, len(c))
			for i := range before {
				switch {
				case before[i] == 2:
					moved[without[i]]++
				case without[i] != before[i]:
					t.Fatalf("key %d: got %d, want it to stay at %d", i, without[i], before[i])
				}
			}
			for _, i := range []int{0, 1, 3} {
				if want := keys * 2 / 5 / 3; math.Abs(float64(moved[i]-want)) > float64(want)/10 {
					t.Errorf("got %d of the leaver's keys at %d, want %d within 10%%", moved[i], i, want)
				}
			}
			c[2].Healthy = true
			for i, at := range placed(p, c) {
				if at != before[i] {
					t.Fatalf("key %d: got %d, want it back at %d", i, at, before[i])
				}
			}
		})
	}
}

// TestPlaceDoesNotCount: a key goes by what a candidate is, not by where it
// stands in the list, so that an edited configuration moves little.
func TestPlaceDoesNotCount(t *testing.T) {
	c := targets(1, 2, 3)
	turned := []Candidate{c[2], c[0], c[1]}
	p := policy(t, "prefix_hash", len(c))
	for i := range 1000 {
		k := KeyOf(fmt.Sprint(i))
		if a, b := c[p.Pick(c, k)].ID, turned[p.Pick(turned, k)].ID; a != b {
			t.Fatalf("key %d: got %x and %x, want the same", i, a, b)
		}
	}
}

// TestPlacesAreKnown: the hashes are part of the contract between processes.
func TestPlacesAreKnown(t *testing.T) {
	if got, want := KeyOf("conversation"), Key(0xf017d12162238c46); got != want {
		t.Errorf("got key %#x, want %#x", got, want)
	}
	if got, want := ID("vllm-a", "qwen"), uint64(0x8c83dc72eea02950); got != want {
		t.Errorf("got ID %#x, want %#x", got, want)
	}
	if KeyOf("x") != KeyOf([]byte("x")) {
		t.Error("a string and its bytes have different keys, want one")
	}
	if got := KeyOf(""); got != 0 {
		t.Errorf("got key %#x for no name, want 0", got)
	}
	if ID("a", "bc") == ID("ab", "c") {
		t.Error("the names run into each other")
	}
}

// TestBoundedLoad: whatever the keys are, and be they all the same, no replica
// has more than 1.25 times its share, or slack requests.
func TestBoundedLoad(t *testing.T) {
	tests := []struct {
		name    string
		weights []int
		key     func(i int) Key
	}{
		{"one key", []int{1, 1, 1, 1}, func(int) Key { return 7 }},
		{"one key, weights", []int{5, 1, 2}, func(int) Key { return 7 }},
		{"three keys", []int{1, 1, 1, 1}, func(i int) Key { return Key(i%3 + 1) }},
		{"many keys", []int{1, 2, 3}, func(i int) Key { return KeyOf(fmt.Sprint(i)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := targets(tt.weights...)
			p := policy(t, "prefix_hash", len(c))
			weight := 0
			for _, w := range tt.weights {
				weight += w
			}
			for i := range 2000 {
				at := p.Pick(c, tt.key(i))
				c[at].Outstanding++
				share := float64((i+1)*tt.weights[at]) / float64(weight)
				if most := max(slack, int(math.Ceil(1.25*share))); c[at].Outstanding > most {
					t.Fatalf("request %d: got %d at %d, want %d at most", i, c[at].Outstanding, at, most)
				}
			}
		})
	}
}

// TestSpill: what is too much for a key's own replica goes to the one that
// would have it if that were gone.
func TestSpill(t *testing.T) {
	for i := range 100 {
		k := KeyOf(fmt.Sprint(i))
		c := targets(1, 1, 1, 1)
		p := policy(t, "prefix_hash", len(c))
		first := p.Pick(c, k)
		c[first].Healthy = false
		second := p.Pick(c, k)
		c[first].Healthy, c[first].Outstanding = true, slack
		if got := p.Pick(c, k); got != second {
			t.Fatalf("key %d: got %d, want %d", i, got, second)
		}
		c[first].Outstanding = slack - 1
		if got := p.Pick(c, k); got != first {
			t.Fatalf("key %d: got %d, want %d, which has a few only", i, got, first)
		}
	}
}

// TestSessionStaysUnderLoad: a session is where its state is.
func TestSessionStaysUnderLoad(t *testing.T) {
	c := targets(1, 1, 1)
	p := policy(t, "session", len(c))
	k := KeyOf("alice")
	home := p.Pick(c, k)
	c[home].Outstanding = 1000
	if got := p.Pick(c, k); got != home {
		t.Errorf("got %d, want %d", got, home)
	}
}

// TestNoKeyIsLeastOutstanding: requests without a session or messages.
func TestNoKeyIsLeastOutstanding(t *testing.T) {
	for _, name := range []string{"prefix_hash", "session"} {
		c := targets(1, 1, 1)
		c[0].Outstanding, c[2].Outstanding = 1, 1
		if got := policy(t, name, len(c)).Pick(c, 0); got != 1 {
			t.Errorf("%s: got %d, want 1", name, got)
		}
	}
}
