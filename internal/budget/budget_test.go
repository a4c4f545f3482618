package budget

import "testing"

func TestBudget(t *testing.T) {
	b := New(100)
	expect := func(what string, got, want bool) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %v with %d of %d in use, want %v", what, got, b.Used(), b.Limit(), want)
		}
	}
	expect("take what there is", b.Take(100), true)
	expect("take one more", b.Take(1), false)
	b.Give(60)
	expect("the rest fits", b.Fits(60), true)
	expect("more does not", b.Fits(61), false)
	b.Owe(70)
	expect("nothing fits beside a debt", b.Fits(0), false)
	b.Give(110)
	b.Give(0)
	if b.Used() != 0 {
		t.Errorf("got %d in use, want none", b.Used())
	}
}

// Grow takes what the capacity grows by, and no more than the length that is
// announced.
func TestGrow(t *testing.T) {
	b := New(100)
	p, ok := b.Grow(nil, 10, -1)
	if !ok || cap(p) != 10 {
		t.Fatalf("got %d bytes, %v, want 10", cap(p), ok)
	}
	p = p[:10]
	if p, ok = b.Grow(p, 1, 15); !ok || cap(p) != 15 {
		t.Fatalf("got %d bytes, %v, want the 15 that are announced", cap(p), ok)
	}
	if p, ok = b.Grow(p, 1, -1); !ok || cap(p) != 15 || b.Used() != 15 {
		t.Fatalf("got %d bytes, %d counted, want 15 where there is room", cap(p), b.Used())
	}
	if q, ok := b.Grow(p, 200, -1); ok || cap(q) != 15 || b.Used() != 15 {
		t.Errorf("got %d bytes, %v, %d counted, want nothing above the limit", cap(q), ok, b.Used())
	}
}

// Zero is a part of the memory there is, and negative no limit.
func TestNew(t *testing.T) {
	if n := New(0).Limit(); n < least {
		t.Errorf("got %d, want at least %d", n, least)
	}
	if !New(-1).Take(1 << 60) {
		t.Error("got a limit, want none")
	}
}
