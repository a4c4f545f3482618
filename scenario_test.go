package weir_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// The files testdata/conn/*.txt are conversations with one server: what clients
// do, and what they and the handlers see then. A file has scenarios, each
// begun by "=== name". Then come, line by line,
//
//	> GET / HTTP/1.1       a line that the client sends, CRLF added; lines in a row are one write
//	>> "5\r\nhello\r\n"    bytes in Go's quotes that it sends as they are; with "* 3" behind, three times
//	< HTTP/1.1 200 OK      a line that came back, CRLF taken off
//	<< "half a li"         what came back and is no line
//	<eof> <rst>            the server's FIN and RST
//	! told: cause          what a handler noted
//	[b]                    what follows came to connection b, where there are several
//
// and commands: see run.do. What is expected follows the step that causes it.
// Each scenario runs in memory under a fake clock, in three ways: as it is,
// byte by byte, and cut at every byte (H22); and once over real sockets, if it
// needs no clock. With -update the files are rewritten.

var update = flag.Bool("update", false, "rewrite testdata/conn with what happens")

type scenario struct {
	name   string
	source []string // lines above the first step
	steps  []step
	memory bool // needs the fake clock or the kernel in memory
	whole  bool // means something else when its bytes come in pieces
}

type step struct {
	source  []string // its lines in the file, comments included
	command string
	input   []byte
	want    []string
}

func readScenarios(t *testing.T, file string) []*scenario {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var (
		all    []*scenario
		margin []string // comments and empty lines
	)
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if name, ok := strings.CutPrefix(line, "=== "); ok {
			all = append(all, &scenario{name: name, source: append(margin, line)})
			margin = nil
			continue
		}
		if line == "" || line[0] == '#' {
			margin = append(margin, line)
			continue
		}
		if len(all) == 0 {
			t.Fatalf("%s:%d: no scenario has begun", file, i+1)
		}
		if err := all[len(all)-1].add(margin, line); err != nil {
			t.Fatalf("%s:%d: %v", file, i+1, err)
		}
		margin = nil
	}
	return all
}

// add takes one line of the file.
func (sc *scenario) add(margin []string, line string) error {
	last := len(sc.steps) - 1
	switch line[0] {
	case '<', '!', '[':
		if last < 0 {
			return fmt.Errorf("nothing was done that this could come of")
		}
		sc.steps[last].want = append(sc.steps[last].want, line)
	case '>':
		input, err := inputLine(line)
		if err != nil {
			return err
		}
		if last < 0 || sc.steps[last].input == nil || sc.steps[last].want != nil || len(margin) > 0 {
			sc.steps = append(sc.steps, step{})
			last++
		}
		s := &sc.steps[last]
		s.input = append(s.input, input...)
		s.source = append(append(s.source, margin...), line)
	default:
		verb, _, _ := strings.Cut(line, " ")
		sc.memory = sc.memory || slices.Contains([]string{"tick", "window", "memory"}, verb)
		sc.whole = sc.whole || verb == "whole"
		sc.steps = append(sc.steps, step{source: append(margin, line), command: line})
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
	if err != nil || !repeated {
		return []byte(text), err
	}
	n, err := strconv.Atoi(count)
	return []byte(strings.Repeat(text, n)), err
}

func (sc *scenario) length() (n int) {
	for _, s := range sc.steps {
		n += len(s.input)
	}
	return n
}

func (sc *scenario) format(got [][]string) []string {
	lines := sc.source
	for i, s := range sc.steps {
		lines = append(append(lines, s.source...), got[i]...)
	}
	return lines
}

// compare reports the first step at which got is not what is wanted.
func (sc *scenario) compare(got [][]string) error {
	for i, s := range sc.steps {
		if !slices.Equal(got[i], s.want) {
			return fmt.Errorf("after\n%s\ngot\n%s\nwant\n%s", strings.Join(s.source, "\n"),
				strings.Join(got[i], "\n"), strings.Join(s.want, "\n"))
		}
	}
	return nil
}

func scenarioFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/conn/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v, want scenario files", files, err)
	}
	return files
}

func eachScenario(t *testing.T, f func(t *testing.T, sc *scenario)) {
	for _, file := range scenarioFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for _, sc := range readScenarios(t, file) {
				t.Run(sc.name, func(t *testing.T) { f(t, sc) })
			}
		})
	}
}

func TestScenarios(t *testing.T) {
	if *update {
		rewriteScenarios(t)
		return
	}
	eachScenario(t, func(t *testing.T, sc *scenario) {
		synctest.Test(t, func(t *testing.T) {
			if err := sc.compare(playInMemory(t, sc, uncut)); err != nil {
				t.Error(err)
			}
		})
	})
}

func rewriteScenarios(t *testing.T) {
	for _, file := range scenarioFiles(t) {
		var lines []string
		for _, sc := range readScenarios(t, file) {
			synctest.Test(t, func(t *testing.T) { lines = append(lines, sc.format(playInMemory(t, sc, uncut))...) })
		}
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// H22: a request gives the same answer however its bytes arrive.
func TestScenariosCut(t *testing.T) {
	eachScenario(t, func(t *testing.T, sc *scenario) {
		if sc.whole || sc.length() > 1000 {
			t.Skip("its bytes are to come as they are")
		}
		synctest.Test(t, func(t *testing.T) {
			for cut := everyByte; cut < sc.length(); cut += cutStep {
				if err := sc.compare(playInMemory(t, sc, cut)); err != nil {
					t.Errorf("cut at byte %d: %v", cut, err)
					return
				}
			}
		})
	})
}

func TestScenariosOverSockets(t *testing.T) {
	eachScenario(t, func(t *testing.T, sc *scenario) {
		if sc.memory {
			t.Skip("it needs the fake clock or the kernel in memory")
		}
		if err := sc.compare(playOverSockets(t, sc)); err != nil {
			t.Error(err)
		}
	})
}

// Where the input is cut.
const (
	everyByte = -1
	uncut     = -2
)
