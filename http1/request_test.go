package http1

import (
	"fmt"
	"strings"
	"testing"
)

// parse parses a complete head in one call.
func parse(t *testing.T, head string) *Request {
	t.Helper()
	h := new(Request)
	if n, err := h.Parse([]byte(head), nil); n != len(head) || err != nil {
		t.Fatalf("Parse(%q): got %d, %v, want %d", head, n, err, len(head))
	}
	return h
}

func TestZeroRequest(t *testing.T) {
	var h Request
	if h.Method() != nil || h.Path() != nil || h.Get("Host") != nil || h.Len() != 0 || h.ContentLength() != -1 {
		t.Errorf("got %s, want nothing", describe(&h))
	}
	if n, err := h.Parse(nil, nil); n != 0 || err != nil {
		t.Errorf("Parse of nothing: got %d, %v, want 0, nil", n, err)
	}
}

func TestTargetForms(t *testing.T) {
	for _, tt := range []struct{ line, path, query, host string }{
		{"GET / HTTP/1.1", "/", "<nil>", "a"},
		{"GET /x/%2F HTTP/1.1", "/x/%2F", "<nil>", "a"},
		{"GET /x? HTTP/1.1", "/x", "", "a"},
		{"GET /x?y?z=/ HTTP/1.1", "/x", "y?z=/", "a"},
		{"GET //evil/.. HTTP/1.1", "//evil/..", "<nil>", "a"},
		{"GET http://b HTTP/1.1", "/", "<nil>", "b"}, // H14
		{"GET http://b?q HTTP/1.1", "/", "q", "b"},
		{"GET HTTP://b:8080/x?q HTTP/1.1", "/x", "q", "b:8080"},
		{"GET https://[::1]/x HTTP/1.1", "/x", "<nil>", "[::1]"},
		{"OPTIONS * HTTP/1.1", "*", "<nil>", "a"},
		{"CONNECT b:443 HTTP/1.1", "<nil>", "<nil>", "b:443"},
	} {
		h := parse(t, line11(tt.line))
		got := fmt.Sprintf("%s %s %s", orNil(h.Path()), orNil(h.RawQuery()), h.Host())
		if want := tt.path + " " + tt.query + " " + tt.host; got != want {
			t.Errorf("%s: got %q, want %q", tt.line, got, want)
		}
		parts := strings.Split(tt.line, " ")
		if string(h.Method()) != parts[0] || string(h.Target()) != parts[1] {
			t.Errorf("%s: got method %q, target %q", tt.line, h.Method(), h.Target())
		}
	}
}

func orNil(b []byte) string {
	if b == nil {
		return "<nil>"
	}
	return string(b)
}

// H14: the order of target and Host does not matter, and Get still shows the field.
func TestTargetHostWins(t *testing.T) {
	h := parse(t, "GET http://target/ HTTP/1.1\r\nHost: field\r\n\r\n")
	if string(h.Host()) != "target" || string(h.Get("host")) != "field" {
		t.Errorf("got host %q, field %q, want target, field", h.Host(), h.Get("host"))
	}
}

func TestFields(t *testing.T) {
	h := parse(t, head11("X-A: 1", "x-a:2", "Empty:", "Tabs: \t a\tb \t", "High: \x85\xa0 \xff", "X_A: 3"))
	for _, tt := range []struct {
		name, value string
		count       int
	}{
		{"Host", "a", 1},
		{"HOST", "a", 1},
		{"x-A", "1", 2}, // #58: kept apart
		{"Empty", "", 1},
		{"tabs", "a\tb", 1},
		{"high", "\x85\xa0 \xff", 1}, // #49
		{"X_A", "3", 1},              // #54
		{"X\x0dA", "<nil>", 0},       // one bit away from X-A
		{"X", "<nil>", 0},
		{"", "<nil>", 0},
	} {
		if got := orNil(h.Get(tt.name)); got != tt.value {
			t.Errorf("Get(%q): got %q, want %q", tt.name, got, tt.value)
		}
		if got := h.Count(tt.name); got != tt.count {
			t.Errorf("Count(%q): got %d, want %d", tt.name, got, tt.count)
		}
	}
	if h.Len() != 7 {
		t.Fatalf("Len: got %d, want 7", h.Len())
	}
	if name, value := h.Field(2); string(name) != "x-a" || string(value) != "2" {
		t.Errorf("Field(2): got %q, %q, want x-a, 2", name, value)
	}
	if name, value := h.Field(3); cap(name) != len(name) || cap(value) != 0 {
		t.Errorf("views have room to append: %d, %d", cap(name), cap(value))
	}
}

