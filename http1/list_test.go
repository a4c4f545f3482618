package http1

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestHasToken(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  bool
	}{
		{"close", true},
		{"CLOSE", true},
		{"a, close", true},
		{"a,close ,b", true},
		{",,\tclose", true},
		{"", false},
		{",", false},
		{"closed", false},
		{"clos", false},
		{"close;q=1", false},
		{"a close", false},
		{`"close"`, false},
	} {
		if got := HasToken([]byte(tt.value), "close"); got != tt.want {
			t.Errorf("HasToken(%q): got %v, want %v", tt.value, got, tt.want)
		}
	}
	for _, none := range []string{"a,b", "", ","} {
		if HasToken([]byte("a,,b"), none) || HasToken(nil, none) {
			t.Errorf("HasToken: got %q as an element", none)
		}
	}
}

// H19: a list is all lines of its field, in any case, and not the first one alone.
func TestHeadHasToken(t *testing.T) {
	const lines = "X-A: 1\r\nConnection: keep-alive\r\nX-B: 2\r\nCONNECTION:\r\nconnection: X-Hop ,, close\r\nConnections: x-c\r\n\r\n"
	req := parse(t, "GET / HTTP/1.1\r\nHost: a\r\n"+lines)
	var res Response
	if n, err := res.Parse([]byte("HTTP/1.1 200 OK\r\n"+lines), nil); n == 0 || err != nil {
		t.Fatal(n, err)
	}
	for token, want := range map[string]bool{"keep-alive": true, "x-hop": true, "CLOSE": true, "x-a": false, "x-c": false, "": false} {
		if got := req.HasToken("Connection", token); got != want {
			t.Errorf("request, %q: got %v, want %v", token, got, want)
		}
		if got := res.HasToken("Connection", token); got != want {
			t.Errorf("response, %q: got %v, want %v", token, got, want)
		}
	}
	if req.KeepAlive() || res.KeepAlive() {
		t.Error("close on the third line: got keep-alive")
	}
}

// G12: what is for one connection only, by its nature or because any line of Connection says so.
func TestHopByHop(t *testing.T) {
	for _, tt := range []struct{ connection, names, not string }{
		{"", "Connection KEEP-ALIVE te Trailer Transfer-Encoding Upgrade Proxy-Connection Proxy-Authorization proxy-authenticate Close HTTP2-Settings", "Content-Type Tee X-Hop Content-Length"},
		{"Connection: close\r\n", "close", "x-hop"},
		{"Connection: x-hop\r\n", "X-Hop", "x-hopp x-ho"},
		{"Connection: keep-alive\r\nConnection: x-a, X-B\r\n", "x-a x-b", "x-c"},
		{"Connection: x-a\r\nConnection: close\r\nX-C: x-d\r\nConnection: x-b\r\n", "x-a x-b", "x-c x-d"},
	} {
		h := parse(t, "GET / HTTP/1.1\r\nHost: a\r\n"+tt.connection+"\r\n")
		for _, name := range strings.Fields(tt.names) {
			if h.ClassOf([]byte(name))&HopByHop == 0 {
				t.Errorf("%q: %s: got false, want true", tt.connection, name)
			}
		}
		for _, name := range append(strings.Fields(tt.not), "") {
			if h.ClassOf([]byte(name))&HopByHop != 0 {
				t.Errorf("%q: %s: got true, want false", tt.connection, name)
			}
		}
	}
}

// FuzzList compares lists with the standard library's way of taking them apart.
func FuzzList(f *testing.F) {
	for _, s := range []string{"close", " a,,\tB ;x, ", "a\tb", ",", "\x00,\xff", `"a,b"`} {
		f.Add(s, "close")
		f.Add("K"+s, "b ;x") // Kelvin's sign is not a k here
	}
	f.Fuzz(func(t *testing.T, list, token string) {
		var want []string
		for e := range strings.SplitSeq(list, ",") {
			if e = strings.Trim(e, " \t"); e != "" {
				want = append(want, e)
			}
		}
		var got []string
		for e := range Elements([]byte(list)) {
			got = append(got, string(e))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got the elements %q, want %q", list, got, want)
		}
		has := slices.ContainsFunc(want, func(e string) bool { return asciiLower(e) == asciiLower(token) })
		if got := HasToken([]byte(list), token); got != has {
			t.Errorf("%q has %q: got %v, want %v", list, token, got, has)
		}
	})
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func ExampleHasToken() {
	fmt.Println(HasToken([]byte("keep-alive, Upgrade"), "upgrade"))
	// Output: true
}

func ExampleElements() {
	for e := range Elements([]byte("Accept, , Origin")) {
		fmt.Printf("%s\n", e)
	}
	// Output:
	// Accept
	// Origin
}
