package pattern_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"weir/internal/pattern"
)

// plant returns a tree in which each pattern's value is its own text.
func plant(t testing.TB, patterns ...string) *pattern.Tree[string] {
	t.Helper()
	tree := new(pattern.Tree[string])
	for i, s := range patterns {
		p, err := pattern.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Add(p, fmt.Sprintf("routes.go:%d", i+1), s); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// answer is the router's decision in one line: the pattern and its values, or what else to say.
func answer(tree *pattern.Tree[string], request string) string {
	method, target, _ := strings.Cut(request, " ")
	host, path, _ := strings.Cut(target, "/")
	path = "/" + path
	var ps pattern.Params
	if v, _, ok := tree.Match([]byte(method), []byte(host), []byte(path), &ps); ok {
		for i := range ps.Len() {
			v += fmt.Sprintf(" %s=%q", ps.Name(i), ps.Value(i))
		}
		return v
	}
	if location, ok := tree.Redirect([]byte(method), []byte(host), []byte(path)); ok {
		return "-> " + location
	}
	if allow := tree.Allowed([]byte(host), []byte(path), nil); len(allow) > 0 {
		return "405 " + strings.Join(allow, ", ")
	}
	return "404"
}

func TestMatch(t *testing.T) {
	rest := []string{"GET /v1/models", "GET /v1/models/{id}", "DELETE /v1/models/{id}", "POST /v1/models/new", "/v1/files/{path...}", "GET /{$}"}
	tests := []struct {
		name, request, want string
		patterns            []string
	}{
		{"literal", "GET /v1/models", "GET /v1/models", rest},
		{"wildcard", "DELETE /v1/models/7b", `DELETE /v1/models/{id} id="7b"`, rest},
		{"literal of another method goes back to the wildcard", "GET /v1/models/new", `GET /v1/models/{id} id="new"`, rest},
		{"wildcard takes no empty segment", "GET /v1/models/", "404", rest},
		{"rest", "PUT /v1/files/a/b", `/v1/files/{path...} path="a/b"`, rest},
		{"rest may be empty", "PUT /v1/files/", `/v1/files/{path...} path=""`, rest},
		{"rest keeps its trailing slash", "PUT /v1/files/a/", `/v1/files/{path...} path="a/"`, rest},
		{"slash is added", "PUT /v1/files", "-> /v1/files/", rest},
		{"GET serves HEAD", "HEAD /v1/models", "GET /v1/models", rest},
		{"405", "PUT /v1/models/7b", "405 DELETE, GET, HEAD", rest},
		{"405 over two patterns", "PUT /v1/models/new", "405 DELETE, GET, HEAD, POST", rest},
		{"end matches only the slash", "GET /", "GET /{$}", rest},
		{"404", "GET /v2", "404", rest},
		{"method is case-sensitive", "get /v1/models", "405 GET, HEAD", rest},
		{"no pattern", "GET /", "404", nil},

		{"HEAD before GET", "HEAD /a", "HEAD /a", []string{"GET /a", "HEAD /a", "/a"}},
		{"GET before any for HEAD", "HEAD /a", "GET /a", []string{"/a", "GET /a"}},
		{"any", "BREW /a", "/a", []string{"/a", "GET /a"}},
		{"end before rest", "GET /a/", "/a/{$}", []string{"/a/", "/a/{$}"}},
		{"exact without the slash", "GET /a", "/a", []string{"/a", "/a/"}},
		{"wildcard exact: no redirect", "GET /a", `/{x} x="a"`, []string{"/{x}", "/a/"}},
		{"slash before a wider subtree", "GET /a", "-> /a/", []string{"/", "/a/"}},
		{"slash added for another method is a 405", "POST /a", "405 GET, HEAD", []string{"GET /a/"}},
		{"slash for another method, wider for this", "POST /a", "/", []string{"GET /a/{$}", "/"}},
		{"back out of a literal", "GET /a/b/c", `/a/{x}/c x="b"`, []string{"/a/b/z", "/a/{x}/c"}},

		{"host before no host", "GET h/a/b", "h/", []string{"/a/b", "h/"}},
		{"no host where the host's do not match", "GET h/a", "/a", []string{"/a", "h/b"}},
		{"port does not count", "GET h:80/", "h/", []string{"h/"}},
		{"address in brackets", "GET [::1]:80/", "::1/", []string{"::1/"}},
		{"case of a host does not count", "GET ExAmple.com/", "eXample.com/", []string{"eXample.com/"}}, // unlike net/http
		{"405 with and without host", "PUT h/a", "405 GET, HEAD, POST", []string{"POST /a", "GET h/a"}},

		{"escapes in a literal", "GET /%61%2fb", "/a%2Fb", []string{"/a%2Fb", "/"}},
		{"escapes in a value", "GET /a%20b%2Fc", `/{x} x="a b/c"`, []string{"/{x}"}},
		{"plus is a plus", "GET /a+b", `/{x} x="a+b"`, []string{"/{x}"}},
		{"malformed escape stays", "GET /%zz", `/{x} x="%zz"`, []string{"/{x}"}},
		{"lone escaped slash is a segment", "GET /a/%2F", `/a/{x} x="/"`, []string{"/a/{x}", "/a/{$}"}}, // unlike net/http
		{"encoded dots are a value", "GET /a/%2e%2e", `/a/{x} x=".."`, []string{"/a/{x}"}},
		{"encoded control bytes are a value", "GET /%00%0d%0a", `/{x} x="\x00\r\n"`, []string{"/{x}"}}, // X23: see HidesNUL
		{"unclean is never matched", "GET /a/../b", "-> /b", []string{"/"}},
		{"unclean and without a slash", "GET /x/..//a", "-> /a/", []string{"/a/"}},
		{"redirect keeps escapes", "GET //a%2Fb%3F", "-> /a%2Fb%3F/", []string{"/{x}/"}}, // unlike net/http
		{"redirect leaves no host", "GET //evil.example/%2e%2e", "-> /evil.example/%2e%2e", []string{"/"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := answer(plant(t, tt.patterns...), tt.request); got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.request, got, tt.want)
			}
		})
	}
}

