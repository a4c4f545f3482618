package static

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/big"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// S12, S13, S14, X142
func TestRanges(t *testing.T) {
	dir := folder(t, map[string]string{"ten": "0123456789", "empty": "", "large": numbers(300_000)})
	const huge = "99999999999999999999999999"
	serve(t, dir, nil, func(s *site) {
		for _, test := range []struct {
			value  string
			status int
			body   string // of one range; of several: parts with slashes between
			where  string
		}{
			{"bytes=0-0", 206, "0", "bytes 0-0/10"},
			{"bytes=0-", 206, "0123456789", "bytes 0-9/10"},
			{"bytes=3-5", 206, "345", "bytes 3-5/10"},
			{"bytes=003-0005", 206, "345", "bytes 3-5/10"},
			{"bytes=9-", 206, "9", "bytes 9-9/10"},
			{"bytes=5-" + huge, 206, "56789", "bytes 5-9/10"},
			{"bytes=-1", 206, "9", "bytes 9-9/10"},
			{"bytes=-10", 206, "0123456789", "bytes 0-9/10"},
			{"bytes=-" + huge, 206, "0123456789", "bytes 0-9/10"},
			{"BYTES=1-2", 206, "12", "bytes 1-2/10"},
			{"bytes= 1-2 ", 206, "12", "bytes 1-2/10"},
			{"bytes=,1-2,,", 206, "12", "bytes 1-2/10"},
			{"bytes=1-2,50-60", 206, "12", "bytes 1-2/10"},
			{"bytes=1-2, 4-5", 206, "12/45", ""},
			{"bytes=8-,-1", 206, "89/9", ""},
			{"bytes=4-5\t,1-2,-1", 206, "45/12/9", ""},
			{"bytes=0-4,5-9", 206, "01234/56789", ""},
			{"bytes=10-", 416, "", "bytes */10"},
			{"bytes=" + huge + "-", 416, "", "bytes */10"},
			{"bytes=10-20,30-", 416, "", "bytes */10"},
			{"bytes=-0", 416, "", "bytes */10"},
			{"bytes=-0,-0", 416, "", "bytes */10"},
			{"bytes=5-4", 416, "", "bytes */10"},
			{"bytes=" + huge + "1-" + huge, 416, "", "bytes */10"},
			{"bytes=+5-9", 416, "", "bytes */10"},
			{"bytes=5-+9", 416, "", "bytes */10"},
			{"bytes=--5", 416, "", "bytes */10"},
			{"bytes=-+5", 416, "", "bytes */10"},
			{"bytes=5", 416, "", "bytes */10"},
			{"bytes=", 416, "", "bytes */10"},
			{"bytes=,", 416, "", "bytes */10"},
			{"bytes=-", 416, "", "bytes */10"},
			{"bytes=a-b", 416, "", "bytes */10"},
			{"bytes=0x1-2", 416, "", "bytes */10"},
			{"bytes=1 - 2", 416, "", "bytes */10"},
			{"bytes=0-1;2-3", 416, "", "bytes */10"},
			{"bytes=1-2,x", 416, "", "bytes */10"},
			{"bytes=0-0=", 416, "", "bytes */10"},
			{"items=0-1", 200, "0123456789", ""},
			{"bytes", 200, "0123456789", ""},
			{"bytes 0-1", 200, "0123456789", ""},
			{"bytes =0-1", 200, "0123456789", ""},
			{"bytes=0-9,0-9", 200, "0123456789", ""}, // overlapping
			{"bytes=0-,0-,0-,0-", 200, "0123456789", ""},
			{"bytes=" + strings.Repeat("0-0,", 16) + "1-1", 200, "0123456789", ""},
			{"bytes=" + strings.Repeat("20-,", 16) + "1-1", 200, "0123456789", ""},
		} {
			g := s.get("ten", "Range: "+test.value)
			body := g.body
			if parts := strings.Count(test.body, "/"); parts > 0 {
				body = parted(s, g)
			}
			if g.StatusCode != test.status || test.status != 416 && body != test.body || g.err != nil {
				s.Errorf("%q: got %d %q %v, want %d %q", test.value, g.StatusCode, body, g.err, test.status, test.body)
			}
			g.has(s, "Content-Range", test.where)
			if test.status == 206 {
				g.has(s, "Content-Length", fmt.Sprint(len(g.body)))
			}
			head := s.do("HEAD", "/files/ten", "Range: "+test.value)
			head.expect(s, 200, "")
			head.has(s, "Content-Length", "10")
		}
		two := s.get("ten", "Range: bytes=0-1", "Range: bytes=0-1")
		two.expect(s, 200, "0123456789")
		for _, value := range []string{"bytes=0-", "bytes=-5", "bytes=0-0", "bytes=-0"} {
			g := s.get("empty", "Range: "+value)
			g.expect(s, 416, "")
			g.has(s, "Content-Range", "bytes */0")
		}
		// From an open file.
		text := numbers(300_000)
		s.get("large", "Range: bytes=100000-299998").expect(s, 206, text[100000:299999])
		s.get("large", "Range: bytes=-7").expect(s, 206, text[299993:])
		g := s.get("large", "Range: bytes=299990-, 5-8, 1000-220000")
		if got, want := parted(s, g), text[299990:]+"/"+text[5:9]+"/"+text[1000:220001]; got != want {
			s.Errorf("got %d bytes of parts, want %d", len(got), len(want))
		}
		g.has(s, "Content-Length", fmt.Sprint(len(g.body)))
	})
}

