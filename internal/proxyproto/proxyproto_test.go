package proxyproto

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
)

// binaryHeader is a header of version 2.
func binaryHeader(command, family byte, parts ...string) string {
	rest := strings.Join(parts, "")
	head := append([]byte(signature), command, family, byte(len(rest)>>8), byte(len(rest)))
	return string(head) + rest
}

// extension is one of them.
func extension(kind byte, value string) string {
	return string([]byte{kind, byte(len(value) >> 8), byte(len(value))}) + value
}

// summed sets the checksum, whose extension must be the header's last.
func summed(header string) string {
	b := []byte(header)
	binary.BigEndian.PutUint32(b[len(b)-4:], sum(b, len(b)-4))
	return string(b)
}

const (
	ipv4 = "\xc0\x00\x02\x01\xc6\x33\x64\x02\x12\x67\x00\x50"
	ipv6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\x12\x67\x00\x50"
	in6  = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x02" + "\x12\x67\x00\x50"
)

// good are headers, with the client that they name.
var good = []struct{ name, header, client string }{
	{"TCP4", "PROXY TCP4 192.0.2.1 198.51.100.2 4711 80\r\n", "192.0.2.1:4711"},
	{"TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 4711 80\r\n", "[2001:db8::1]:4711"},
	{"IPv4 in IPv6", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 4711 80\r\n", "192.0.2.1:4711"},
	{"port 0", "PROXY TCP4 192.0.2.1 198.51.100.2 0 65535\r\n", "192.0.2.1:0"},
	{"the longest", "PROXY TCP6 ffff:f...f:ffff", ""}, // see init
	{"unknown", "PROXY UNKNOWN\r\n", ""},
	{"unknown, with addresses", "PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n", ""},
	{"version 2, TCP over IPv4", binaryHeader(0x21, 0x11, ipv4), "192.0.2.1:4711"},
	{"version 2, TCP over IPv6", binaryHeader(0x21, 0x21, ipv6), "[2001:db8::1]:4711"},
	{"version 2, IPv4 in IPv6", binaryHeader(0x21, 0x21, in6), "192.0.2.1:4711"},
	{"LOCAL", binaryHeader(0x20, 0x00), ""},
	{"LOCAL with addresses", binaryHeader(0x20, 0x11, ipv4), ""},
	{"LOCAL of an unknown family", binaryHeader(0x20, 0xff, "whatever"), ""},
	{"LOCAL without its addresses", binaryHeader(0x20, 0x11), ""},
	{"LOCAL with half an extension", binaryHeader(0x20, 0x11, ipv4, "\x01\x00"), ""},
	{"UNSPEC", binaryHeader(0x21, 0x00), ""},
	{"UNSPEC with bytes", binaryHeader(0x21, 0x00, "whatever"), ""},
	{"UDP", binaryHeader(0x21, 0x12, ipv4), ""},
	{"unix", binaryHeader(0x21, 0x31, strings.Repeat("\x00", 216)), ""},
	{"extensions", binaryHeader(0x21, 0x11, ipv4, extension(1, "http/1.1"), extension(4, ""), extension(0xe0, "\x01\x02")), "192.0.2.1:4711"},
	{"the longest extension", binaryHeader(0x21, 0x11, ipv4, extension(0x20, strings.Repeat("x", MaxSize-fixed-12-3))), "192.0.2.1:4711"},
	{"checksum", summed(binaryHeader(0x21, 0x11, ipv4, extension(1, "h2"), extension(3, "\x00\x00\x00\x00"))), "192.0.2.1:4711"},
}

// bad are headers that are none, or not of these versions.
var bad = map[string]string{
	"a request":                   "GET / HTTP/1.1\r\n",
	"TLS":                         "\x16\x03\x01\x02\x00",
	"in lower case":               "proxy TCP4 192.0.2.1 198.51.100.2 4711 80\r\n",
	"no family":                   "PROXY \r\n",
	"another family":              "PROXY TCP5 192.0.2.1 198.51.100.2 4711 80\r\n",
	"UNKNOWNS":                    "PROXY UNKNOWNS\r\n",
	"of two families":             "PROXY TCP4 192.0.2.1 2001:db8::1 4711 80\r\n",
	"of the other family":         "PROXY TCP4 2001:db8::1 2001:db8::2 4711 80\r\n",
	"IPv4 as TCP6":                "PROXY TCP6 192.0.2.1 198.51.100.2 4711 80\r\n",
	"two spaces":                  "PROXY TCP4  192.0.2.1 198.51.100.2 4711 80\r\n",
	"a trailing space":            "PROXY TCP4 192.0.2.1 198.51.100.2 4711 80 \r\n",
	"a tab":                       "PROXY\tTCP4 192.0.2.1 198.51.100.2 4711 80\r\n",
	"no port":                     "PROXY TCP4 192.0.2.1 198.51.100.2 4711\r\n",
	"a large port":                "PROXY TCP4 192.0.2.1 198.51.100.2 65536 80\r\n",
	"a negative port":             "PROXY TCP4 192.0.2.1 198.51.100.2 -1 80\r\n",
	"a signed port":               "PROXY TCP4 192.0.2.1 198.51.100.2 +1 80\r\n",
	"a port with zeros":           "PROXY TCP4 192.0.2.1 198.51.100.2 0080 80\r\n",
	"a short address":             "PROXY TCP4 192.0.2 198.51.100.2 4711 80\r\n",
	"an address with zeros":       "PROXY TCP4 192.0.2.001 198.51.100.2 4711 80\r\n",
	"a name":                      "PROXY TCP4 localhost 198.51.100.2 4711 80\r\n",
	"a zone":                      "PROXY TCP6 fe80::1%eth0 2001:db8::2 4711 80\r\n",
	"LF alone":                    "PROXY TCP4 192.0.2.1 198.51.100.2 4711 80\n",
	"too long a line":             "PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n",
	"version 1 in 2":              binaryHeader(0x11, 0x11, ipv4),
	"version 3":                   binaryHeader(0x31, 0x11, ipv4),
	"an unknown command":          binaryHeader(0x22, 0x11, ipv4),
	"an unknown family":           binaryHeader(0x21, 0x41, ipv4),
	"an unknown protocol":         binaryHeader(0x21, 0x13, ipv4),
	"a wrong signature":           strings.Replace(binaryHeader(0x21, 0x11, ipv4), "QUIT", "QUIZ", 1),
	"addresses too short":         binaryHeader(0x21, 0x11, ipv4[:11]),
	"addresses too short, IPv6":   binaryHeader(0x21, 0x21, ipv4),
	"addresses too short, unix":   binaryHeader(0x21, 0x31, ipv4),
	"too long, LOCAL":             binaryHeader(0x20, 0x00, strings.Repeat("x", MaxSize-fixed+1)),
	"too long":                    binaryHeader(0x21, 0x11, ipv4, extension(0x20, strings.Repeat("x", MaxSize-fixed-12-2))),
	"half an extension":           binaryHeader(0x21, 0x11, ipv4, "\x01\x00"),
	"an extension beyond the end": binaryHeader(0x21, 0x11, ipv4, "\x01\x00\x02x"),
	"a wrong checksum":            binaryHeader(0x21, 0x11, ipv4, extension(3, "\x00\x00\x00\x01")),
	"half a checksum":             binaryHeader(0x21, 0x11, ipv4, extension(3, "\x00\x00")),
}

func init() {
	for i := range good {
		if good[i].name == "the longest" {
			const most = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
			good[i].header = "PROXY TCP6 " + most + " " + most + " 65535 65535\r\n"
			good[i].client = "[" + most + "]:65535"
		}
	}
}

// M9: every header, with and without what follows, cut at every byte.
func TestGood(t *testing.T) {
	for _, tt := range good {
		var want netip.AddrPort
		if tt.client != "" {
			want = netip.MustParseAddrPort(tt.client)
		}
		for _, rest := range []string{"", "GET / HTTP/1.1\r\n", tt.header} {
			client, n, err := Parse([]byte(tt.header + rest))
			if client != want || n != len(tt.header) || err != nil {
				t.Errorf("%s: got %v, %d, %v, want %v, %d", tt.name, client, n, err, want, len(tt.header))
			}
		}
		for cut := range len(tt.header) {
			if client, n, err := Parse([]byte(tt.header[:cut])); client.IsValid() || n != 0 || err != nil {
				t.Errorf("%s, cut at %d: got %v, %d, %v, want that more is needed", tt.name, cut, client, n, err)
				break
			}
		}
	}
}

// M9: what is none is an error, sooner or later, and stays one.
func TestBad(t *testing.T) {
	for name, header := range bad {
		failed := false
		for cut := range len(header) + 1 {
			client, n, err := Parse([]byte(header[:cut]))
			if n != 0 || client.IsValid() || failed && err == nil {
				t.Errorf("%s, cut at %d: got %v, %d, %v", name, cut, client, n, err)
			}
			failed = failed || err != nil
		}
		if !failed {
			t.Errorf("%s: got no error", name)
		}
	}
	if _, n, err := Parse(bytes.Repeat([]byte("PROXY UNKNOWN "), 8)); n != 0 || err == nil {
		t.Errorf("a line without an end: got %d, %v", n, err)
	}
}

// What is accepted is a header by itself, and its verdict does not depend on
// what follows or how it was cut.
func FuzzParse(f *testing.F) {
	for _, tt := range good {
		f.Add([]byte(tt.header))
	}
	for _, header := range bad {
		f.Add([]byte(header))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		client, n, err := Parse(p)
		if n < 0 || n > min(len(p), MaxSize) || err != nil && (n != 0 || client.IsValid()) || n == 0 && client.IsValid() {
			t.Fatalf("got %v, %d, %v", client, n, err)
		}
		failed := false
		for cut := range min(len(p), MaxSize+1) {
			part, m, perr := Parse(p[:cut])
			switch {
			case m > 0 && (m != n || part != client || perr != nil):
				t.Fatalf("cut at %d: got %v, %d, %v, want %v, %d", cut, part, m, perr, client, n)
			case perr != nil:
				failed = true
			case failed:
				t.Fatalf("cut at %d: the error is gone", cut)
			}
		}
		if failed && err == nil {
			t.Fatal("a part is an error, the whole is none")
		}
	})
}
