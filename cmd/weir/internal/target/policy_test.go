package target

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// targets are healthy, idle candidates of the given weights.
func targets(weights ...int) []Candidate {
	c := make([]Candidate, len(weights))
	for i, w := range weights {
		c[i] = Candidate{ID: ID("replica", fmt.Sprint(i)), Weight: w, Healthy: true}
	}
	return c
}

func policy(t testing.TB, name string, n int) Policy {
	t.Helper()
	p, err := New(name, n, rand.New(rand.NewPCG(1, 2)).Uint64)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// picks counts n picks of idle candidates, with a key of their own each.
func picks(p Policy, c []Candidate, n int) []int {
	count := make([]int, len(c))
	for i := range n {
		count[p.Pick(c, KeyOf(fmt.Sprint("key", i)))]++
	}
	return count
}

// TestRules is what holds for every policy, with a key and without.
func TestRules(t *testing.T) {
	down := func(c []Candidate) { c[1].Healthy = false }
	full := func(c []Candidate) { c[1].Max, c[1].Outstanding = 3, 3 }
	tests := []struct {
		name   string
		change func([]Candidate)
		want   []int // those that may be picked
	}{
		{"all are free", func([]Candidate) {}, []int{0, 1, 2}},
		{"G20: one is down", down, []int{0, 2}},
		{"one is full", full, []int{0, 2}},
		{"one has one place left", func(c []Candidate) { c[1].Max = 1 }, []int{0, 1, 2}},
		{"one is left", func(c []Candidate) { down(c); c[0].Healthy = false }, []int{2}},
		{"none is left", func(c []Candidate) { full(c); c[0].Healthy, c[2].Healthy = false, false }, []int{-1}},
		{"weight 0 is 1", func(c []Candidate) { c[0].Weight = 0 }, []int{0, 1, 2}},
	}
	for _, name := range Names() {
		for _, tt := range tests {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				c := targets(1, 1, 1)
				tt.change(c)
				p := policy(t, name, len(c))
				seen := map[int]bool{}
				for i := range 600 {
					key := Key(0)
					if i%2 == 0 {
						key = KeyOf(fmt.Sprint(i))
					}
					got := p.Pick(c, key)
					seen[got] = true
					if !slices.Contains(tt.want, got) {
						t.Fatalf("got %d, want one of %v", got, tt.want)
					}
				}
				if len(seen) != len(tt.want) {
					t.Errorf("got %v, want each of %v", seen, tt.want)
				}
			})
		}
		t.Run(name+"/no candidates", func(t *testing.T) {
			for _, key := range []Key{0, 1} {
				if got := policy(t, name, 0).Pick(nil, key); got != -1 {
					t.Errorf("got %d, want -1", got)
				}
			}
		})
	}
}

func TestUnknownPolicy(t *testing.T) {
	if p, err := New("fastest", 1, nil); err == nil || p != nil {
		t.Errorf("got %v and error %v, want an error", p, err)
	}
}

// TestWeights: idle candidates are picked as often as their weights say. Those
// policies that know no chance and no hash are exact.
func TestWeights(t *testing.T) {
	const n = 60_000
	for name, tolerance := range map[string]float64{
		"round_robin": 0, "least_outstanding": 0, "p2c": 0.02, "prefix_hash": 0.02, "session": 0.02,
	} {
		t.Run(name, func(t *testing.T) {
			c := targets(1, 2, 3)
			got := picks(policy(t, name, len(c)), c, n)
			for i, w := range []float64{1, 2, 3} {
				want := n * w / 6
				if d := float64(got[i]) - want; d > 1+want*tolerance || d < -1-want*tolerance {
					t.Errorf("weight %v: got %d picks of %d, want %v within %v%%", w, got[i], n, want, tolerance*100)
				}
			}
		})
	}
}

