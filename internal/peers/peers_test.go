package peers

import (
	"net/netip"
	"strings"
	"testing"
)

func TestHas(t *testing.T) {
	for _, tt := range []struct{ list, in, out string }{
		{"", "", "127.0.0.1 ::1 unix"},
		{"loopback", "127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1", "128.0.0.1 ::2 10.0.0.1 unix"},
		{"private", "10.1.2.3 172.31.0.1 192.168.0.1 fd00::1 ::ffff:10.0.0.1", "172.32.0.1 11.0.0.1 127.0.0.1 fe80::1 unix"},
		{"unix", "unix", "127.0.0.1"},
		{"*", "unix 127.0.0.1 8.8.8.8 2001:db8::1", ""},
		{"192.0.2.7 2001:db8::/32", "192.0.2.7 ::ffff:192.0.2.7 2001:db8:1::9 2001:db8::1%eth0", "192.0.2.8 2001:db9::1 unix"},
		{"::ffff:10.0.0.0/104 ::ffff:192.0.2.9", "10.3.2.1 192.0.2.9", "11.0.0.1 192.0.2.8"},
	} {
		s, err := Parse(strings.Fields(tt.list)...)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Empty(); got != (tt.list == "") {
			t.Errorf("%q: got Empty %v", tt.list, got)
		}
		for _, addr := range strings.Fields(tt.in) {
			if !s.Has(parse(addr)) {
				t.Errorf("%q has not %s", tt.list, addr)
			}
		}
		for _, addr := range strings.Fields(tt.out) {
			if s.Has(parse(addr)) {
				t.Errorf("%q has %s", tt.list, addr)
			}
		}
	}
	for _, bad := range []string{"", "localhost", "10.0.0.0/33", "10.0.0.1:80", "::ffff:0:0/90", "Loopback", "10.0.0.0/8,10.0.0.1"} {
		if _, err := Parse(bad); err == nil || !strings.Contains(err.Error(), "want") && !strings.Contains(err.Error(), "is not an address") {
			t.Errorf("%q: got %v, want an error", bad, err)
		}
	}
}

func parse(text string) netip.Addr {
	if text == "unix" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(text)
}
