package chunked

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// outcome is all that a body comes to.
type outcome struct {
	data     string
	trailers string
	done     bool
	rest     string // what Next left untouched
	err      string // Error's text; empty when there is none
}

// poison lies behind every piece that a test hands to Next, so that reading too far shows.
const poison = "\xff"

// decode feeds the pieces to d as a connection would: what Next left is not kept, it must have taken all.
func decode(t *testing.T, d *Decoder, pieces ...string) (o outcome) {
	t.Helper()
	d.Trailer = func(name, value []byte) { o.trailers += fmt.Sprintf("%s=%s;", name, value) }
	for i, piece := range pieces {
		src := []byte(piece + poison)[:len(piece)]
		for len(src) > 0 {
			data, n, err := d.Next(src)
			if n < len(data) || n > len(src) {
				t.Fatalf("Next consumed %d of %d bytes with %d of data", n, len(src), len(data))
			}
			if len(data) != cap(data) {
				t.Fatalf("appending to data would overwrite src: length %d, capacity %d", len(data), cap(data))
			}
			o.data += string(data)
			src = src[n:]
			if err != nil {
				o.err = err.Error()
				return o
			}
			if d.Done() {
				o.done, o.rest = true, string(src)+strings.Join(pieces[i+1:], "")
				return o
			}
			if n == 0 {
				t.Fatalf("Next made no progress on %q", src)
			}
		}
	}
	return o
}

// drain feeds body to d until it fails or has taken all.
func drain(d *Decoder, body string) (err error) {
	for src := []byte(body); err == nil && len(src) > 0; {
		var n int
		_, n, err = d.Next(src)
		src = src[n:]
	}
	return err
}

// atEveryCut checks that body comes to want at once, in single bytes, cut at every byte, and, when it is
// short, at every pair of cuts.
func atEveryCut(t *testing.T, limits Decoder, body string, want outcome) {
	t.Helper()
	check := func(how string, pieces ...string) {
		t.Helper()
		d := limits
		if got := decode(t, &d, pieces...); got != want {
			t.Fatalf("%s: got %+v, want %+v", how, got, want)
		}
	}
	check("at once", body)
	check("byte by byte", strings.Split(body, "")...)
	for i := range len(body) {
		check(fmt.Sprintf("cut at %d", i), body[:i], body[i:])
		for j := i; j < len(body) && len(body) < 48; j++ {
			check(fmt.Sprintf("cut at %d and %d", i, j), body[:i], body[i:j], body[j:])
		}
	}
}

