package patch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// readable returns a text as lines for a person: a line for each member of its
// JSON, which is the whole of it or on lines of data.
func readable(text []byte) []string {
	var b bytes.Buffer
	if json.Indent(&b, bytes.TrimPrefix(text, []byte("\uFEFF")), "", "  ") == nil {
		return strings.Split(strings.TrimSpace(b.String()), "\n")
	}
	var lines []string
	for _, line := range strings.FieldsFunc(string(text), func(r rune) bool { return r == '\r' || r == '\n' }) {
		data, isData := strings.CutPrefix(line, "data:")
		if b.Reset(); isData && json.Indent(&b, []byte(data), "", "  ") == nil {
			lines = append(append(lines, "data:"), strings.Split(strings.TrimSpace(b.String()), "\n")...)
			continue
		}
		lines = append(lines, line)
	}
	return lines
}

const (
	context   = 3   // lines around a change
	mostPairs = 4e6 // of lines that are compared; beyond it all between first and last change is shown
	mostLine  = 160 // bytes of a line that did not change
	mostShort = 60  // bytes of what became what
)

// appendDiff prints a unified diff.
func appendDiff(out *bytes.Buffer, a, b []string) {
	script := compare(a, b)
	for i := 0; i < len(script); {
		if script[i].mark == ' ' {
			i++
			continue
		}
		from, to, last := max(0, i-context), i, i
		for to = i; to < len(script) && to <= last+2*context; to++ {
			if script[to].mark != ' ' {
				last = to
			}
		}
		to = min(len(script), last+context+1)
		hunk(out, script, from, to)
		i = to
	}
}

func hunk(out *bytes.Buffer, script []line, from, to int) {
	var before, after [2]int // the first line and how many
	before[0], after[0] = 1, 1
	for i, l := range script[:to] {
		k := 0
		if i >= from {
			k = 1
		}
		if l.mark != '+' {
			before[k]++
		}
		if l.mark != '-' {
			after[k]++
		}
	}
	fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n", before[0], before[1], after[0], after[1])
	for _, l := range script[from:to] {
		text := l.text
		if l.mark == ' ' && len(text) > mostLine {
			text = strings.ToValidUTF8(text[:mostLine], "") + fmt.Sprintf("… (%d bytes)", len(l.text))
		}
		fmt.Fprintf(out, "%c%s\n", l.mark, text)
	}
}

// line is one of a diff: unchanged, removed or added.
type line struct {
	mark byte // ' ', '-' or '+'
	text string
}

// compare returns the lines of both, the common ones once.
func compare(a, b []string) (script []line) {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		script = append(script, line{' ', a[head]})
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	script = append(script, between(a[head:len(a)-tail], b[head:len(b)-tail])...)
	for _, text := range a[len(a)-tail:] {
		script = append(script, line{' ', text})
	}
	return script
}

// between is compare by the longest common subsequence.
func between(a, b []string) (script []line) {
	if float64(len(a))*float64(len(b)) > mostPairs {
		for _, text := range a {
			script = append(script, line{'-', text})
		}
		for _, text := range b {
			script = append(script, line{'+', text})
		}
		return script
	}
	width := len(b) + 1
	common := make([]int32, (len(a)+1)*width) // of a[i:] and b[k:]
	for i := len(a) - 1; i >= 0; i-- {
		for k := len(b) - 1; k >= 0; k-- {
			if a[i] == b[k] {
				common[i*width+k] = common[(i+1)*width+k+1] + 1
			} else {
				common[i*width+k] = max(common[(i+1)*width+k], common[i*width+k+1])
			}
		}
	}
	i, k := 0, 0
	for i < len(a) || k < len(b) {
		switch {
		case i < len(a) && k < len(b) && a[i] == b[k]:
			script = append(script, line{' ', a[i]})
			i, k = i+1, k+1
		case k == len(b) || i < len(a) && common[(i+1)*width+k] >= common[i*width+k+1]:
			script = append(script, line{'-', a[i]})
			i++
		default:
			script = append(script, line{'+', b[k]})
			k++
		}
	}
	return script
}

// short is a piece of a text in a sentence.
func short(b []byte) string {
	if len(b) == 0 {
		return "nothing"
	}
	text := strings.ToValidUTF8(strings.NewReplacer("\n", "⏎", "\r", "␍").Replace(string(b)), "\uFFFD")
	if len(text) > mostShort {
		return strings.ToValidUTF8(text[:mostShort], "") + fmt.Sprintf("… (%d bytes)", len(b))
	}
	return text
}

// plain is an error without the prefix of its package.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "policy: ") }
