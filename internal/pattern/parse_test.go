package pattern_test

import (
	"slices"
	"strings"
	"testing"

	"weir/internal/pattern"
)

func TestParse(t *testing.T) {
	tests := []struct {
		in, method, host string
		names            []string
	}{
		{in: "/"},
		{in: "GET /", method: "GET"},
		{in: "PURGE \t /x", method: "PURGE"},
		{in: "example.com/", host: "example.com"},
		{in: "POST Example.COM/a", method: "POST", host: "example.com"},
		{in: "/{a}/b/{c...}", names: []string{"a", "c"}},
		{in: "GET /{$}", method: "GET"},
		{in: "/{_x1}/{é}", names: []string{"_x1", "é"}},
		{in: "/a%zz"},
		{in: "/a.b/..c/..."},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			p, err := pattern.Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if p.String() != tt.in || p.Method() != tt.method || p.Host() != tt.host || !slices.Equal(p.Names(), tt.names) {
				t.Errorf("got %q %q %q %q, want %q %q %q %q",
					p, p.Method(), p.Host(), p.Names(), tt.in, tt.method, tt.host, tt.names)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "pattern: empty pattern"},
		{"GET", `pattern: parsing "GET": at offset 0: host/path missing /`},
		{"GET  x", `pattern: parsing "GET  x": at offset 5: host/path missing /`},
		{"G(T /", `at offset 0: invalid method "G(T"`},
		{"{x}/a", "at offset 0: host contains '{' (missing initial '/'?)"},
		{"GET h{x}/a", "at offset 5: host contains '{'"},
		{"/a/{x", "at offset 3: bad wildcard segment (must end with '}')"},
		{"/a/x{y}", "at offset 3: bad wildcard segment (must start with '{')"},
		{"/{x}y", "must end with '}'"},
		{"/{", "must end with '}'"},
		{"/{}", "empty wildcard"},
		{"/{...}", "empty wildcard"},
		{"/{$}/", "{$} not at end"},
		{"/{x...}/a", "{...} wildcard not at end"},
		{"/{x...}/", "{...} wildcard not at end"},
		{"/{1a}", `bad wildcard name "1a"`},
		{"/{a-b}", `bad wildcard name "a-b"`},
		{"/{x}/a/{x...}", `at offset 7: duplicate wildcard name "x"`},
		{"GET //a", "at offset 4: unclean path can never match"},
		{"/a/../b", "unclean path can never match"},
		{"CONNECT /a/.", "unclean path can never match"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			p, err := pattern.Parse(tt.in)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "pattern: ") {
				t.Errorf("got %v, %v, want an error with %q", p, err, tt.want)
			}
		})
	}
}
