package frame

import (
	"bytes"
	"strconv"
)

// Events finds the SSE events in a body that comes in pieces. The zero value is
// ready. It knows what the measured routes send, `data:` lines ended by LF or
// CRLF; other fields are skipped, and of an event with several data lines the
// last one counts.
type Events struct {
	line []byte // a line that came in pieces
	data []byte
	some bool // a data line came since the last blank one
}

// Feed consumes p and calls event with the data of every event that is
// complete; it is valid during the call.
func (e *Events) Feed(p []byte, event func(data []byte)) error {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			e.line = append(e.line, p...)
			if len(e.line) > maxKept {
				return errLong
			}
			return nil
		}
		line := p[:i]
		if len(e.line) > 0 {
			e.line = append(e.line, line...)
			line = e.line
		}
		e.takeLine(line, event)
		e.line, p = e.line[:0], p[i+1:]
	}
	return nil
}

func (e *Events) takeLine(line []byte, event func([]byte)) {
	line = bytes.TrimSuffix(line, []byte("\r"))
	if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
		e.data, e.some = append(e.data[:0], bytes.TrimPrefix(data, []byte(" "))...), true
		return
	}
	if len(line) == 0 && e.some {
		e.some = false
		event(e.data)
	}
}

// ParseStamp reads the time from the data of a stamped frame, `t=<unix
// nanoseconds>` or, in a chat, `{"t":<unix nanoseconds>`, followed by anything
// that is not a digit.
func ParseStamp(data []byte) (unixNano int64, ok bool) {
	digits, ok := bytes.CutPrefix(data, []byte("t="))
	if !ok {
		digits, ok = bytes.CutPrefix(data, []byte(`{"t":`))
	}
	if !ok {
		return 0, false
	}
	unixNano, _, ok = cutNumber(digits)
	return unixNano, ok
}

// ParseNumber reads the number of a numbered frame, `{"t":<unix
// nanoseconds>,"i":<number>`.
func ParseNumber(data []byte) (number int64, ok bool) {
	digits, ok := bytes.CutPrefix(data, []byte(`{"t":`))
	if !ok {
		return 0, false
	}
	_, rest, ok := cutNumber(digits)
	if !ok {
		return 0, false
	}
	if digits, ok = bytes.CutPrefix(rest, []byte(`,"i":`)); !ok {
		return 0, false
	}
	number, _, ok = cutNumber(digits)
	return number, ok
}

// cutNumber reads the digits that p begins with.
func cutNumber(p []byte) (n int64, rest []byte, ok bool) {
	end := 0
	for end < len(p) && p[end] >= '0' && p[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(string(p[:end]), 10, 64)
	return n, p[end:], err == nil
}

// IsDone reports whether data is the mark that ends a token stream.
func IsDone(data []byte) bool { return string(data) == "[DONE]" }
