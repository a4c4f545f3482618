package http1

import (
	"fmt"
	"testing"
)

// smugglingLines are field lines that one party may read as "Transfer-Encoding: chunked" and
// another may not; %s stands for one octet, or a few, of any value (X78).
var smugglingLines = []string{
	"%sTransfer-Encoding: chunked",
	"Transfer%sEncoding: chunked",
	"Transfer-Encoding%s: chunked",
	"Transfer-Encoding:%schunked",
	"Transfer-Encoding: %schunked",
	"Transfer-Encoding: chunked%s",
	"Transfer-Encoding: chun%sked",
	"Transfer-Encoding: x%schunked",
	"Transfer-Encoding: chunked%s x",
	"X: y%sTransfer-Encoding: chunked",
	"Transfer-Encoding%schunked",
	"Transfer-Encoding:%s",
}

// A head with such a line beside a Content-Length is refused, or the line is no
// Transfer-Encoding to anybody: never is it taken as one reading where another is near.
func TestSmuggling(t *testing.T) {
	var octets []string
	for c := range 256 {
		octets = append(octets, string([]byte{byte(c)}), string([]byte{byte(c), '\r', '\n'}), string([]byte{'\r', '\n', byte(c)}))
	}
	accepted := 0
	for _, line := range smugglingLines {
		for _, octet := range octets {
			for _, head := range []string{
				head11("Content-Length: 5", fmt.Sprintf(line, octet)),
				head11(fmt.Sprintf(line, octet), "Content-Length: 5"),
			} {
				if d := agree(head); d != "" {
					t.Fatalf("%q: %s", head, d)
				}
				var h Request
				if n, _ := h.Parse([]byte(head), nil); n != len(head) {
					continue // refused, or ended by an empty line, which nobody misses
				}
				accepted++
				if h.Chunked() || h.Get("Transfer-Encoding") != nil || h.ContentLength() != 5 {
					t.Fatalf("%q: accepted as %s", head, describe(&h))
				}
			}
		}
	}
	if accepted == 0 {
		t.Error("nothing was accepted, not even a field of another name: the test sees nothing")
	}
}

// The same for lengths: what is accepted is plainly one number.
func TestSmugglingLength(t *testing.T) {
	for _, line := range []string{"Content-Length: %s5", "Content-Length: 5%s", "Content-Length: 5%s0", "Content-Length:%s5"} {
		for c := range 256 {
			head := head11(fmt.Sprintf(line, string([]byte{byte(c)})))
			if d := agree(head); d != "" {
				t.Fatalf("%q: %s", head, d)
			}
			var h Request
			if n, _ := h.Parse([]byte(head), nil); n == 0 {
				continue
			}
			if got := string(h.Get("Content-Length")); got != fmt.Sprint(h.ContentLength()) {
				t.Fatalf("%q: got length %d of %q", head, h.ContentLength(), got)
			}
		}
	}
}