// TestManyLoops: goroutines that share a policy get what one of them would.
func TestManyLoops(t *testing.T) {
	const loops, each = 8, 3000
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			p, err := New(name, 3, nil)
			if err != nil {
				t.Fatal(err)
			}
			counts := make([][]int, loops)
			var wg sync.WaitGroup
			for l := range loops {
				wg.Go(func() { counts[l] = picks(p, targets(1, 2, 3), each) })
			}
			wg.Wait()
			total := make([]float64, 3)
			for _, count := range counts {
				for i, n := range count {
					total[i] += float64(n)
				}
			}
			for i, w := range []float64{1, 2, 3} {
				if share := total[i] / (loops * each); share < w/6-0.03 || share > w/6+0.03 {
					t.Errorf("weight %v: got a share of %.3f, want %.3f", w, share, w/6)
				}
			}
		})
	}
}

func TestRoundRobinIsSmooth(t *testing.T) {
	tests := []struct {
		weights []int
		want    string
	}{
		{[]int{1}, "aaaa"},
		{[]int{1, 1, 1}, "abcabcabc"},
		{[]int{5, 1, 1}, "aaabcaaaaabcaa"},
		{[]int{3, 2}, "ababaababa"},
		{[]int{2, 1}, "abaaba"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.weights), func(t *testing.T) {
			c := targets(tt.weights...)
			p := policy(t, "round_robin", len(c))
			var got []byte
			for range len(tt.want) {
				got = append(got, 'a'+byte(p.Pick(c, 0)))
			}
			if string(got) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestNoBurstOnReturn: who was away is not given all the turns it has missed.
func TestNoBurstOnReturn(t *testing.T) {
	c := targets(1, 1)
	p := policy(t, "round_robin", len(c))
	c[1].Healthy = false
	for range 100 {
		p.Pick(c, 0)
	}
	c[1].Healthy = true
	if got := picks(p, c, 20); got[0] < 9 || got[0] > 11 {
		t.Errorf("got %v, want both to have 10 of 20 turns, within 1", got)
	}
}

// TestTurnsOverflow: virtual time wraps around unnoticed.
func TestTurnsOverflow(t *testing.T) {
	tr := newTurns(2)
	start := ^uint64(0) - 10*stride
	tr.now.Store(start)
	c := targets(1, 1)
	count := [2]int{}
	for range 100 {
		count[tr.take(c, nil)]++
	}
	if count != [2]int{50, 50} || tr.now.Load() > start {
		t.Errorf("got %v at time %d, want 50 turns each and the time wrapped around", count, tr.now.Load())
	}
}

func TestLeastOutstanding(t *testing.T) {
	tests := []struct {
		outstanding, weights []int
		want                 int
	}{
		{[]int{2, 1, 3}, []int{1, 1, 1}, 1},
		{[]int{2, 1, 3}, []int{4, 1, 1}, 0}, // 2/4 is less than 1/1
		{[]int{3, 2, 0}, []int{1, 1, 1}, 2},
		{[]int{5, 9, 7}, []int{1, 3, 2}, 1}, // 9/3 is less than 7/2
	}
	for _, tt := range tests {
		c := targets(tt.weights...)
		for i, n := range tt.outstanding {
			c[i].Outstanding = n
		}
		for range 3 {
			if got := policy(t, "least_outstanding", len(c)).Pick(c, 0); got != tt.want {
				t.Errorf("%v of weights %v: got %d, want %d", tt.outstanding, tt.weights, got, tt.want)
			}
		}
	}
}

// TestTwoChoices: of two candidates the one with less to do is always taken, of
// three the one with the most never.
func TestTwoChoices(t *testing.T) {
	c := targets(1, 1, 1)
	c[0].Outstanding, c[1].Outstanding, c[2].Outstanding = 2, 5, 3
	p := policy(t, "p2c", len(c))
	got := picks(p, c, 3000)
	if got[1] != 0 || got[0] < 1900 || got[0] > 2100 {
		t.Errorf("got %v, want two thirds, none, one third", got)
	}
}
