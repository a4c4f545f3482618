// Package scenario reads files of conversations between clients and a server,
// and compares what happened with what they expect.
//
// A file has scenarios, each begun by "=== name". Then come, line by line,
//
//	> GET / HTTP/1.1       a line that the client sends, CRLF added; lines in a row are one write
//	>> "5\r\nhello\r\n"    bytes in Go's quotes that it sends as they are; with "* 3" behind, three times
//	< HTTP/1.1 200 OK      a line that came back, CRLF taken off
//	<< "half a li"         what came back and is not a line
//	<eof> <rst>            the server's FIN and RST
//	! told: cause          what the server's side noted
//	[b]                    what follows came to connection b, where there are several
//	# remark               nothing, as an empty line; it ends a write
//
// and commands: all other lines, a word and its arguments. What is expected
// follows the step that causes it.
package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Scenario is one scenario of a file.
type Scenario struct {
	Name   string
	Steps  []Step
	source []string // lines above the first step
}

// A Step is a command or, if that is empty, input.
type Step struct {
	Command []string // a word and its arguments
	Input   []byte   // what a client sends
	Want    []string // what is expected after it

	source []string // its lines in the file, remarks included
	place  string   // of the first, "file:line"
}

// Parse returns the scenarios of a file. Errors begin with its name and the
// line.
func Parse(file, text string) (all []*Scenario, err error) {
	var margin []string // remarks and empty lines
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if name, ok := strings.CutPrefix(line, "=== "); ok {
			all = append(all, &Scenario{Name: name, source: append(margin, line)})
			margin = nil
			continue
		}
		if line == "" || line[0] == '#' {
			margin = append(margin, line)
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf(`%s:%d: no scenario has begun; want a line "=== name" before`, file, i+1)
		}
		place := fmt.Sprintf("%s:%d", file, i+1)
		if err := all[len(all)-1].add(margin, line, place); err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		margin = nil
	}
	return all, nil
}

// add processes one line of the file.
func (sc *Scenario) add(margin []string, line, place string) error {
	last := len(sc.Steps) - 1
	switch line[0] {
	case '<', '!', '[':
		if last < 0 {
			return fmt.Errorf("nothing was done that %q could come of", line)
		}
		sc.Steps[last].Want = append(sc.Steps[last].Want, line)
	case '>':
		input, err := inputLine(line)
		if err != nil {
			return err
		}
		if last < 0 || sc.Steps[last].Input == nil || sc.Steps[last].Want != nil || len(margin) > 0 {
			sc.Steps = append(sc.Steps, Step{place: place})
			last++
		}
		s := &sc.Steps[last]
		s.Input = append(s.Input, input...)
		s.source = append(append(s.source, margin...), line)
	default:
		words := strings.Fields(line)
		if len(words) == 0 {
			return fmt.Errorf("want a command, got spaces")
		}
		sc.Steps = append(sc.Steps, Step{Command: words, source: append(margin, line), place: place})
	}
	return nil
}

func inputLine(line string) ([]byte, error) {
	quoted, raw := strings.CutPrefix(line, ">> ")
	if !raw {
		return []byte(strings.TrimPrefix(strings.TrimPrefix(line, ">"), " ") + "\r\n"), nil
	}
	quoted, count, repeated := strings.Cut(quoted, " * ")
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return nil, fmt.Errorf("%s is not text in Go's quotes", quoted)
	}
	if !repeated {
		return []byte(text), nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("%q is not a number of times", count)
	}
	return []byte(strings.Repeat(text, n)), nil
}

// Has reports whether one of the commands is among its steps.
func (sc *Scenario) Has(commands ...string) bool {
	return slices.ContainsFunc(sc.Steps, func(s Step) bool {
		return len(s.Command) > 0 && slices.Contains(commands, s.Command[0])
	})
}

// Length returns the number of bytes that clients send.
func (sc *Scenario) Length() (n int) {
	for _, s := range sc.Steps {
		n += len(s.Input)
	}
	return n
}

// Format returns the scenario's lines with what happened after each step in
// place of what was expected; with nil, as they are.
func (sc *Scenario) Format(got [][]string) []string {
	lines := slices.Clone(sc.source)
	for i, s := range sc.Steps {
		after := s.Want
		if got != nil {
			after = got[i]
		}
		lines = append(append(lines, s.source...), after...)
	}
	return lines
}

// Compare returns an error that shows the first step after which something else
// happened than is expected.
func (sc *Scenario) Compare(got [][]string) error {
	for i, s := range sc.Steps {
		if i >= len(got) || !slices.Equal(got[i], s.Want) {
			var have []string
			if i < len(got) {
				have = got[i]
			}
			return fmt.Errorf("%s: after\n%s\ngot\n%s\nwant\n%s", s.place, strings.Join(s.source, "\n"),
				strings.Join(have, "\n"), strings.Join(s.Want, "\n"))
		}
	}
	return nil
}

// A Cut is where a scenario's input is divided.
type Cut int

const (
	EveryByte Cut = -1 // into single bytes
	Uncut     Cut = -2 // nowhere
	// Any other number is the byte before which it is divided, counted over all
	// of the scenario's input.
)

// Pieces divides p, which comes after before bytes of input.
func (c Cut) Pieces(p []byte, before int) [][]byte {
	switch at := int(c) - before; {
	case c == EveryByte:
		return slices.Collect(slices.Chunk(p, 1))
	case c >= 0 && 0 < at && at < len(p):
		return [][]byte{p[:at], p[at:]}
	}
	return [][]byte{p}
}
