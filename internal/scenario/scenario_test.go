package scenario

import (
	"slices"
	"strings"
	"testing"
)

const file = `# remark
=== one
set body 8
> GET / HTTP/1.1
> Host: a
>
>> "a\r\nb" * 2
< HTTP/1.1 200 OK
! note

> more
tick 1s
<eof>
=== two
whole
`

func parsed(t *testing.T) []*Scenario {
	t.Helper()
	all, err := Parse("f", file)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestParse(t *testing.T) {
	all := parsed(t)
	if len(all) != 2 || all[0].Name != "one" || all[1].Name != "two" {
		t.Fatalf("got %d scenarios", len(all))
	}
	want := []struct{ command, input, want string }{
		{"set body 8", "", ""},
		{"", "GET / HTTP/1.1\r\nHost: a\r\n\r\na\r\nba\r\nb", "< HTTP/1.1 200 OK|! note"},
		{"", "more\r\n", ""},
		{"tick 1s", "", "<eof>"},
	}
	for i, s := range all[0].Steps {
		w := want[i]
		if strings.Join(s.Command, " ") != w.command || string(s.Input) != w.input || strings.Join(s.Want, "|") != w.want {
			t.Errorf("step %d: got %q %q %q, want %q", i, s.Command, s.Input, s.Want, w)
		}
	}
	if one := all[0]; len(one.Steps) != len(want) || one.Length() != 41 || !one.Has("x", "tick") || one.Has("whole", "body") {
		t.Errorf("got %d steps, %d bytes", len(one.Steps), one.Length())
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"> a":                      "f:1: no scenario has begun",
		"=== one\n< a":             `f:2: nothing was done that "< a" could come of`,
		"=== one\n>> \"a":          `f:2: "a is not text in Go's quotes`,
		"=== one\n>> \"a\" * many": `f:2: "many" is not a number of times`,
		"=== one\n>> \"a\" * -1":   `f:2: "-1" is not a number of times`,
		"=== one\n  ":              "f:2: want a command",
	} {
		if all, err := Parse("f", text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want error %s", text, all, err, want)
		}
	}
}

// What happened goes where it was expected, and nothing else changes.
func TestFormatAndCompare(t *testing.T) {
	var lines []string
	for _, sc := range parsed(t) {
		var got [][]string
		for _, s := range sc.Steps {
			got = append(got, s.Want)
		}
		if err := sc.Compare(got); err != nil {
			t.Error(err)
		}
		lines = append(lines, sc.Format(got)...)
		if sc.Name == "two" {
			continue
		}
		got[1] = []string{"<rst>"}
		if err := sc.Compare(got); err == nil || !strings.HasPrefix(err.Error(), "f:4: after\n> GET") {
			t.Errorf("got %v, want the place of the second step", err)
		}
		if err := sc.Compare(got[:1]); err == nil {
			t.Error("got no error for steps that are missing")
		}
	}
	if got := strings.Join(lines, "\n") + "\n"; got != file {
		t.Errorf("got\n%s", got)
	}
}

func TestPieces(t *testing.T) {
	for _, test := range []struct {
		cut    Cut
		before int
		want   string
	}{
		{Uncut, 0, "abc"}, {EveryByte, 5, "a|b|c"}, {0, 0, "abc"}, {1, 0, "a|bc"}, {3, 0, "abc"},
		{6, 5, "a|bc"}, {5, 5, "abc"}, {4, 5, "abc"}, {9, 5, "abc"},
	} {
		var got []string
		for _, p := range test.cut.Pieces([]byte("abc"), test.before) {
			got = append(got, string(p))
		}
		if want := strings.Split(test.want, "|"); !slices.Equal(got, want) {
			t.Errorf("cut %d, %d bytes before: got %q, want %q", test.cut, test.before, got, want)
		}
	}
}
