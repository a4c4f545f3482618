package pattern_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"weir/internal/pattern"
)

// pair is the same patterns in our tree and in net/http's mux.
type pair struct {
	tree pattern.Tree[string]
	mux  *http.ServeMux
	hit  *http.Request // the last request that reached a handler of mux
}

func newPair() *pair { return &pair{mux: http.NewServeMux()} }

// add registers text with both and checks that they agree on it.
func (o *pair) add(t *testing.T, text string) {
	t.Helper()
	want := muxError(o.mux, text, func(_ http.ResponseWriter, r *http.Request) { o.hit = r })
	p, err := pattern.Parse(text)
	if err == nil {
		err = o.tree.Add(p, "oracle_test.go:1", text)
	}
	if (err == nil) != (want == "") {
		t.Fatalf("add %q: got error %v, want that of net/http: %q", text, err, want)
	}
}

// muxError registers text with mux and returns net/http's complaint, "" if it has none.
func muxError(mux *http.ServeMux, text string, h http.HandlerFunc) (complaint string) {
	defer func() {
		if v := recover(); v != nil {
			complaint = fmt.Sprint(v)
		}
	}()
	mux.HandleFunc(text, h)
	return ""
}

// ask sends one request through both and checks that they give the same answer.
func (o *pair) ask(t *testing.T, method, host, target string) {
	t.Helper()
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
		method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")))
	if err != nil || req.URL.Host != "" || differs(req.URL.EscapedPath()) {
		return
	}
	// net/http escapes what RFC 3986 does not allow in a path before it looks; http1 refuses or keeps it. Asking with
	// the escaped path keeps the question the same.
	target = req.URL.EscapedPath()
	o.hit = nil
	rec := httptest.NewRecorder()
	o.mux.ServeHTTP(rec, req)

	what := fmt.Sprintf("%s %s%s", method, host, target)
	got, want := o.answer(method, host, target), o.muxAnswer(rec)
	if rec.Code == http.StatusTemporaryRedirect && strings.HasPrefix(got, "redirect ") {
		got = "redirect " + asNetHTTPWrites(target, strings.TrimPrefix(got, "redirect "))
	}
	if got != want {
		t.Fatalf("%s: got %s, want %s", what, got, want)
	}
}

// answer is what a Mux on the tree would do, in the order that Tree documents.
func (o *pair) answer(method, host, target string) string {
	var ps pattern.Params
	v, p, ok := o.tree.Match([]byte(method), []byte(host), []byte(target), &ps)
	location, moved := o.tree.Redirect([]byte(method), []byte(host), []byte(target))
	if ok && moved {
		return "both a match and a redirect"
	}
	if ok {
		if p.String() != v {
			return fmt.Sprintf("pattern %s with the value of %s", p, v)
		}
		var values []string
		for i := range ps.Len() {
			values = append(values, ps.Name(i)+"="+string(ps.Value(i)))
		}
		return fmt.Sprintf("%s %q", p, values)
	}
	if moved {
		return "redirect " + location
	}
	if allow := o.tree.Allowed([]byte(host), []byte(target), nil); len(allow) > 0 {
		return "405 " + strings.Join(allow, ", ")
	}
	return "404"
}

// muxAnswer is what net/http did, in the same words.
func (o *pair) muxAnswer(rec *httptest.ResponseRecorder) string {
	switch {
	case o.hit != nil:
		p, err := pattern.Parse(o.hit.Pattern)
		if err != nil {
			return err.Error()
		}
		var values []string
		for _, name := range p.Names() {
			values = append(values, name+"="+o.hit.PathValue(name))
		}
		return fmt.Sprintf("%s %q", p, values)
	case rec.Code == http.StatusTemporaryRedirect:
		return "redirect " + rec.Header().Get("Location")
	case rec.Code == http.StatusMethodNotAllowed:
		return "405 " + rec.Header().Get("Allow")
	}
	return fmt.Sprint(rec.Code)
}

// differs reports known difference 1: a segment that decodes to a lone slash. net/http takes it for the slash at the
// end of the path.
func differs(escaped string) bool {
	return slices.ContainsFunc(strings.Split(escaped, "/"), func(seg string) bool {
		return strings.EqualFold(seg, "%2F")
	})
}