// parted returns the parts of a multipart/byteranges with slashes between them,
// after a look at their heads.
func parted(t testing.TB, g got) string {
	t.Helper()
	media, params, err := mime.ParseMediaType(g.Header.Get("Content-Type"))
	if err != nil || media != "multipart/byteranges" {
		t.Errorf("got %q, %v, want multipart/byteranges", media, err)
		return ""
	}
	var parts []string
	for r := multipart.NewReader(strings.NewReader(g.body), params["boundary"]); ; {
		part, err := r.NextRawPart()
		if err == io.EOF {
			return strings.Join(parts, "/")
		}
		if err != nil {
			t.Error(err)
			return ""
		}
		text, err := io.ReadAll(part)
		try(t, err)
		var from, to, size int
		if n, _ := fmt.Sscanf(part.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &size); n != 3 || to-from+1 != len(text) {
			t.Errorf("got Content-Range %q for %d bytes", part.Header.Get("Content-Range"), len(text))
		}
		if part.Header.Get("Content-Type") == "" {
			t.Error("a part has no Content-Type")
		}
		parts = append(parts, string(text))
	}
}

// X142: ranges cost no more than a small multiple of the file.
func TestManyRangesAreBounded(t *testing.T) {
	const size = 100_000
	dir := folder(t, map[string]string{"x": numbers(size)})
	for _, limit := range []int{1, 16, 1000} {
		serve(t, dir, &Options{MaxRanges: limit}, func(s *site) {
			for n := 1; n <= 1000; n = n*3 + 1 {
				for _, spec := range []string{"0-0,", "0-,", "-1,", "5-,0-9,", "99999-,", "7-7 , "} {
					g := s.get("x", "Range: bytes="+strings.Repeat(spec, n))
					if g.err != nil || len(g.body) > size+200*limit {
						s.Errorf("limit %d, %d times %q: got %d bytes, %v", limit, n, spec, len(g.body), g.err)
					}
				}
			}
		})
	}
}

// The largest file there can be: the sum of its ranges is not a number.
func TestRangesOfTheLargestFile(t *testing.T) {
	if spans, whole := rangesOf("bytes=0-,0-", math.MaxInt64, 16); !whole {
		t.Errorf("got %v, want the whole file", spans)
	}
}

