package http1

import (
	"fmt"
	"strings"
	"testing"
)

func TestClassOf(t *testing.T) {
	for class, names := range map[Class]string{
		Framing | HopByHop | NoTrailer: "transfer-encoding CONNECTION Keep-Alive Upgrade Trailer TE Proxy-Connection",
		Framing | NoTrailer:            "Content-Length Date",
		HopByHop | NoTrailer:           "Proxy-Authenticate proxy-authorization HTTP2-Settings Close",
		Forwarding | NoTrailer:         "Forwarded X-Forwarded-For x-forwarded-anything X-Real-IP True-Client-Ip CF-Connecting-IP",
		CrossOrigin | NoTrailer:        "Access-Control-Allow-Origin access-control-max-age Access-Control-Allow-Private-Network",
		NoTrailer:                      "Host Via Set-Cookie If-Match if-none-match Content-Type Vary",
		0: "Content_Length X-Date Dat Server Cookies Access-Control-Request-Method X-Forwarded X-Forwarded- If- if " +
			"Access-Control- X-Request-Id User-Agent Accept ETag Content-MD5 Ifs",
	} {
		for _, name := range strings.Fields(names) {
			if got := ClassOf(name); got != class {
				t.Errorf("%s: got %b, want %b", name, got, class)
			}
			if got := ClassOf([]byte(name)); got != class {
				t.Errorf("%s as bytes: got %b, want %b", name, got, class)
			}
			if IsFraming(name) != (class&Framing != 0) {
				t.Errorf("IsFraming(%q): got %v", name, IsFraming(name))
			}
		}
	}
	if got := ClassOf(""); got != 0 {
		t.Errorf("no name: got %b", got)
	}
}

func TestFieldSet(t *testing.T) {
	var none *FieldSet
	for _, s := range []*FieldSet{none, NewFieldSet(), NewFieldSet("")} {
		if s.Has([]byte("a")) || s.Has(nil) {
			t.Error("an empty set: got a member")
		}
	}
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("X-%d-Y", i)) // ends and lengths are the same, so that many share a slot
	}
	s := NewFieldSet(names...)
	for _, name := range names {
		if !s.Has([]byte(strings.ToLower(name))) || s.Has([]byte(name+"Y")) || s.Has([]byte("Z"+name[1:])) {
			t.Errorf("%s: got it wrong", name)
		}
	}
}

// The names are lower case, once each, and found by few looks.
func TestClassTable(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range classes.names {
		if name != asciiLower(name) || seen[name] || !IsToken(name) {
			t.Errorf("%q: want a token in lower case, once", name)
		}
		seen[name] = true
		at, looks := hashOf(name)>>classes.shift, 1
		for classes.names[classes.slots[at]-1] != name {
			at, looks = (at+1)&uint32(len(classes.slots)-1), looks+1
		}
		if looks > 4 {
			t.Errorf("%q: got %d looks, want few: choose another hash", name, looks)
		}
	}
}
