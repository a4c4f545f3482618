package middleware_test

import (
	"io"
	"strings"
	"testing"

	"weir"
	"weir/middleware"
	"weir/weirtest"
)

// M6: the client is the last hop that is not a proxy. Attempts to be another one
// change nothing. The peer of all is 192.0.2.1.
func TestClientAddr(t *testing.T) {
	const peer = "192.0.2.1"
	trusted := middleware.MustPeers("192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32")
	for _, tt := range []struct {
		name    string
		clients *middleware.Clients
		fields  string
		want    string
	}{
		{"nobody is believed", nil, "|X-Forwarded-For: 203.0.113.9", peer},
		{"the peer is not", &middleware.Clients{Proxies: middleware.MustPeers("10.0.0.0/8")}, "|X-Forwarded-For: 203.0.113.9", peer},
		{"no field", &middleware.Clients{Proxies: trusted}, "", peer},
		{"one", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: 203.0.113.9", "203.0.113.9"},
		{"spoofed", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: 127.0.0.1, 203.0.113.9", "203.0.113.9"},
		{"spoofed as a proxy", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: 10.1.1.1, 203.0.113.9", "203.0.113.9"},
		{"spoofed by a line", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: 127.0.0.1|X-Forwarded-For: 203.0.113.9", "203.0.113.9"},
		{"spoofed in another field", &middleware.Clients{Proxies: trusted}, "|X-Real-IP: 127.0.0.1|Forwarded: for=127.0.0.1|X-Forwarded-For: 203.0.113.9", "203.0.113.9"},
		{"spoofed without the field", &middleware.Clients{Proxies: trusted}, "|X-Real-IP: 127.0.0.1|Forwarded: for=127.0.0.1", peer},
		{"through several", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.0.0.1|X-Forwarded-For: 10.0.0.2", "203.0.113.9"},
		{"all are proxies", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: 10.0.0.1, 10.0.0.2", "10.0.0.1"},
		{"unknown", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: 1.1.1.1, unknown", peer},
		{"unknown behind a proxy", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: 1.1.1.1, unknown, 10.0.0.1, 10.0.0.2", "10.0.0.1"},
		{"rubbish", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: 1.1.1.1, <script>", peer},
		{"a zone", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: fe80::1%eth0", peer},
		{"empty elements", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: , 203.0.113.9, ,", "203.0.113.9"},
		{"with a port", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: 203.0.113.9:4711", "203.0.113.9"},
		{"IPv6", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: 2001:4860::8", "2001:4860::8"},
		{"IPv6 with a port", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: [2001:4860::8]:4711", "2001:4860::8"},
		{"IPv4 in IPv6", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: ::ffff:203.0.113.9", "203.0.113.9"},
		{"another field", &middleware.Clients{Proxies: trusted, Field: "X-Real-IP"}, "|X-Forwarded-For: 127.0.0.1|X-Real-IP: 203.0.113.9", "203.0.113.9"},
		{"Forwarded", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, "|Forwarded: for=1.1.1.1, for=203.0.113.9;proto=https;by=10.0.0.1|X-Forwarded-For: 127.0.0.1", "203.0.113.9"},
		{"Forwarded, IPv6", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: proto=https; For="[2001:4860::8]:4711"`, "2001:4860::8"},
		{"Forwarded, obfuscated", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: for=1.1.1.1, for=_hidden`, peer},
		{"Forwarded, twice in one", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: for=1.1.1.1;for=2.2.2.2`, peer},
		{"Forwarded, a comma in quotes", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: host="a,for=1.1.1.1";for=203.0.113.9`, "203.0.113.9"},
		{"Forwarded, a pair in quotes", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: for=203.0.113.9;host="a,for=1.1.1.1;x="`, "203.0.113.9"},
		{"Forwarded, escaped quotes", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: for=203.0.113.9;host="a\",for=1.1.1.1;x=\""`, "203.0.113.9"},
		{"Forwarded, an open quote in front", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: for="1.1.1.1, for="[2001:4860::8]:4711"`, "2001:4860::8"},
		{"Forwarded, an open quote in a line", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: for="1.1.1.1|Forwarded: for=203.0.113.9`, "203.0.113.9"},
		{"Forwarded, an open quote", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: for=1.1.1.1, for="203.0.113.9`, peer},
		{"Forwarded, behind a quote", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: for="203.0.113.9"x`, peer},
		{"Forwarded, empty", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: for=;for=1.1.1.1`, peer},
		{"Forwarded, with a port", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: for=203.0.113.9:4711;`, "203.0.113.9"},
		{"Forwarded, through several", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: for=1.1.1.1, for=203.0.113.9, for="10.0.0.1:80",`, "203.0.113.9"},
		{"Forwarded, an element that says nothing", &middleware.Clients{Proxies: trusted, Field: "Forwarded"}, `|Forwarded: for=203.0.113.9, ;`, peer},
		{"a quote of nothing", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: 1.1.1.1, \", 10.0.0.1", "10.0.0.1"},
		{"a long list", &middleware.Clients{Proxies: trusted}, "|X-Forwarded-For: " + strings.Repeat("1.1.1.1,", 1500) + "203.0.113.9", "203.0.113.9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at(t, around(func(w *weir.Response, r *weir.Request) { _, _ = io.WriteString(w, tt.clients.Addr(r).String()) }), func(s *weirtest.Server) {
				if got := ask(s, "GET /"+tt.fields).Body; got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// M6: so is the scheme.
func TestClientSecure(t *testing.T) {
	trusted := middleware.MustPeers("192.0.2.0/24")
	for _, tt := range []struct {
		clients *middleware.Clients
		fields  string
		want    string
	}{
		{nil, "|X-Forwarded-Proto: https", "no"},
		{&middleware.Clients{Proxies: middleware.MustPeers("10.0.0.0/8")}, "|X-Forwarded-Proto: https", "no"},
		{&middleware.Clients{Proxies: trusted}, "|X-Forwarded-Proto: https", "yes"},
		{&middleware.Clients{Proxies: trusted}, "|X-Forwarded-Proto: https, http", "no"},
		{&middleware.Clients{Proxies: trusted}, "|X-Forwarded-Proto: http, https", "yes"},
		{&middleware.Clients{Proxies: trusted}, "", "no"},
		{&middleware.Clients{Proxies: trusted}, "|Forwarded: proto=https", "no"},
		{&middleware.Clients{Proxies: trusted, Field: "forwarded"}, `|Forwarded: proto=http, for=1.1.1.1;proto="https"`, "yes"},
		{&middleware.Clients{Proxies: trusted, Field: "forwarded"}, `|Forwarded: proto=https;host="a, b", proto=http;host="a,proto=https"`, "no"},
	} {
		at(t, around(func(w *weir.Response, r *weir.Request) {
			_, _ = io.WriteString(w, map[bool]string{true: "yes", false: "no"}[tt.clients.Secure(r)])
		}), func(s *weirtest.Server) {
			if got := ask(s, "GET /"+tt.fields).Body; got != tt.want {
				t.Errorf("%+v, %s: got %s, want %s", tt.clients, tt.fields, got, tt.want)
			}
		})
	}
}

func TestParsePeers(t *testing.T) {
	if _, err := middleware.ParsePeers("10.0.0.0/8", "all"); err == nil {
		t.Error("got no error")
	}
	if !panics(func() { middleware.MustPeers("all") }) {
		t.Error("does not panic")
	}
}
