package http1

import (
	"fmt"
	"strings"
	"testing"
)

// H16, X25, X55: exactly at a limit is accepted, one over is refused.
func TestLimits(t *testing.T) {
	var (
		short = Limits{Line: 30, Header: 60, Field: 20, Fields: 4}
		field = func(n int) string { return "F: " + strings.Repeat("v", n-3) }
		name  = func(n int) string { return strings.Repeat("n", n-1) + ":" }
		path  = func(n int) string { return "GET /" + strings.Repeat("p", n-len("GET / HTTP/1.1")) + " HTTP/1.1" }
	)
	// Host: a is 7 bytes, 9 with its CRLF, and one field of the four.
	for _, tt := range []struct {
		name, head string
		lim        Limits
		want       ParseError
	}{
		{"line", line11(path(30)), short, ParseError{}},
		{"line, one over", line11(path(31)), short, ParseError{414, 30, reasonLineLen}},
		{"line over in the target", "GET /" + strings.Repeat("p", 40), short, ParseError{414, 30, reasonLineLen}},
		{"line over, percent across the limit", "GET /" + strings.Repeat("p", 24) + "%41", short, ParseError{414, 30, reasonLineLen}},
		{"line over in the method", strings.Repeat("M", 31), short, ParseError{400, 30, reasonMethodLen}},
		{"empty lines are not of the line", "\r\n\r\n" + line11(path(30)), short, ParseError{}},
		{"field", head11(field(20)), short, ParseError{}},
		{"field, one over", head11(field(21)), short, ParseError{431, 25 + 0 + 20, reasonFieldLen}},
		{"field, one over by its blanks", head11(field(20) + " "), short, ParseError{431, 45, reasonFieldLen}},
		{"name", head11(name(20)), short, ParseError{}},
		{"name, one over", head11(name(21)), short, ParseError{431, 45, reasonFieldLen}},
		{"block", head11(field(18), field(18), field(9)), short, ParseError{}},
		{"block, one over", head11(field(18), field(18), field(10)), short, ParseError{431, 25 + 49, reasonHeaderLen}},
		{"block full", head11(field(20), field(20), field(5)), short, ParseError{}},
		{"block full, and another", head11(field(19), field(20), "F:"), Limits{Header: 52, Field: 20}, ParseError{431, 68, reasonHeaderLen}},
		{"count", head11("A:", "B:", "C:"), short, ParseError{}},
		{"count, one over", head11("A:", "B:", "C:", "D:"), short, ParseError{431, 37, reasonFields}},
		{"count, and a fold", head11("A:", "B:", "C:", " D"), short, ParseError{400, 37, reasonFold}},

		{"default line", line11(path(8 << 10)), Limits{}, ParseError{}},
		{"default line, one over", line11(path(8<<10 + 1)), Limits{}, ParseError{414, 8 << 10, reasonLineLen}},
		{"default field", head11(field(16 << 10)), Limits{}, ParseError{}},
		{"default field, one over", head11(field(16<<10 + 1)), Limits{}, ParseError{431, 25 + 16<<10, reasonFieldLen}},
		{"default block", head11(field(16<<10), field(16<<10-9-4)), Limits{}, ParseError{}},
		{"default block, one over", head11(field(16<<10), field(16<<10-9-3)), Limits{}, ParseError{431, 16 + 32<<10 - 2, reasonHeaderLen}},
		{"default count", head11(slicesOf("A:", 99)...), Limits{}, ParseError{}},
		{"default count, one over", head11(slicesOf("A:", 100)...), Limits{}, ParseError{431, 25 + 99*4, reasonFields}},
		{"10,000 fields #56", head11(slicesOf("A:", 10000)...), Limits{}, ParseError{431, 25 + 99*4, reasonFields}},
		{"value of 100 KB #56", head11(field(100 << 10)), Limits{}, ParseError{431, 25 + 16<<10, reasonFieldLen}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := new(Request)
			got := feed(h, tt.head, &tt.lim)
			if len(tt.head) < 1000 {
				got = parseEveryWay(t, h, tt.head, &tt.lim)
			}
			if got.err != tt.want {
				t.Errorf("got %v, want %+v", got, tt.want)
			}
		})
	}
}

func slicesOf(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

// X25: a limit answers before the line has ended, and not a byte too early.
func TestLimitIsPrompt(t *testing.T) {
	const limit = 8 << 10
	long := "GET /" + strings.Repeat("p", limit)
	var h Request
	for _, end := range []int{1, 100, limit - 1, limit} {
		if n, err := h.Parse([]byte(long[:end]), nil); n != 0 || err != nil {
			t.Fatalf("%d bytes: got %d, %v, want more", end, n, err)
		}
	}
	_, err := h.Parse([]byte(long[:limit+1]), nil)
	if pe, ok := err.(*ParseError); !ok || pe.Status != 414 {
		t.Errorf("%d bytes: got %v, want 414", limit+1, err)
	}
}

// A head of lines that were taken in is not parsed again: its cost does not grow with the
// number of calls. Counted in lines, not in time: a line that was changed is not noticed.
func TestLinesAreParsedOnce(t *testing.T) {
	head := head11(slicesOf("X: y", 50)...)
	var h Request
	buf := []byte(head)
	if n, err := h.Parse(buf[:len(buf)-2], nil); n != 0 || err != nil {
		t.Fatalf("got %d, %v, want more", n, err)
	}
	for i := range buf[:len(buf)-2] {
		buf[i] = 0
	}
	if n, err := h.Parse(buf, nil); n != len(buf) || err != nil {
		t.Errorf("got %d, %v, want %d: lines were read twice", n, err, len(buf))
	}
}

func TestLimitsAreCapped(t *testing.T) {
	const huge = 1 << 62
	got := (&Limits{huge, huge, huge, huge}).resolved()
	if want := (Limits{maxLimit, maxLimit, maxLimit, maxLimit}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	got = (&Limits{-1, -1, -1, -1}).resolved()
	if want := (*Limits)(nil).resolved(); got != want {
		t.Errorf("negative: got %v, want %v", got, want)
	}
}

func ExampleLimits() {
	lim := &Limits{Fields: 2} // the others have their defaults
	var h Request
	_, err := h.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\r\n"), lim)
	fmt.Println(err)
	// Output: http1: too many fields at byte 31
}
