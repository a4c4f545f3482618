package babble

import "strings"

// Prose returns the running text of a Markdown document: paragraphs and list
// items, each on one line with an empty line between them. Code blocks, tables,
// headings and HTML lines are omitted, and so are the marks of code spans, bold
// type and links: an n-gram model would never close them.
func Prose(markdown string) string {
	var p proseWriter
	p.out.Grow(len(markdown))
	for line := range strings.Lines(markdown) {
		p.line(strings.TrimSpace(line))
	}
	return p.out.String()
}

type proseWriter struct {
	out    strings.Builder
	fenced bool // inside a code block
	open   bool // inside a paragraph
}

func (p *proseWriter) line(line string) {
	switch {
	case strings.HasPrefix(line, "```"):
		p.fenced, p.open = !p.fenced, false
	case p.fenced:
	case line == "" || strings.ContainsRune("|#<", rune(line[0])):
		p.open = false
	default:
		text, item := cutMarker(line)
		if item {
			p.open = false
		}
		p.text(text)
	}
}

// text continues the paragraph, or begins one.
func (p *proseWriter) text(line string) {
	switch {
	case p.open:
		p.out.WriteByte(' ')
	case p.out.Len() > 0:
		p.out.WriteString("\n\n")
	}
	p.open = true
	p.out.WriteString(plain(line))
}

// cutMarker removes a list item's marker: "- ", "* " or "1. ".
func cutMarker(line string) (text string, item bool) {
	rest := strings.TrimLeft(line, "0123456789")
	if len(rest) < len(line) {
		text, item = strings.CutPrefix(rest, ". ")
	} else if text, item = strings.CutPrefix(line, "- "); !item {
		text, item = strings.CutPrefix(line, "* ")
	}
	if !item {
		return line, false
	}
	return strings.TrimSpace(text), true
}

// plain removes the marks of code spans and bold type, and of a link all but
// its text.
func plain(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "`", ""), "**", "")
	for {
		before, rest, ok := strings.Cut(s, "[")
		text, target, ok2 := strings.Cut(rest, "](")
		_, after, ok3 := strings.Cut(target, ")")
		if !ok || !ok2 || !ok3 {
			return s
		}
		s = before + text + after
	}
}