var accepted = []struct {
	name, body     string
	data, trailers string
}{
	{"C4", "5\r\nhello\r\n0\r\n\r\n", "hello", ""},
	{"C1", "2\r\nhi\r\n0\r\n\r\n", "hi", ""},
	{"no data", "0\r\n\r\n", "", ""},
	{"two chunks", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", ""},
	{"data that looks like framing", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n", ""},
	{"C5 lower", "a\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""},
	{"C5 upper", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""},
	{"C5 several digits", "010\r\n0123456789abcdef\r\n00\r\n\r\n", "0123456789abcdef", ""},
	{"C5 16 digits", "0000000000000001\r\nx\r\n0000000000000000\r\n\r\n", "x", ""},
	{"C5 ext", "1;ext=v\r\nx\r\n0;e\r\n\r\n", "x", ""},
	{"C5 blank before ext", "1 \t;ext\r\nx\r\n0\r\n\r\n", "x", ""},
	{"C5 blanks everywhere", "1 ; a = b ; c ;d= \"e\" ;f\r\nx\r\n0\r\n\r\n", "x", ""},
	{"C5 quoted", "1;a=\"q; \\\"\\\\\t\xe9\"\r\nx\r\n0\r\n\r\n", "x", ""},
	{"C5 quoted empty, ext after it", "1;a=\"\";b\r\nx\r\n0\r\n\r\n", "x", ""},
	{"C8", "0\r\nX-Foo: bar\r\n\r\n", "", "X-Foo=bar;"},
	{"C8 two, OWS, empty", "1\r\nx\r\n0\r\nA:\t b c \r\nB:\r\nC: \t \r\n\r\n", "x", "A=b c;B=;C=;"},
	{"C8 never merged", "0\r\nContent-Length: 5\r\nhost: e\r\nTRANSFER-ENCODING: chunked\r\nIf-None-Match: x\r\n" +
		"X-Forwarded-For: ::1\r\nAuthorization: x\r\nA: 1\r\n\r\n", "", "A=1;"},
}

func TestAccepted(t *testing.T) {
	for _, tt := range accepted {
		t.Run(tt.name, func(t *testing.T) {
			const next = "NEXT" // C4: what follows is untouched
			atEveryCut(t, Decoder{}, tt.body+next, outcome{data: tt.data, trailers: tt.trailers, done: true, rest: next})
		})
	}
}

// C9: every proper prefix of a valid body is "more", cut where it may.
func TestC9Prefixes(t *testing.T) {
	for _, tt := range accepted {
		for i := range len(tt.body) {
			for j := range i + 1 {
				got := decode(t, new(Decoder), tt.body[:j], tt.body[j:i])
				if got.err != "" || got.done {
					t.Fatalf("%s: prefix %q cut at %d: got %+v, want more", tt.name, tt.body[:i], j, got)
				}
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		offset     int // of the offending byte
		bad        fault
	}{
		{"C6 space first", " 5\r\n", 0, badSize},
		{"C6 TAB first", "\t5\r\n", 0, badSize},
		{"C6 space last", "5 \r\n", 2, danglingBlank},
		{"C6 TAB last", "5\t\r\n", 2, danglingBlank},
		{"C6 plus", "+5\r\n", 0, badSize},
		{"C6 minus", "-5\r\n", 0, badSize},
		{"C6 0x", "0x5\r\n", 1, badSize},
		{"C6 underscore", "5_0\r\n", 1, badSize},
		{"C6 empty", "\r\n", 0, badSize},
		{"C6 empty in mid body", "1\r\nx\r\n\r\n", 6, badSize},
		{"C6 ext alone", ";ext\r\n", 0, badSize},
		{"C6 empty ext", "5;\r\n", 2, badExtension},
		{"C6 empty ext before another", "5;;a\r\n", 2, badExtension},
		{"C6 empty ext after another", "5;a;\r\n", 4, badExtension},
		{"C6 empty ext value", "5;a=\r\n", 4, badExtension},
		{"C6 ext no token", "5;a@\r\n", 3, badExtension},
		{"C6 ext starts with no token", "5;@a\r\n", 2, badExtension},
		{"C6 ext value no token", "5;a=(\r\n", 4, badExtension},
		{"C6 two ext tokens", "5;a b\r\n", 4, badExtension},
		{"C6 blank after ext name", "5;a \r\n", 4, badExtension},
		{"C6 blank after ext value", "5;a=b \r\n", 6, danglingBlank},
		{"C6 text after quoted", "5;a=\"b\"c\r\n", 7, badExtension},
		{"C6 NUL in ext", "5;a\x00\r\n", 3, badExtension},
		{"C6 CR in quoted", "5;a=\"q;\r\"\r\n", 7, badExtension},
		{"C6 LF in quoted", "5;a=\"\n\"\r\n", 5, badExtension},
		{"C6 CR escaped", "5;a=\"\\\r\"\r\n", 6, badExtension},
		{"C6 DEL in quoted", "5;a=\"\x7f\"\r\n", 5, badExtension},
		{"C6 bad hex", "g\r\n", 0, badSize},
		{"C6 bad hex later", "5g\r\n", 1, badSize},
		{"C6 not ASCII", "٥\r\n", 0, badSize},
		{"C6 bare LF", "5\nhello\r\n", 1, bareLF},
		{"C6 bare LF after ext", "5;a\nhello\r\n", 3, bareLF},
		{"C6 bare LF after ext value", "5;a=b\nhello\r\n", 5, bareLF},
		{"C6 bare CR", "5\rhello\r\n", 2, bareCR},
		{"C6 two CR", "5\r\r\n", 2, bareCR},
		{"C6 over 63 bits", "8000000000000000\r\n", 15, bigSize},
		{"C6 all ones", "ffffffffffffffff\r\n", 15, bigSize},
		{"C6 17 digits", "00000000000000005\r\n", 16, longSize},
		{"C7", "5\r\nhelloXX", 8, badDataEnd},
		{"C7 LF", "5\r\nhello\n0\r\n\r\n", 8, badDataEnd},
		{"C7 CR", "5\r\nhello\rX", 9, badDataEnd},
		{"C7 two LF", "5\r\nhello\n\n", 8, badDataEnd},
		{"C8 no colon", "0\r\nX-Foo\r\n\r\n", 8, badTrailer},
		{"C8 empty name", "0\r\n: x\r\n\r\n", 3, badTrailer},
		{"C8 blank before colon", "0\r\nA : x\r\n\r\n", 4, badTrailer},
		{"C8 obs-fold", "0\r\nA: x\r\n y\r\n\r\n", 9, badTrailer},
		{"C8 control in value", "0\r\nA: x\x00\r\n\r\n", 7, badTrailer},
		{"C8 bare LF", "0\r\nA: x\n\r\n", 7, badTrailer},
		{"C8 bare CR", "0\r\nA: x\ry\r\n\r\n", 8, badTrailer},
		{"C8 malformed though forbidden", "0\r\nHost : x\r\n\r\n", 7, badTrailer},
		{"C8 end by LF", "0\r\n\n", 3, badTrailer},
		{"C8 end by CR", "0\r\n\rX", 4, bareCR},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := &Error{Status: 400, Offset: int64(tt.offset), Reason: faults[tt.bad].reason}
			var e *Error
			d := new(Decoder)
			if err := drain(d, tt.body); !errors.As(err, &e) || *e != *want {
				t.Fatalf("got %v, want %v", err, want)
			}
			if _, n, err := d.Next([]byte("5\r\n")); n != 0 || err != error(e) {
				t.Errorf("Next after an error: got %d, %v, want 0 and the same error", n, err)
			}
			atOnce := decode(t, new(Decoder), tt.body)
			if atOnce.err != want.Error() {
				t.Errorf("got error %q, want %q", atOnce.err, want.Error())
			}
			atEveryCut(t, Decoder{}, tt.body, atOnce)
		})
	}
}

// What was sound before the fault has been handed out.
func TestDataBeforeFault(t *testing.T) {
	want := outcome{data: "hello", trailers: "A=x;", err: "chunked: malformed trailer field at byte 19"}
	atEveryCut(t, Decoder{}, "5\r\nhello\r\n0\r\nA: x\r\n y\r\n\r\n", want)
}

func TestLargestSize(t *testing.T) {
	d := new(Decoder)
	data, n, err := d.Next([]byte("7fffffffffffffff\r\nx"))
	if string(data) != "x" || n != 19 || err != nil {
		t.Errorf("got %q, %d, %v, want x, 19, no error", data, n, err)
	}
}

func TestReset(t *testing.T) {
	d := &Decoder{MaxBody: 3}
	decode(t, d, "3\r\nabc\r\n0\r\nA: half a tr")
	d.Reset()
	want := outcome{data: "xy", trailers: "B=1;", done: true}
	if got := decode(t, d, "2\r\nxy\r\n0\r\nB", ": 1\r\n\r\n"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	d.Reset()
	if got := decode(t, d, "4\r\nabcd\r\n"); got.err == "" {
		t.Errorf("MaxBody did not survive Reset: got %+v", got)
	}
}
