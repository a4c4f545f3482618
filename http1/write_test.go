package http1

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAppend(t *testing.T) {
	at := time.Date(1994, time.November, 6, 9, 49, 37, 999, time.FixedZone("", 3600))
	for _, tt := range []struct {
		got  []byte
		want string
	}{
		{AppendStatusLine(nil, 200), "HTTP/1.1 200 OK\r\n"},
		{AppendStatusLine([]byte("x"), 100), "xHTTP/1.1 100 Continue\r\n"},
		{AppendStatusLine(nil, 413), "HTTP/1.1 413 Content Too Large\r\n"},
		{AppendStatusLine(nil, 299), "HTTP/1.1 299 \r\n"},
		{AppendStatusLine(nil, 999), "HTTP/1.1 999 \r\n"},
		{AppendRequestLine([]byte("x"), "GET", "/a?b"), "xGET /a?b HTTP/1.1\r\n"},
		{AppendField([]byte("x"), "Name", "value"), "xName: value\r\n"},
		{AppendDate([]byte("x"), at), "xSun, 06 Nov 1994 08:49:37 GMT"}, // RFC 9110 5.6.7, #105
		{AppendDate(nil, at), at.UTC().Format(http.TimeFormat)},
	} {
		if string(tt.got) != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestAppendStatusLinePanics(t *testing.T) {
	for _, code := range []int{-1, 0, 99, 1000} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("status %d: got no panic", code)
				}
			}()
			AppendStatusLine(nil, code)
		}()
	}
}

// What is written is parsed again to the same.
func TestAppendParses(t *testing.T) {
	for code := 100; code <= 999; code++ {
		head := append(AppendField(AppendStatusLine(nil, code), "X", "y"), "\r\n"...)
		got := feed(new(Response), string(head), nil)
		if want := fmt.Sprintf(`%d %q`, code, StatusText(code)); got.n != len(head) || !strings.HasPrefix(got.detail, want) {
			t.Errorf("status %d: got %v", code, got)
		}
	}
	head := append(AppendField(AppendRequestLine(nil, "GET", "/x"), "Host", "a"), "\r\n"...)
	if got := feed(new(Request), string(head), nil); got.n != len(head) {
		t.Errorf("request: got %v", got)
	}
}

func TestStatusText(t *testing.T) {
	renamed := map[int]string{ // RFC 9110 has other names than net/http
		413: "Content Too Large",
		414: "URI Too Long",
		416: "Range Not Satisfiable",
		422: "Unprocessable Content",
	}
	for code := -1; code < 1100; code++ {
		want := http.StatusText(code)
		if s, ok := renamed[code]; ok {
			want = s
		}
		if got := StatusText(code); got != want {
			t.Errorf("StatusText(%d): got %q, want %q", code, got, want)
		}
	}
}

// H21, X119 to X121.
func TestCheckField(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        error
	}{
		{"X-A", "b", nil},
		{"X", "", nil},
		{"X", "a\tb", nil},
		{"X", "\x80\xffé", nil},
		{"", "a", ErrFieldName},
		{"X Y", "a", ErrFieldName},
		{"X:", "a", ErrFieldName},
		{"X\r\nY", "a", ErrFieldName},
		{"X\x00", "a", ErrFieldName},
		{"é", "a", ErrFieldName},
		{"X", "a\r\nSet-Cookie: b", ErrFieldValue},
		{"X", "a\rb", ErrFieldValue},
		{"X", "a\nb", ErrFieldValue},
		{"X", "a\x00b", ErrFieldValue},
		{"X", "a\x1bb", ErrFieldValue},
		{"X", "a\x7f", ErrFieldValue},
	} {
		if err := CheckField(tt.name, tt.value); !errors.Is(err, tt.want) {
			t.Errorf("CheckField(%q, %q): got %v, want %v", tt.name, tt.value, err, tt.want)
		}
	}
}

// CheckField lets through exactly what the parser takes back unchanged.
func TestCheckFieldAgreesWithParser(t *testing.T) {
	for c := range 256 {
		for _, f := range [][2]string{{"X" + string([]byte{byte(c)}), "v"}, {"X", "a" + string([]byte{byte(c)}) + "b"}} {
			got := feed(new(Request), head11(string(AppendField(nil, f[0], f[1])[:len(f[0])+2+len(f[1])])), nil)
			taken := got.n > 0 && strings.HasSuffix(got.detail, fmt.Sprintf(" %q=%q", f[0], f[1]))
			if ok := CheckField(f[0], f[1]) == nil; ok != taken {
				t.Errorf("%q: CheckField says %v, the parser %v", f, ok, taken)
			}
		}
	}
}

// RFC 9110 5.6.7: what AppendDate writes, and nothing else.
func TestIsDate(t *testing.T) {
	for value, want := range map[string]bool{
		"Sun, 06 Nov 1994 08:49:37 GMT":   true,
		"Thu, 29 Feb 2024 00:00:00 GMT":   true,
		"":                                false,
		"now":                             false,
		"Mon, 06 Nov 1994 08:49:37 GMT":   false, // it was a Sunday
		"Thu, 29 Feb 2023 00:00:00 GMT":   false,
		"Sun, 6 Nov 1994 08:49:37 GMT":    false,
		"sun, 06 nov 1994 08:49:37 GMT":   false,
		"Sun, 06 Nov 1994 08:49:37 UTC":   false,
		"Sun, 06 Nov 1994 08:49:37.0 GMT": false,
		"Sun, 06 Nov 1994 08:49:37 GMT\r": false,
		"Sunday, 06-Nov-94 08:49:37 GMT":  false, // obsolete
		"Sun Nov  6 08:49:37 1994":        false, // likewise
	} {
		if got := IsDate(value); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

func TestIsToken(t *testing.T) {
	const separators = "\"(),/:;<=>?@[\\]{} \t"
	for c := range 256 {
		want := c > ' ' && c < 0x7f && !strings.ContainsRune(separators, rune(c))
		if got := IsToken(string([]byte{'a', byte(c)})); got != want {
			t.Errorf("IsToken with %#x: got %v, want %v", c, got, want)
		}
	}
	if IsToken("") {
		t.Error("IsToken of nothing: got true")
	}
}

func ExampleAppendStatusLine() {
	b := AppendStatusLine(nil, 200)
	b = AppendField(b, "Content-Length", "2")
	b = append(b, "\r\nhi"...)
	fmt.Printf("%q\n", b)
	// Output: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
}
