package http1

import (
	"fmt"
	"strings"
	"testing"
)

// resp is a response with the lines given between its status line and the end.
func resp(lines ...string) string {
	return "HTTP/1.1 200 OK\r\n" + strings.Join(append(lines, ""), "\r\n") + "\r\n"
}

func TestResponseRules(t *testing.T) {
	for _, tt := range []struct{ name, head, reason string }{
		{"plain", resp(), ""},
		{"with fields", resp("A: b", "C:", "D: \xff\t\x80"), ""},
		{"reason of several words", "HTTP/1.1 404 Not \t Found\r\n\r\n", ""},
		{"reason beyond ASCII", "HTTP/1.1 404 \xe9\r\n\r\n", ""},
		{"empty reason", "HTTP/1.1 200 \r\n\r\n", ""},
		{"no space before the empty reason", "HTTP/1.1 200\r\n\r\n", ""},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n", ""},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\n", ""},
		{"unknown status", "HTTP/1.1 999 Odd\r\n\r\n", ""},

		{"empty line first", "\r\n" + resp(), reasonVersion},
		{"HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", reasonMajor},
		{"malformed version", "HTTP/2.x 200 OK\r\n\r\n", reasonVersion},
		{"a letter for the minor version", "HTTP/1.d 200 OK\r\n\r\n", reasonVersion},
		{"lower-case version", "http/1.1 200 OK\r\n\r\n", reasonVersion},
		{"ICY", "ICY 200 OK\r\n\r\n", reasonVersion},
		{"two spaces", "HTTP/1.1  200 OK\r\n\r\n", reasonStatus},
		{"tab before the status", "HTTP/1.1\t200 OK\r\n\r\n", reasonStatus},
		{"tab behind the status", "HTTP/1.1 200\tOK\r\n\r\n", reasonStatus},
		{"no status", "HTTP/1.1\r\n\r\n", reasonStatus},
		{"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", reasonStatus},
		{"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", reasonStatus},
		{"status with a sign", "HTTP/1.1 +20 OK\r\n\r\n", reasonStatus},
		{"status 099", "HTTP/1.1 099 OK\r\n\r\n", reasonStatus},
		{"NUL in reason", "HTTP/1.1 200 O\x00K\r\n\r\n", reasonControl},
		{"LF ends status line", "HTTP/1.1 200 OK\n\r\n", reasonBareLF},
		{"LF behind the status", "HTTP/1.1 200\n\r\n", reasonBareLF},
		{"CR in status line", "HTTP/1.1 200 OK\rX\r\n\r\n", reasonBareCR},

		{"LF ends field", resp("A: b\nC: d"), reasonBareLF},
		{"obs-fold", resp("A: b", " c"), reasonFold},
		{"space before colon", resp("A : b"), reasonName},
		{"no colon", resp("A"), reasonName},
		{"length and coding", resp("Content-Length: 5", "Transfer-Encoding: chunked"), reasonBoth},
		{"coding and length", resp("Transfer-Encoding: chunked", "Content-Length: 5"), reasonBoth},
		{"length twice", resp("Content-Length: 5", "Content-Length: 5"), reasonTwoLengths},
		{"list of lengths", resp("Content-Length: 5, 5"), reasonLength},
		{"bad length", resp("Content-Length: -5"), reasonLength},
		{"coding twice", resp("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), reasonTwoCodings},
		{"chunked not last", resp("Transfer-Encoding: chunked, gzip"), reasonCoding},
		{"unknown coding", resp("Transfer-Encoding: gzip, chunked"), reasonUnknown},
		{"coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", reasonOldCoding},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := parseEveryWay(t, new(Response), tt.head, nil)
			if got.err.Reason != tt.reason {
				t.Errorf("%q: got %v, want %q", tt.head, got, tt.reason)
			}
			if tt.reason == "" && got.n != len(tt.head) {
				t.Errorf("%q: got %d bytes, want %d", tt.head, got.n, len(tt.head))
			}
			if tt.reason != "" && got.err.Status != 502 {
				t.Errorf("%q: got status %d, want 502", tt.head, got.err.Status)
			}
		})
	}
}

