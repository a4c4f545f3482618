//go:build !race

package target

import "testing"

func TestNoAllocations(t *testing.T) {
	c := targets(1, 2, 3, 4)
	for _, name := range Names() {
		for _, key := range []Key{0, 7} {
			p, err := New(name, len(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := testing.AllocsPerRun(1000, func() { p.Pick(c, key) }); got != 0 {
				t.Errorf("%s: got %v allocations a pick, want 0", name, got)
			}
		}
	}
	messages := []byte(`[` + system + `,` + hello + `]`)
	if got := testing.AllocsPerRun(1000, func() {
		var p Prefix
		p.Add(messages)
		_ = p.Key() + KeyOf("alice") + KeyOf(messages)
	}); got != 0 {
		t.Errorf("got %v allocations a key, want 0", got)
	}
}
