package http1

import (
	"net/netip"
	"strings"
	"testing"
)

// FuzzRequest puts a request head to net/http.ReadRequest: see oracle_test.go.
func FuzzRequest(f *testing.F) {
	for _, tt := range ruleCases {
		f.Add(tt.head)
	}
	f.Add(browserRequest)
	f.Add(chatRequest)
	f.Fuzz(func(t *testing.T, input string) {
		if d := agree(input); d != "" {
			t.Errorf("%q: %s", input, d)
		}
	})
}

// FuzzResponse puts a response head to net/http.ReadResponse.
func FuzzResponse(f *testing.F) {
	for _, method := range []string{"GET", "HEAD", "CONNECT"} {
		f.Add(upstreamResponse, method)
		f.Add("HTTP/1.0 204 No Content\r\nContent-Length: 5\r\n\r\n", method)
		f.Add("HTTP/1.1 200\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", method)
	}
	f.Fuzz(func(t *testing.T, input, method string) {
		if d := agreeResponse(input, method); d != "" {
			t.Errorf("%s %q: %s", method, input, d)
		}
	})
}

// FuzzSplit feeds any bytes to both parsers at once, cut in two, and byte by byte, under
// small limits and the defaults: the answer must be one (H22), and what follows a decided
// head must not change it.
func FuzzSplit(f *testing.F) {
	for _, tt := range ruleCases {
		if len(tt.head) < 300 {
			f.Add(tt.head, len(tt.head)/2)
		}
	}
	f.Add(upstreamResponse, 20)
	f.Fuzz(func(t *testing.T, input string, cut int) {
		if len(input) > 600 {
			t.Skip("byte by byte is quadratic")
		}
		cut = min(max(cut, 0), len(input))
		for _, lim := range []*Limits{nil, {Line: 24, Header: 64, Field: 24, Fields: 3}} {
			for _, p := range []parser{new(Request), new(Response)} {
				want := feed(p, input, lim)
				if got := feed(p, input, lim, cut); got != want {
					t.Errorf("%T %q cut at %d:\n got %v\nwant %v", p, input, cut, got, want)
				}
				if got := byteByByte(p, input, lim); got != want {
					t.Errorf("%T %q byte by byte:\n got %v\nwant %v", p, input, got, want)
				}
				if got := feed(p, input+poison, lim); want.decided() && got != want {
					t.Errorf("%T %q with poison:\n got %v\nwant %v", p, input, got, want)
				}
			}
		}
	})
}

// FuzzIPv6 compares addresses with net/netip, which takes zones besides.
func FuzzIPv6(f *testing.F) {
	for _, s := range []string{"::", "::1", "1:2:3:4:5:6:7:8", "1::8", "::ffff:1.2.3.4", "1:2:3:4:5:6:7::", "fe80::1%eth0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		addr, err := netip.ParseAddr(s)
		want := err == nil && addr.Is6() && !strings.Contains(s, "%")
		if got := validIPv6([]byte(s)); got != want {
			t.Errorf("validIPv6(%q): got %v, want %v", s, got, want)
		}
	})
}

// FuzzCheckField: what CheckField lets through is one field line that is read back unchanged.
func FuzzCheckField(f *testing.F) {
	f.Add("X-A", "b")
	f.Add("X\r\n", "a\r\nb")
	f.Fuzz(func(t *testing.T, name, value string) {
		if CheckField(name, value) != nil || IsFraming(name) {
			return
		}
		head := append(AppendField(AppendStatusLine(nil, 200), name, value), "\r\n"...)
		var h Response
		n, err := h.Parse(head, &Limits{Header: 1 << 20, Field: 1 << 20})
		if n != len(head) || err != nil || h.Len() != 1 {
			t.Fatalf("%q: got %d, %v, %d fields, want %d and one", head, n, err, h.Len(), len(head))
		}
		if got := string(h.Get(name)); got != strings.Trim(value, " \t") {
			t.Errorf("%q: got value %q", head, got)
		}
	})
}
