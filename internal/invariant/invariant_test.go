package invariant

import "testing"

// A broken invariant panics in builds with the tag, and only there.
func TestCheck(t *testing.T) {
	tests := []struct {
		name string
		cond bool
		want any
	}{
		{"holds", true, nil},
		{"broken", false, whenEnabled("invariant broken: the loop owns it")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := recovered(func() { Check(tt.cond, "the loop owns it") }); got != tt.want {
				t.Errorf("got panic %v, want %v", got, tt.want)
			}
		})
	}
}

func whenEnabled(msg string) any {
	if Enabled {
		return msg
	}
	return nil
}

func recovered(f func()) (panicked any) {
	defer func() { panicked = recover() }()
	f()
	return nil
}
