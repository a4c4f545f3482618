//go:build !race

package nethttp_test

import (
	"net"
	"net/http"
	"testing"

	"weir/nethttp"
)

// A request and its small response cost at most 22 allocations, of which 6 are
// weir's and the handler makes 2.
func TestAllocations(t *testing.T) {
	c, err := net.Dial("tcp", serve(t, nethttp.FromHTTP(http.HandlerFunc(small))))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 4<<10)
	n := testing.AllocsPerRun(1_000, func() {
		if _, err := c.Write(smallRequest); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	})
	if n > 22 {
		t.Errorf("got %v allocations, want at most 22", n)
	}
}
