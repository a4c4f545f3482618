package static

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weir"
)

// S10, S11, X143
func TestConditions(t *testing.T) {
	dir := folder(t, map[string]string{"x.txt": "hello"}) // of 03:02:01.123456789
	serve(t, dir, nil, func(s *site) {
		tag := s.get("x.txt").Header.Get("ETag")
		const (
			same    = "Tue, 04 May 1999 03:02:01 GMT"
			before  = "Tue, 04 May 1999 03:02:00 GMT"
			after   = "Tue, 04 May 1999 03:02:02 GMT"
			rfc850  = "Tuesday, 04-May-99 03:02:01 GMT"
			asctime = "Tue May  4 03:02:01 1999"
		)
		for _, test := range []struct {
			name   string
			status int
			fields []string
		}{
			{"none", 200, nil},
			{"If-None-Match", 304, []string{"If-None-Match: " + tag}},
			{"weak", 304, []string{"If-None-Match: W/" + tag}},
			{"other", 200, []string{`If-None-Match: "other"`}},
			{"star", 304, []string{"If-None-Match: *"}},
			{"star in quotes", 200, []string{`If-None-Match: "*"`}},
			{"list", 304, []string{`If-None-Match: "a", W/"b" , , ` + tag}},
			{"lines", 304, []string{`If-None-Match: "a", "b"`, `If-None-Match: ` + tag}},
			{"lines, the first", 304, []string{`If-None-Match: ` + tag, `If-None-Match: "b"`}},
			{"comma in a tag", 200, []string{`If-None-Match: "a,` + tag[1:]}},
			{"unquoted", 200, []string{"If-None-Match: " + strings.Trim(tag, `"`)}},
			{"behind a syntax error", 200, []string{`If-None-Match: a, ` + tag}},
			{"open", 200, []string{"If-None-Match: " + strings.TrimSuffix(tag, `"`)}},
			{"w", 200, []string{"If-None-Match: w/" + tag}},
			{"If-Match", 200, []string{"If-Match: " + tag}},
			{"If-Match, star", 200, []string{"If-Match: *"}},
			{"If-Match, weak", 412, []string{"If-Match: W/" + tag}},
			{"If-Match, other", 412, []string{`If-Match: "other"`}},
			{"If-Match, list", 200, []string{`If-Match: "other", ` + tag}},
			{"If-Match, lines", 200, []string{`If-Match: "other"`, `If-Match: ` + tag}},
			{"If-Match, syntax", 412, []string{`If-Match: other`}},
			{"modified since", 304, []string{"If-Modified-Since: " + same}},
			{"modified since, later", 304, []string{"If-Modified-Since: " + after}},
			{"modified since, before", 200, []string{"If-Modified-Since: " + before}},
			{"modified since, RFC 850", 304, []string{"If-Modified-Since: " + rfc850}},
			{"modified since, asctime", 304, []string{"If-Modified-Since: " + asctime}},
			{"modified since, no date", 200, []string{"If-Modified-Since: yesterday"}},
			{"modified since, other zone", 200, []string{"If-Modified-Since: Tue, 04 May 1999 03:02:01 CET"}},
			{"modified since, lines", 200, []string{"If-Modified-Since: " + after, "If-Modified-Since: " + after}},
			{"unmodified since", 200, []string{"If-Unmodified-Since: " + same}},
			{"unmodified since, before", 412, []string{"If-Unmodified-Since: " + before}},
			{"unmodified since, no date", 200, []string{"If-Unmodified-Since: 0"}},
			{"tag before date", 200, []string{`If-None-Match: "other"`, "If-Modified-Since: " + after}},
			{"tag before date, same", 304, []string{"If-None-Match: " + tag, "If-Modified-Since: " + before}},
			{"match before date", 200, []string{"If-Match: " + tag, "If-Unmodified-Since: " + before}},
			{"match, then none", 304, []string{"If-Match: " + tag, "If-None-Match: " + tag}},
			{"no match, then none", 412, []string{`If-Match: "other"`, "If-None-Match: " + tag}},
			{"before the range", 304, []string{"If-None-Match: " + tag, "Range: bytes=0-0"}},
			{"before a bad range", 412, []string{`If-Match: "other"`, "Range: bytes=9-"}},
			// S15
			{"If-Range", 206, []string{"Range: bytes=1-2", "If-Range: " + tag}},
			{"If-Range, weak", 200, []string{"Range: bytes=1-2", "If-Range: W/" + tag}},
			{"If-Range, other", 200, []string{"Range: bytes=1-2", `If-Range: "other"`}},
			{"If-Range, list", 200, []string{"Range: bytes=1-2", "If-Range: " + tag + ", " + tag}},
			{"If-Range, lines", 200, []string{"Range: bytes=1-2", "If-Range: " + tag, "If-Range: " + tag}},
			{"If-Range, date", 206, []string{"Range: bytes=1-2", "If-Range: " + same}},
			{"If-Range, later", 200, []string{"Range: bytes=1-2", "If-Range: " + after}},
			{"If-Range, before", 200, []string{"Range: bytes=1-2", "If-Range: " + before}},
			{"If-Range, garbage", 200, []string{"Range: bytes=1-2", "If-Range: x"}},
			{"If-Range, stale, unsatisfiable", 200, []string{"Range: bytes=9-", `If-Range: "other"`}},
			{"If-Range without Range", 200, []string{"If-Range: " + tag}},
		} {
			g := s.get("x.txt", test.fields...)
			if g.StatusCode != test.status {
				s.Errorf("%s: got %d, want %d", test.name, g.StatusCode, test.status)
			}
			if h := s.do("HEAD", "/files/x.txt", test.fields...).StatusCode; h != test.status && test.status != 206 {
				s.Errorf("%s: HEAD got %d, want %d", test.name, h, test.status)
			}
			if test.status != 304 {
				continue
			}
			for field, want := range map[string]string{"ETag": tag, "Content-Type": "", "Content-Length": "", "Vary": "Accept-Encoding", "Last-Modified": same} {
				g.has(s, field, want)
			}
		}
	})
}

