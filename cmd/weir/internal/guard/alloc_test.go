//go:build !race

package guard

import "testing"

// A request that no browser sends costs no allocation, and neither does one of the server's own pages.
func TestAllocations(t *testing.T) {
	p := New(Config{Hosts: []string{"gw.example"}})
	for _, host := range []string{"127.0.0.1:8080", "localhost", "GW.example:80", "[::1]:80"} {
		name := []byte(host)
		if n := testing.AllocsPerRun(100, func() {
			if p.check(loopback, name, "POST", httpFields{}) != nil {
				t.Error("got a refusal")
			}
		}); n != 0 {
			t.Errorf("%s: got %v allocations, want none", host, n)
		}
	}
}