// asNetHTTPWrites turns our location into net/http's: known difference 2. To clean a path it takes the escaped one
// for a plain one and escapes it again; to add a slash it takes the decoded one, whose dots and slashes it then cleans
// away. Both go through http.Redirect, which cleans once more.
func asNetHTTPWrites(target, ours string) string {
	u := url.URL{Path: ours}
	if cleaned, _ := pattern.Clean([]byte(target)); ours == string(cleaned)+"/" {
		decoded, err := url.PathUnescape(target)
		if err != nil {
			return err.Error()
		}
		c, _ := pattern.Clean([]byte(decoded))
		u.Path = string(c) + "/"
	}
	location := u.String()
	c := path.Clean(location)
	if c != "/" && strings.HasSuffix(location, "/") {
		c += "/"
	}
	return c
}

// TestOracle asks both about everything that a few hundred combinations of small patterns and paths can show.
func TestOracle(t *testing.T) {
	sets := [][]string{
		{"/"},
		{"/{$}", "/a", "/a/"},
		{"GET /a", "POST /a", "/a/{$}", "HEAD /b", "GET /b"},
		{"/a/b/z", "/a/{x}/c", "/a/{x}/"},
		{"GET /a/{x}", "/a/{x...}", "POST /a/b"},
		{"h/a/", "/a", "/{x}/{y}", "h/{x}/b/{$}"},
		{"h/", "h/a/b/", "/a"},
		{"GET h/a/{x}/", "POST /a/{x}/", "DELETE /a/{x}"},
		{"/{x}/{y}/{z...}", "/{x}/b/{y}", "/a/", "/a/{$}"},
		{"/a%2Fb/{x}", "/a b", "/%61/c", "/é", "/{$}"},
		{"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j...}"},
		{"GET /{x...}", "PUT /a/{$}", "OPTIONS /a/b/"},
	}
	segments := []string{"", "a", "b", "c", "a%2Fb", "%61", "a%20b", "%c3%a9", ".", "..", "%2e%2e", "%00", "%0d%0a", "+", "é"}
	for _, set := range sets {
		o := newPair()
		for _, p := range set {
			o.add(t, p)
		}
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
			for _, host := range []string{"", "h", "h:80", "other"} {
				for _, s1 := range segments {
					o.ask(t, method, host, "/"+s1)
					for _, s2 := range segments {
						o.ask(t, method, host, "/"+s1+"/"+s2)
						o.ask(t, method, host, "/"+s1+"/"+s2+"/")
						o.ask(t, method, host, "/"+s1+"/"+s2+"/c")
					}
				}
			}
		}
		o.ask(t, "GET", "h", "/1/2/3/4/5/6/7/8/9/10/11")
	}
}

// TestKnownDifferences is the list of answers that differ from net/http's, each with the reason. A row that no longer
// differs fails too: then net/http has changed.
func TestKnownDifferences(t *testing.T) {
	tests := []struct {
		why, patterns, request string
		ours, theirs           string
	}{
		{"a lone %2F is a segment, not the end of the path", "/a/{$} /a/{x}", "GET h/a/%2F", `/a/{x} ["x=/"]`, `/a/{$} []`},
		{"adding a slash does not decode the path", "/{x}/", "GET h/a%2Fb", "redirect /a%2Fb/", "redirect /a/b/"},
		{"adding a slash does not climb", "/a/{x}/", "GET h/a/%2e%2e", "redirect /a/%2e%2e/", "redirect /"},
		{"cleaning does not escape once more", "/", "GET h//a%20b", "redirect /a%20b", "redirect /a%2520b"},
		{"the case of a host does not count", "h/a", "GET H/a", "h/a []", "404"},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			o := newPair()
			for _, p := range strings.Fields(tt.patterns) {
				o.add(t, p)
			}
			method, target, _ := strings.Cut(tt.request, " ")
			host, path, _ := strings.Cut(target, "/")
			req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
				method + " /" + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")))
			if err != nil {
				t.Fatal(err)
			}
			rec := httptest.NewRecorder()
			o.mux.ServeHTTP(rec, req)
			if got := o.answer(method, host, "/"+path); got != tt.ours {
				t.Errorf("got %s, want %s", got, tt.ours)
			}
			if got := o.muxAnswer(rec); got != tt.theirs {
				t.Errorf("net/http: got %s, want %s", got, tt.theirs)
			}
		})
	}
	t.Run("an unclean pattern is always refused", func(t *testing.T) {
		for _, s := range []string{"//a", "/a/../b", "CONNECT /a//b"} {
			if _, err := pattern.Parse(s); err == nil {
				t.Errorf("%q: got no error", s)
			}
			if complaint := muxError(http.NewServeMux(), s, func(http.ResponseWriter, *http.Request) {}); complaint != "" {
				t.Errorf("net/http on %q: got %s, want none", s, complaint)
			}
		}
	})
}