// FuzzConditions holds the conditions of a request against net/http's, but for
// where these are known to differ.
func FuzzConditions(f *testing.F) {
	for _, seed := range []string{`"tag"`, `W/"tag"`, `*`, `"a", "tag"`, `"a" "tag"`, `tag`, `"a`, `,,"tag",`, `"a,b", W/"tag"`, "Tue, 04 May 1999 03:02:01 GMT", "Tue May  4 03:02:01 1999", ""} {
		for kind := range kinds {
			f.Add(kind, seed, "bytes=0-1")
			f.Add(kind, seed, "")
		}
	}
	f.Fuzz(func(t *testing.T, kind int, value, ranges string) {
		if kind < 0 || kind >= len(kinds) {
			return
		}
		for _, v := range []string{value, ranges} {
			if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c >= 0x7f }) {
				return
			}
		}
		value, ranges = strings.Trim(value, " "), strings.Trim(ranges, " ")
		// net/http takes an empty field for none, a star for one anywhere in a list,
		// and does not mind what is behind the tag of If-Range.
		if _, behind, ok := nextTag(value); kinds[kind] == "If-Range" && ok && behind != "" {
			return
		}
		if value == "" || value != "*" && strings.Contains(value, "*") || ranges != "" && ranges != "bytes=0-1" {
			return
		}
		h := new(weir.Header)
		r := httptest.NewRequest("GET", "/", nil)
		set := func(name, value string) {
			h.Set(name, value)
			r.Header.Set(name, value)
		}
		set(kinds[kind], value)
		if ranges != "" {
			set("Range", ranges)
		}
		rec := httptest.NewRecorder()
		rec.Header().Set("ETag", `"tag"`)
		modified := long.Truncate(time.Second)
		http.ServeContent(rec, r, "x.txt", modified, bytes.NewReader([]byte("hello")))
		want := rec.Code
		got := 200
		switch judge(h, `"tag"`, modified) {
		case failed:
			got = 412
		case notModified:
			got = 304
		default:
			if ranges != "" && rangeHolds(h, `"tag"`, modified) {
				got = 206
			}
		}
		if got != want {
			t.Errorf("%s: %q with Range %q: got %d, net/http %d", kinds[kind], value, ranges, got, want)
		}
	})
}

var kinds = []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"}