func TestManyLiterals(t *testing.T) {
	var patterns []string
	for i := range 40 {
		patterns = append(patterns, fmt.Sprintf("/r%d/{x}", i))
	}
	tree := plant(t, patterns...)
	for i, p := range patterns {
		if got, want := answer(tree, fmt.Sprintf("GET /r%d/v", i)), p+` x="v"`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestParams(t *testing.T) {
	const path = "/1/%32/3/4/5/6/7/8/9/1%30/rest/%2F"
	tree := plant(t, "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k...}", "/{a}")
	var ps pattern.Params
	for range 2 { // the second time in the memory of the first
		if _, _, ok := tree.Match([]byte("GET"), nil, []byte(path), &ps); !ok {
			t.Fatal("got no match")
		}
		for i, want := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "rest//"} {
			if got := string(ps.Value(i)); got != want {
				t.Errorf("value %d: got %q, want %q", i, got, want)
			}
		}
		if v, ok := ps.Get("j"); !ok || string(v) != "10" {
			t.Errorf("Get: got %q, %v, want 10", v, ok)
		}
	}
	moved := []byte(path)
	ps.Rebase(moved)
	copy(moved, "/A")
	if a, k := ps.Value(0), ps.Value(10); string(a) != "A" || string(k) != "rest//" {
		t.Errorf("after Rebase: got %q and %q, want a view of the new path and what was decoded", a, k)
	}
	if _, _, ok := tree.Match([]byte("GET"), nil, []byte("/x"), &ps); !ok || ps.Len() != 1 {
		t.Errorf("got %d values, want 1", ps.Len())
	}
	if v, ok := ps.Get("b"); ok {
		t.Errorf("Get of another pattern's name: got %q, want none", v)
	}
	ps.Reset()
	if v, ok := ps.Get("a"); ok || ps.Len() != 0 {
		t.Errorf("after Reset: got %q, want none", v)
	}
}

func TestMatchLeavesParamsWithoutAMatch(t *testing.T) {
	tree := plant(t, "/a/{x}")
	var ps pattern.Params
	tree.Match([]byte("GET"), nil, []byte("/a/b"), &ps)
	if _, _, ok := tree.Match([]byte("GET"), nil, []byte("/c"), &ps); ok {
		t.Fatal("got a match, want none")
	}
	if v, ok := ps.Get("x"); !ok || string(v) != "b" {
		t.Errorf("got %q, %v, want the earlier b", v, ok)
	}
}

func TestAllowedAppends(t *testing.T) {
	tree := plant(t, "PUT /a", "GET /a/", "GET h/a")
	got := tree.Allowed([]byte("h"), []byte("/a"), []string{"first", "GET"})
	if want := "[first GET GET HEAD PUT]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestLookupsAtTheSameTime(t *testing.T) {
	tree := plant(t, "GET /a/{x}", "h/a/", "/b/{rest...}")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				id := fmt.Sprintf("%d-%d", g, i)
				if got, want := answer(tree, "GET /a/"+id), fmt.Sprintf("GET /a/{x} x=%q", id); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if got := answer(tree, "PUT /a/"+id); got != "405 GET, HEAD" {
					t.Errorf("got %s, want 405", got)
				}
			}
		})
	}
	wg.Wait()
}
