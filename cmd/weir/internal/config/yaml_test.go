package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestReadYAML(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"scalars", "a: 1\nb: 1.50\nc: x\nd: true\ne: ~\nf: '5'", `map[a:1 b:1.5 c:"x" d:true e:<nil> f:"5"]`},
		{"on and off are strings", "a: on\nb: off\nc: yes\nd: No", `map[a:"on" b:"off" c:"yes" d:"No"]`},
		{"numbers in other notations", "a: 0x10\nb: 0o17\nc: 1_000\nd: 1e3\ne: 18446744073709551615\nf: -0.5", `map[a:16 b:15 c:1000 d:1000 e:18446744073709551615 f:-0.5]`},
		{"dates are strings", "a: 2001-01-01", `map[a:"2001-01-01"]`},
		{"names that are no strings", "1: a\ntrue: b\n1.5: c", `map[1:"a" 1.5:"c" true:"b"]`},
		{"JSON", `{"a": [1, "b", {"c": null}]}`, `map[a:[1 "b" map[c:<nil>]]]`},
		{"merge keys, the nearer wins", "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {y: 3, <<: [*a, *b]}", `map[a:map[x:1 y:1] b:map[x:2 z:2] c:map[x:1 y:3 z:2]]`},
		{"byte order mark", "\ufeffa: 1", `map[a:1]`},
		{"nothing", "", `map[]`},
		{"only a comment", "# a\n", `map[]`},
		{"one document with its marks", "---\na: 1\n...\n", `map[a:1]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, problems := readYAML("f", []byte(tt.text))
			if problems != nil {
				t.Fatal(problems)
			}
			if got := show(d.value); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// show tells strings from numbers.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = show(item)
		}
		return "[" + strings.Join(items, " ") + "]"
	case map[string]any:
		members := make([]string, 0, len(v))
		for _, name := range sorted(v) {
			members = append(members, name+":"+show(v[name]))
		}
		return "map[" + strings.Join(members, " ") + "]"
	}
	return fmt.Sprint(v)
}

func TestYAMLProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"flow list not closed", "a: 1\nb: [1, 2\nc: 3\n", "f:2: did not find expected ',' or ']'"},
		{"flow mapping not closed", "a: 1\nb: {c: 2\n", "f:2: did not find expected ',' or '}'"},
		{"colon in a value, first line", "a: b: c\n", "f:1: mapping values are not allowed in this context"},
		{"colon in a value", "a: 1\nb: c: d\n", "f:2: mapping values are not allowed in this context"},
		{"tab, told where the value before it is", "a:\n  b: 1\n\tc: 2\n", "f:2: found a tab character that violates indentation"},
		{"indentation", "a: 1\n  b: 2\nc: 3", "f:2: mapping values are not allowed in this context"},
		{"list and mapping", "a: 1\n- b\n", "f:2: did not find expected key"},
		{"quote not closed", "a: 1\nb: 'x\nc: 1\n", "f:2: found unexpected end of stream"},
		{"escape", "a: 1\nb: \"\\q\"\n", "f:2: found unknown escape character"},
		{"anchor missing", "a: 1\nb:\n  - *x\n", "f:3: unknown anchor 'x' referenced"},
		{"anchor inside of itself", "a: 1\nb: &x [*x]", "f:2: alias *x is inside its own anchor"},
		{"not UTF-8", "a: 1\nb: \xff", "f:2: is not UTF-8"},
		{"UTF-16", "\xff\xfea\x00", "f:1: is not UTF-8"},
		{"control character", "a: 1\nb: \x01", "f:2: has the control character U+0001"},
		{"no number", "a: 1\nb: .nan\nc: -.inf", "f:2: /b: .nan is not a number\nf:3: /c: -.inf is not a number"},
		{"tag that is not true", "a: !!int x", "f:1: /a: \"x\" is not what its tag !!int says"},
		{"list as a name", "? [1]\n: 2", "f:1: the name of a field must be a string"},
		{"nothing as a name", "a: {~: 2}", "f:1: the name of a field must be a string"},
		{"twice", "a: 1\nb: 2\n'a': 3\na: 4", "f:3: /a: given twice, first on line 1\nf:4: /a: given twice, first on line 1"},
		{"merging a number", "a: 1\n<<: 2", "f:2: \"<<\" wants a mapping or a list of mappings"},
		{"two documents", "a: 1\n---\nb: 2", "f: more than one document; give the others as overlays"},
		{"second document broken", "a: 1\n---\nb: [", "f:3: did not find expected node content"},
		{"a string", "a", "f:1: want a mapping, got \"a\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := readYAML("f", []byte(tt.text))
			_, got, _ := strings.Cut(problems.Error(), "\n")
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestAliasesAreBounded: ten lines that would be a thousand million values.
func TestAliasesAreBounded(t *testing.T) {
	text := "a0: &a0 [1]\n"
	for i := 1; i < 10; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	_, problems := readYAML("f", []byte(text))
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "more than 100000 values") {
		t.Errorf("got %v, want one problem with the number of values", problems)
	}
}

func TestLines(t *testing.T) {
	d, problems := readYAML("f", []byte("a:\n  - b: 1\n    c: 2\n  - x\nd/e: {f: 3}\n"))
	if problems != nil {
		t.Fatal(problems)
	}
	want := map[string]int{"": 1, "/a": 1, "/a/0": 2, "/a/0/b": 2, "/a/0/c": 3, "/a/1": 4, "/d~1e": 5, "/d~1e/f": 5}
	if !reflect.DeepEqual(d.lines, want) {
		t.Errorf("got %v, want %v", d.lines, want)
	}
}