func TestRequestFraming(t *testing.T) {
	for _, tt := range []struct {
		field   string
		length  int64
		chunked bool
	}{
		{"X: 1", -1, false},
		{"Content-Length: 0", 0, false},
		{"Content-Length: 5", 5, false},
		{"content-length:\t9223372036854775807 ", 1<<63 - 1, false},
		{"Transfer-Encoding: chunked", -1, true},
		{"TRANSFER-encoding:Chunked", -1, true},
	} {
		h := parse(t, head11(tt.field))
		if h.ContentLength() != tt.length || h.Chunked() != tt.chunked {
			t.Errorf("%s: got %d, %v, want %d, %v", tt.field, h.ContentLength(), h.Chunked(), tt.length, tt.chunked)
		}
	}
}

// H4, H19, X13, X95, X96.
func TestKeepAlive(t *testing.T) {
	for _, tt := range []struct {
		version, fields string
		want            bool
	}{
		{"1.1", "", true},
		{"1.1", "Connection: close\r\n", false},
		{"1.1", "Connection: Close\r\n", false},
		{"1.1", "Connection: keep-alive\r\n", true},
		{"1.1", "Connection: close, keep-alive\r\n", false},
		{"1.1", "Connection: keep-alive ,\t CLOSE\r\n", false},
		{"1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
		{"1.1", "Connection: close\r\nConnection: keep-alive\r\n", false},
		{"1.1", "Connection: closed, x-close, close;q=1\r\n", true},
		{"1.1", "Connection: ,, close\r\n", false},
		{"1.1", "Connection:\r\n", true},
		{"1.1", "X-Connection: close\r\n", true},
		{"1.2", "", true},
		{"1.0", "", false},
		{"1.0", "Connection: keep-alive\r\n", true},
		{"1.0", "Connection: Keep-Alive\r\n", true},
		{"1.0", "Connection: close\r\n", false},
		{"1.0", "Connection: keep-alive, close\r\n", false},
	} {
		h := parse(t, "GET / HTTP/"+tt.version+"\r\nHost: a\r\n"+tt.fields+"\r\n")
		if got := h.KeepAlive(); got != tt.want {
			t.Errorf("HTTP/%s %q: got %v, want %v", tt.version, tt.fields, got, tt.want)
		}
	}
}

func TestMinor(t *testing.T) {
	for version, want := range map[string]int{"1.0": 0, "1.1": 1, "1.2": 1, "1.9": 1} {
		h := parse(t, "GET / HTTP/"+version+"\r\nHost: a\r\n\r\n")
		if got := h.Minor(); got != want {
			t.Errorf("HTTP/%s: got %d, want %d", version, got, want)
		}
	}
}

// H18, X99.
func TestExpectContinue(t *testing.T) {
	for _, tt := range []struct {
		version, fields string
		want            bool
	}{
		{"1.1", "Expect: 100-continue\r\nContent-Length: 1\r\n", true},
		{"1.1", "Transfer-Encoding: chunked\r\nExpect: 100-CONTINUE\r\n", true},
		{"1.1", "Expect: 100-continue\r\n", false},
		{"1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", false},
		{"1.1", "Content-Length: 1\r\n", false},
		{"1.1", "Expect:\r\nContent-Length: 1\r\n", false},
		{"1.0", "Expect: 100-continue\r\nContent-Length: 1\r\n", false},
	} {
		h := parse(t, "POST / HTTP/"+tt.version+"\r\nHost: a\r\n"+tt.fields+"\r\n")
		if got := h.ExpectContinue(); got != tt.want {
			t.Errorf("HTTP/%s %q: got %v, want %v", tt.version, tt.fields, got, tt.want)
		}
	}
}

// H20: whether the client asks for another protocol, and for which, on all lines of both fields.
func TestUpgrades(t *testing.T) {
	for _, tt := range []struct {
		version, fields string
		any, b          bool
	}{
		{"1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", true, false},
		{"1.1", "Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\n", true, false},
		{"1.1", "Upgrade: a\r\nUpgrade: x, B\r\nConnection: keep-alive\r\nConnection: x, upgrade\r\n", true, true},
		{"1.1", "Upgrade: b/1\r\nConnection: upgrade\r\n", true, false},
		{"1.1", "Upgrade: b\r\n", false, true},
		{"1.1", "Connection: upgrade\r\n", false, false},
		{"1.0", "Connection: upgrade\r\nUpgrade: b\r\n", false, true},
	} {
		h := parse(t, "GET / HTTP/"+tt.version+"\r\nHost: a\r\n"+tt.fields+"\r\n")
		if got, b := h.Upgrades(), h.HasToken("Upgrade", "b"); got != tt.any || b != tt.b {
			t.Errorf("HTTP/%s %q: got %v, to b %v, want %v, %v", tt.version, tt.fields, got, b, tt.any, tt.b)
		}
	}
}

// H17, X68: what follows a head without framing is the next head.
func TestPipelined(t *testing.T) {
	buf := []byte(line11("GET /1 HTTP/1.1") + "\r\n" + line11("GET /2 HTTP/1.1") + line11("GET /3 HTTP/1.1"))
	var h Request
	for i := range 3 {
		n, err := h.Parse(buf, nil)
		if n == 0 || err != nil {
			t.Fatalf("request %d: got %d, %v", i+1, n, err)
		}
		if want := fmt.Sprintf("/%d", i+1); string(h.Path()) != want {
			t.Errorf("request %d: got path %q, want %q", i+1, h.Path(), want)
		}
		buf = buf[n:]
		h.Reset()
	}
	if len(buf) != 0 {
		t.Errorf("got %d bytes left, want none", len(buf))
	}
}

// A reset head knows nothing of the one before.
func TestReset(t *testing.T) {
	h := parse(t, "POST http://b/x?y HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nUpgrade: u\r\n"+
		"Connection: upgrade, close\r\nContent-Length: 5\r\n\r\n")
	h.Reset()
	if got, want := describe(h), describe(new(Request)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	plain := head11()
	if n, err := h.Parse([]byte(plain), nil); n != len(plain) || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	if got, want := describe(h), describe(parse(t, plain)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRebase(t *testing.T) {
	head := "\r\n" + head11("X: y")
	buf := []byte(head + "body")
	var h Request
	n, err := h.Parse(buf, nil)
	if n != len(head) || err != nil {
		t.Fatalf("got %d, %v, want %d", n, err, len(head))
	}
	want := describe(&h)
	kept := append([]byte("#"), buf[:n]...)[1:]
	h.Rebase(kept)
	clear(buf)
	if got := describe(&h); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A decided head stays decided until Reset.
func TestVerdictStays(t *testing.T) {
	var h Request
	good := []byte(head11())
	for range 2 {
		if n, err := h.Parse(good, nil); n != len(good) || err != nil {
			t.Errorf("complete: got %d, %v, want %d", n, err, len(good))
		}
	}
	h.Reset()
	evil := []byte(head11("Content-Length: x", "Content-Length: 5"))
	_, first := h.Parse(evil, nil)
	for range 2 {
		if n, err := h.Parse(evil, nil); n != 0 || err == nil || err != first {
			t.Errorf("refused: got %d, %v, want %v again", n, err, first)
		}
	}
	if string(h.Method()) != "GET" || string(h.Host()) != "a" {
		t.Errorf("refused: got method %q, host %q, want what came before the error", h.Method(), h.Host())
	}
}

// Accessors are safe at every stage of every case, complete or not.
func TestAccessorsNeverPanic(t *testing.T) {
	for _, tt := range ruleCases {
		var h Request
		for i := 0; i <= len(tt.head); i += 1 + i/512 {
			_, _ = h.Parse([]byte(tt.head[:i]), nil) // the verdict is TestRules' matter
			_ = describe(&h)
		}
	}
}

func TestParseErrorText(t *testing.T) {
	_, err := new(Request).Parse([]byte("GET / HTTP/1.1\n"), nil)
	if err == nil || err.Error() != "http1: line feed without carriage return at byte 14" {
		t.Errorf("got %v", err)
	}
}
