package http1

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// parser is what Request and Response have in common for a test.
type parser interface {
	Parse(buf []byte, lim *Limits) (int, error)
	Reset()
	Rebase(buf []byte)
	Len() int
	Field(i int) (name, value []byte)
	KeepAlive() bool
	Minor() int
}

// poison stands behind every input, beyond its length: bytes that no head may contain.
const poison = "\x00\xff\n\r\x80poison\x00"

// outcome is all that a parse has said, in a form that can be compared.
type outcome struct {
	n      int
	err    ParseError // zero without an error
	detail string     // all accessors, when complete
}

func (o outcome) decided() bool { return o.n > 0 || o.err.Status != 0 }

func (o outcome) String() string {
	return fmt.Sprintf("n=%d status=%d %q offset=%d %s", o.n, o.err.Status, o.err.Reason, o.err.Offset, o.detail)
}

func outcomeOf(p parser, n int, err error) outcome {
	o := outcome{n: n}
	var pe *ParseError
	switch {
	case errors.As(err, &pe):
		o.err = *pe
	case n > 0:
		o.detail = describe(p)
	}
	return o
}

// describe prints the result of every accessor.
func describe(p parser) string {
	var b bytes.Buffer
	switch h := p.(type) {
	case *Request:
		fmt.Fprintf(&b, "%q %q %q %q host=%q cl=%d chunked=%v expect=%v upgrade=%v",
			h.Method(), h.Target(), h.Path(), h.RawQuery(), h.Host(),
			h.ContentLength(), h.Chunked(), h.ExpectContinue(), h.Upgrades())
	case *Response:
		kind, length := h.Body("GET")
		fmt.Fprintf(&b, "%d %q %v %d", h.Status(), h.Reason(), kind, length)
	}
	fmt.Fprintf(&b, " 1.%d keep=%v", p.Minor(), p.KeepAlive())
	for i := range p.Len() {
		name, value := p.Field(i)
		fmt.Fprintf(&b, " %q=%q", name, value)
	}
	return b.String()
}

// place returns a copy of s with poison behind it, within the capacity.
func place(s string) []byte {
	return append([]byte(s), poison...)[: len(s) : len(s)+len(poison)]
}

// feed parses input, given in pieces that end at cuts and at last as a whole. Each call sees
// the bytes at a new place; those of the call before are overwritten.
func feed(p parser, input string, lim *Limits, cuts ...int) outcome {
	p.Reset()
	var old []byte
	for _, end := range append(cuts, len(input)) {
		buf := place(input[:end])
		n, err := p.Parse(buf, lim)
		for i := range old {
			old[i] = 0xee
		}
		if n > 0 || err != nil {
			return outcomeOf(p, n, err)
		}
		old = buf
	}
	return outcome{}
}

// byteByByte parses input one byte at a time.
func byteByByte(p parser, input string, lim *Limits) outcome {
	cuts := make([]int, len(input))
	for i := range cuts {
		cuts[i] = i
	}
	return feed(p, input, lim, cuts...)
}

// parseEveryWay parses input at once, cut in two at every byte, byte by byte, and with poison
// behind a decided one, and fails the test if the answers differ (H22). It returns the answer.
func parseEveryWay(t *testing.T, p parser, input string, lim *Limits) outcome {
	t.Helper()
	want := feed(p, input, lim)
	check := func(way string, got outcome) {
		if got != want {
			t.Errorf("%.80q %s:\n got %v\nwant %v", input, way, got, want)
		}
	}
	for cut := range input {
		check(fmt.Sprintf("cut at %d", cut), feed(p, input, lim, cut))
	}
	check("byte by byte", byteByByte(p, input, lim))
	if want.decided() {
		check("with poison behind", feed(p, input+poison, lim))
	}
	if want.n > 0 {
		for cut := range want.n {
			if got := feed(p, input[:cut], lim); got.decided() {
				t.Errorf("%.80q: prefix of %d bytes is decided: %v", input, cut, got)
			}
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return want
}
