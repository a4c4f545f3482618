package invariant

import (
	"bytes"
	"testing"
)

// A broken invariant panics in builds with the tag, and only there.
func TestChecks(t *testing.T) {
	elsewhere := func(f func()) func() {
		return func() {
			done := make(chan any)
			go func() {
				defer func() { done <- recover() }()
				f()
			}()
			if p := <-done; p != nil {
				panic(p)
			}
		}
	}
	var (
		nobody, owned     Owner
		free, held, other Lock
		once, twice       Once
	)
	owned.Take()
	held.Took()
	elsewhere(other.Took)()
	twice.Do("m")
	tests := []struct {
		name   string
		check  func()
		broken bool
	}{
		{"a condition that holds", func() { Check(true, "m") }, false},
		{"one that does not", func() { Check(false, "m") }, true},
		{"no owner", func() { nobody.Check("m") }, false},
		{"the owner", func() { owned.Check("m") }, false},
		{"not the owner", elsewhere(func() { owned.Check("m") }), true},
		{"the holder of a lock", func() { held.Check("m") }, false},
		{"nobody holds it", func() { free.Check("m") }, true},
		{"another one holds it", func() { other.Check("m") }, true},
		{"a lock that is free", func() { free.Free("m") }, false},
		{"one that another one holds", func() { other.Free("m") }, false},
		{"one that is held", func() { held.Free("m") }, true},
		{"given up", func() { other.Gives(); other.Check("m") }, true},
		{"the first time", func() { once.Do("m") }, false},
		{"the second time", func() { twice.Do("m") }, true},
	}
	for _, tt := range tests {
		got := recovered(tt.check) // on this goroutine
		if want := tt.broken && Enabled; want != (got == Broken("m")) || !want && got != nil {
			t.Errorf("%s: got panic %v, want one: %v", tt.name, got, want)
		}
	}
}

// What recovers other panics lets a broken invariant pass.
func TestPass(t *testing.T) {
	if got := recovered(func() { Pass("another panic") }); got != nil {
		t.Errorf("got panic %v, want none", got)
	}
	if got := recovered(func() { Pass(Broken("m")) }); Enabled != (got == Broken("m")) {
		t.Errorf("got panic %v, want Broken where checks are enabled", got)
	}
}

func TestPoison(t *testing.T) {
	p := []byte("text")
	if Poison(p); bytes.Equal(p, []byte("text")) == Enabled {
		t.Errorf("got %q, want it overwritten: %v", p, Enabled)
	}
}

func recovered(f func()) (panicked any) {
	defer func() { panicked = recover() }()
	f()
	return nil
}
