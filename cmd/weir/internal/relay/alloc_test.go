//go:build !race

package relay

import "testing"

// G12: fields are told apart whatever their case, and without garbage.
func TestHopByHop(t *testing.T) {
	tests := []struct {
		name string
		want bool
	}{
		{"Connection", true}, {"KEEP-ALIVE", true}, {"te", true}, {"Transfer-Encoding", true}, {"Proxy-Authorization", true},
		{"Content-Type", false}, {"Tee", false}, {"", false},
	}
	for _, tt := range tests {
		if got := hopByHop([]byte(tt.name)); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.name, got, tt.want)
		}
		name := []byte(tt.name)
		if n := testing.AllocsPerRun(100, func() { hopByHop(name) }); n != 0 {
			t.Errorf("%q: got %v allocations, want none", tt.name, n)
		}
	}
}
