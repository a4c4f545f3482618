package config

import (
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// document is one file as a JSON value: nil, bool, string, number,
// map[string]any or []any, and the line of everything in it by its pointer.
type document struct {
	name  string
	value map[string]any
	lines map[string]int
}

// number is a JSON number in its shortest form. It is a type of its own so
// that "5" and 5 are two things.
type number string

// MarshalJSON writes n as a number.
func (n number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// mostNodes bounds what a file with aliases of aliases can grow to.
const mostNodes = 100_000

// yamlReader turns YAML nodes into JSON values.
type yamlReader struct {
	doc      document
	nodes    int
	open     map[*yaml.Node]bool // the anchors that are being expanded
	problems Problems
}

// readYAML reads a file that holds one mapping, or nothing.
func readYAML(name string, text []byte) (document, Problems) {
	r := &yamlReader{
		doc:  document{name: name, lines: map[string]int{}},
		open: map[*yaml.Node]bool{},
	}
	if line, err := checkText(string(text)); err != nil {
		return r.doc, Problems{{File: name, Line: line, Message: err.Error()}}
	}
	root, err := parseYAML(text)
	if err != nil {
		return r.doc, Problems{syntaxProblem(name, text, err)}
	}
	switch v := r.value("", root).(type) {
	case map[string]any:
		r.doc.value = v
	case nil:
		r.doc.value = map[string]any{}
	default:
		r.complain(root, "", "want a mapping, got %s", describe(v))
	}
	return r.doc, r.problems
}

var errDocuments = errors.New("yaml: more than one document; give the others as overlays")

func parseYAML(text []byte) (root *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil { // the package panics on what it did not foresee
			err = fmt.Errorf("yaml: cannot be parsed: %v", p)
		}
	}()
	var first, second yaml.Node
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	switch err := d.Decode(&first); {
	case err == io.EOF:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
	case err != nil:
		return nil, err
	}
	switch err := d.Decode(&second); err {
	case io.EOF:
		return &first, nil
	case nil:
		return nil, errDocuments
	default:
		return nil, err
	}
}

var (
	syntaxError  = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?((?s:.*))$`)
	unknownAlias = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
	oneLineOff   = regexp.MustCompile(`^(did not find expected (','|'-'|<|key|node)|found (duplicate|incompatible|undefined))`)
)

// syntaxProblem parses the package's error and finds the line. The package
// omits it if it is the first, counts from 0 in errors of its parser (not of
// its scanner), and has none for an alias without an anchor.
func syntaxProblem(name string, text []byte, err error) Problem {
	m := syntaxError.FindStringSubmatch(err.Error())
	p := Problem{File: name, Line: 1, Message: m[2]}
	if err == errDocuments {
		p.Line = 0
	}
	if n, err := strconv.Atoi(m[1]); err == nil {
		if p.Line = n; oneLineOff.MatchString(p.Message) {
			p.Line = min(n+1, lineAt(strings.TrimRight(string(text), "\n")))
		}
	}
	if p.Message == "found character that cannot start any token" {
		p.Message += ": indent with spaces, not tabs, and quote a text that begins with @, % or `"
	}
	if alias := unknownAlias.FindStringSubmatch(p.Message); alias != nil {
		before, _, _ := strings.Cut(string(text), "*"+alias[1])
		p.Line = lineAt(before)
	}
	return p
}

// checkText finds what no YAML file may have, and for which the package does
// not report the line.
func checkText(text string) (line int, err error) {
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			return lineAt(text[:i]), errors.New("is not UTF-8")
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', 0x7f <= r && r < 0xa0 && r != 0x85, r == 0xfffe, r == 0xffff:
			return lineAt(text[:i]), fmt.Errorf("has the control character %U", r)
		}
	}
	return 0, nil
}

func lineAt(before string) int { return 1 + strings.Count(before, "\n") }

func (r *yamlReader) complain(n *yaml.Node, pointer, format string, args ...any) {
	r.problems = append(r.problems, Problem{
		Pointer: pointer, Message: fmt.Sprintf(format, args...), File: r.doc.name, Line: n.Line,
	})
}

func (r *yamlReader) value(pointer string, n *yaml.Node) any {
	if r.nodes++; r.nodes > mostNodes {
		if r.nodes == mostNodes+1 {
			r.complain(n, "", "more than %d values; are there aliases of aliases?", mostNodes)
		}
		return nil
	}
	if _, ok := r.doc.lines[pointer]; !ok {
		r.doc.lines[pointer] = n.Line
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return r.value(pointer, n.Content[0])
	case yaml.AliasNode:
		return r.alias(pointer, n)
	case yaml.MappingNode:
		return r.mapping(pointer, n)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = r.value(join(pointer, i), item)
		}
		return list
	}
	return r.scalar(pointer, n)
}

func (r *yamlReader) alias(pointer string, n *yaml.Node) any {
	if r.open[n.Alias] {
		r.complain(n, "", "alias *%s is inside its own anchor", n.Value)
		return nil
	}
	r.open[n.Alias] = true
	defer delete(r.open, n.Alias)
	return r.value(pointer, n.Alias)
}

// mapping reads the members in their order; of two with one name the first is
// kept. What "<<" merges in has the least rank.
func (r *yamlReader) mapping(pointer string, n *yaml.Node) any {
	members := make(map[string]any, len(n.Content)/2)
	lines := make(map[string]int, len(n.Content)/2)
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.ShortTag() == "!!merge":
			merged = append(merged, value)
			continue
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null":
			r.complain(n.Content[i], "", "the name of a field must be a string")
			continue
		case lines[key.Value] != 0:
			r.complain(key, join(pointer, key.Value), "given twice, first on line %d", lines[key.Value])
			continue
		}
		lines[key.Value] = key.Line
		here := join(pointer, key.Value)
		r.doc.lines[here] = key.Line
		members[key.Value] = r.value(here, value)
	}
	for _, value := range merged {
		r.merge(pointer, members, value)
	}
	return members
}

// merge adds what a merge key refers to: a mapping or a list of them.
func (r *yamlReader) merge(pointer string, members map[string]any, n *yaml.Node) {
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			r.merge(pointer, members, item)
		}
		return
	}
	more, ok := r.value(pointer, n).(map[string]any)
	if !ok {
		r.complain(n, "", `"<<" wants a mapping or a list of mappings`)
	}
	for name, value := range more {
		if _, ok := members[name]; !ok {
			members[name] = value
		}
	}
}

// scalar reads a value as YAML 1.2 does: "on" and "yes" are strings.
func (r *yamlReader) scalar(pointer string, n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool", "!!int", "!!float":
	default:
		return n.Value
	}
	var v any
	if err := n.Decode(&v); err != nil {
		r.complain(n, pointer, "%q is not what its tag %s says", n.Value, n.ShortTag())
		return nil
	}
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			r.complain(n, pointer, "%s is not a number", n.Value)
			return nil
		}
		return number(strconv.FormatFloat(v, 'f', -1, 64))
	case int, int64, uint64:
		return number(fmt.Sprint(v))
	}
	return v
}

// describe names a value for a message, without what is in it if it is large.
func describe(v any) string {
	const most = 40
	switch v := v.(type) {
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case string:
		if len(v) > most {
			return "a string"
		}
		return strconv.Quote(v)
	case nil:
		return "nothing"
	}
	return fmt.Sprint(v)
}