func TestResponseLimits(t *testing.T) {
	lim := Limits{Line: 20, Header: 40, Field: 20, Fields: 2}
	line := func(n int) string {
		return "HTTP/1.1 200 " + strings.Repeat("r", n-len("HTTP/1.1 200 ")) + "\r\n\r\n"
	}
	for _, tt := range []struct{ name, head, reason string }{
		{"line", line(20), ""},
		{"line, one over", line(21), reasonLineLen},
		{"field", resp("A:" + strings.Repeat("v", 18)), ""},
		{"field, one over", resp("A:" + strings.Repeat("v", 19)), reasonFieldLen},
		{"block", resp("A:"+strings.Repeat("v", 18), "B:"+strings.Repeat("v", 14)), ""},
		{"block, one over", resp("A:"+strings.Repeat("v", 18), "B:"+strings.Repeat("v", 15)), reasonHeaderLen},
		{"count", resp("A:", "B:"), ""},
		{"count, one over", resp("A:", "B:", "C:"), reasonFields},
	} {
		got := parseEveryWay(t, new(Response), tt.head, &lim)
		if got.err.Reason != tt.reason || (got.n > 0) != (tt.reason == "") {
			t.Errorf("%s: got %v, want %q", tt.name, got, tt.reason)
		}
	}
	// A small limit that ends within the version or the status.
	for limit := 1; limit < len("HTTP/1.1 200 OK"); limit++ {
		got := parseEveryWay(t, new(Response), resp(), &Limits{Line: limit})
		if got.err.Reason != reasonLineLen || got.err.Offset != limit {
			t.Errorf("line limit %d: got %v, want %q at %d", limit, got, reasonLineLen, limit)
		}
	}
}

// RFC 9112 6.3, in its order.
func TestResponseBody(t *testing.T) {
	const (
		length  = "Content-Length: 5\r\n"
		chunked = "Transfer-Encoding: Chunked\r\n"
	)
	for _, tt := range []struct {
		method, status, fields string
		kind                   BodyKind
		length                 int64
		keep                   bool
	}{
		{"GET", "1.1 200", length, BodyLength, 5, true},
		{"GET", "1.1 200", "Content-Length: 0\r\n", BodyLength, 0, true},
		{"GET", "1.1 200", chunked, BodyChunked, 0, true},
		{"GET", "1.1 200", "", BodyUntilClose, 0, true},
		{"GET", "1.1 200", "Connection: close\r\n", BodyUntilClose, 0, false},
		{"GET", "1.0 200", length, BodyLength, 5, false},
		{"GET", "1.0 200", "Connection: keep-alive\r\n" + length, BodyLength, 5, true},
		{"POST", "1.1 500", length, BodyLength, 5, true},
		{"HEAD", "1.1 200", length, BodyNone, 0, true},
		{"HEAD", "1.1 200", chunked, BodyNone, 0, true},
		{"GET", "1.1 304", length, BodyNone, 0, true},
		{"GET", "1.1 204", "", BodyNone, 0, true},
		{"GET", "1.1 204", "Content-Length: 0\r\n", BodyNone, 0, true},
		{"GET", "1.1 204", length, BodyNone, 0, false},
		{"GET", "1.1 204", chunked, BodyNone, 0, false},
		{"GET", "1.1 100", "", BodyNone, 0, true},
		{"GET", "1.1 103", length, BodyNone, 0, false},
		{"GET", "1.1 101", "", BodyNone, 0, true},
		{"CONNECT", "1.1 200", length, BodyNone, 0, true},
		{"CONNECT", "1.1 407", length, BodyLength, 5, true},
	} {
		var h Response
		head := "HTTP/" + tt.status + " x\r\n" + tt.fields + "\r\n"
		if n, err := h.Parse([]byte(head), nil); n != len(head) || err != nil {
			t.Fatalf("%q: got %d, %v", head, n, err)
		}
		kind, length := h.Body(tt.method)
		if kind != tt.kind || length != tt.length || h.KeepAlive() != tt.keep {
			t.Errorf("%s %q: got %v %d keep=%v, want %v %d keep=%v",
				tt.method, head, kind, length, h.KeepAlive(), tt.kind, tt.length, tt.keep)
		}
	}
}

func TestResponseParts(t *testing.T) {
	var h Response
	if h.Status() != 0 || h.Reason() != nil || h.Len() != 0 {
		t.Errorf("zero value: got %s", describe(&h))
	}
	stream := "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + resp("Content-Type: text/event-stream", "X: 1", "x: 2")
	n, err := h.Parse([]byte(stream), nil)
	if n == 0 || err != nil || h.Status() != 103 || string(h.Reason()) != "Early Hints" || string(h.Get("link")) != "</a>" {
		t.Fatalf("interim: got %d, %v, %s", n, err, describe(&h))
	}
	h.Reset()
	final := []byte(stream[n:])
	n, err = h.Parse(final, nil)
	if n != len(final) || err != nil || h.Status() != 200 || h.Minor() != 1 || h.Count("X") != 2 {
		t.Fatalf("final: got %d, %v, %s", n, err, describe(&h))
	}
	kept := string(final)
	h.Rebase([]byte(kept))
	clear(final)
	if got := string(h.Get("Content-Type")); got != "text/event-stream" {
		t.Errorf("after Rebase: got %q", got)
	}
}

func ExampleResponse() {
	var h Response
	buf := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n")
	n, err := h.Parse(buf, nil)
	kind, _ := h.Body("POST")
	fmt.Println(n, err, h.Status(), kind)
	fmt.Printf("%q\n", buf[n:])
	// Output:
	// 80 <nil> 200 chunked
	// "6\r\n"
}