// FuzzRange holds rangesOf against two oracles: RFC 9110's grammar as a regular
// expression with numbers of any size, and net/http, but for where that is known
// to differ.
func FuzzRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-0", "bytes=-5", "bytes=5-", "bytes=0-1,3-4", "bytes=,1-2,", "bytes= 1-2 , 3-", "bytes=-0", "bytes=+1-2", "bytes=9-1", "bytes=99999999999999999999-", "bytes=1-99999999999999999999", "items=1-2", "bytes", "bytes=a"} {
		f.Add(seed, int64(10))
	}
	f.Add("bytes=-1", int64(0))
	f.Fuzz(func(t *testing.T, value string, size int64) {
		if size < 0 || size > 1<<20 || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c >= 0x7f }) {
			return
		}
		value = strings.Trim(value, " \t")
		spans, whole := rangesOf(value, size, 16)
		wantSpans, wantWhole := byGrammar(value, size, 16)
		if whole != wantWhole || fmt.Sprint(spans) != fmt.Sprint(wantSpans) {
			t.Fatalf("%q of %d: got %v, %v, want %v, %v", value, size, spans, whole, wantSpans, wantWhole)
		}
		if size == 0 || size > 4096 || strings.ContainsAny(value, "+") || !strings.HasPrefix(value, "bytes=") || strings.Count(value, ",") > 15 ||
			different.MatchString(value) || backwards(value) {
			return
		}
		rec, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Range", value)
		http.ServeContent(rec, r, "x.txt", long, bytes.NewReader(make([]byte, size)))
		got := map[bool]int{true: 200, false: 206}[whole]
		if !whole && len(spans) == 0 {
			got = 416
		}
		if got != rec.Code {
			t.Fatalf("%q of %d: got %d, net/http %d %s", value, size, got, rec.Code, rec.Header().Get("Content-Range"))
		}
		if at := rec.Header().Get("Content-Range"); got == 206 && len(spans) == 1 && at != spans[0].contentRange(size) {
			t.Fatalf("%q of %d: got %s, net/http %s", value, size, spans[0].contentRange(size), at)
		}
	})
}

// different are fields that net/http reads otherwise, besides those with signs
// and other units: numbers that are too large, suffixes of nothing, spaces around
// the dash, and sets without a range.
var different = regexp.MustCompile(`\d{18}|[=,\s]-0+\s*(,|$)|\s-|-\s|=[\s,]*$`)

// backwards reports whether a range ends before it begins. net/http does not mind
// if it begins behind the file.
func backwards(value string) bool {
	for _, m := range regexp.MustCompile(`(\d+)-(\d+)`).FindAllStringSubmatch(value, -1) {
		if number(m[2]).Cmp(number(m[1])) < 0 {
			return true
		}
	}
	return false
}

var rangeSpec = regexp.MustCompile(`^(\d*)-(\d*)$`)

// byGrammar is rangesOf by other means.
func byGrammar(value string, size int64, limit int) (spans []span, whole bool) {
	if len(value) < 6 || !strings.EqualFold(value[:6], "bytes=") {
		return nil, true
	}
	var specs []string
	for _, spec := range strings.Split(value[6:], ",") {
		if spec = strings.Trim(spec, " \t"); spec != "" {
			specs = append(specs, spec)
		}
	}
	sum := int64(0)
	for _, spec := range specs {
		m := rangeSpec.FindStringSubmatch(spec)
		if m == nil || m[1] == "" && m[2] == "" {
			return nil, false
		}
		end := big.NewInt(size - 1)
		first, last := number(m[1]), number(m[2])
		switch {
		case first == nil:
			first = new(big.Int).Sub(big.NewInt(size), last)
			if first.Sign() < 0 {
				first.SetInt64(0)
			}
			last = end
		case last == nil:
			last = end
		case last.Cmp(first) < 0:
			return nil, false
		case last.Cmp(end) > 0:
			last = end
		}
		if first.Cmp(last) > 0 {
			continue
		}
		n := last.Int64() - first.Int64() + 1
		sum = min(sum+n, size+1)
		spans = append(spans, span{first.Int64(), n})
	}
	if sum > size || len(specs) > limit {
		return nil, true
	}
	return spans, false
}

func number(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return nil
	}
	return n
}
