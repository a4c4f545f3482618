package middleware

import (
	"net/netip"
	"strings"
	"testing"
)

// M6: whatever a client has sent, as the field itself and as a Host that its
// proxy quotes, the element that the proxy appends is read as it was written.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"", "for=1.1.1.1", `for="1.1.1.1`, `"`, `\`, `\"`, `a\\"`, `",for=1.1.1.1;x="`, "a,for=1.1.1.1;x=", ";;=,,"} {
		f.Add(s, s)
	}
	client := netip.MustParseAddr("203.0.113.9")
	escape := strings.NewReplacer(`"`, `\"`, `\`, `\\`)
	f.Fuzz(func(t *testing.T, sent, host string) {
		for _, element := range []string{
			`for=203.0.113.9;host="` + escape.Replace(host) + `";proto=https`,
			`proto=https;host="` + escape.Replace(host) + `"; For="203.0.113.9:4711"`,
		} {
			before, last := cutLast([]byte(sent + ", " + element))
			if got := nodeOf(last, true); got != client || string(before) != sent || string(parameter(last, "proto")) != "https" {
				t.Errorf("%q, %q: got %v behind %q", sent, element, got, before)
			}
		}
	})
}
