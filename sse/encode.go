package sse

import (
	"strconv"
	"strings"
	"time"
)

// AppendEvent appends e with the blank line that dispatches it. Its fields come
// in the order comment, event, id, retry, data. An empty event appends nothing.
// If e is refused ([ErrName], [ErrID], [ErrRetry]), dst is returned unchanged.
// e.Data must not overlap dst's spare capacity.
func AppendEvent(dst []byte, e *Event) ([]byte, error) {
	switch {
	case !oneLine(e.Name):
		return dst, ErrName
	case !oneLine(e.ID):
		return dst, ErrID
	case e.Retry < 0, e.Retry > RetryNow && e.Retry < time.Millisecond:
		return dst, ErrRetry
	}
	start := len(dst)
	if e.Comment != "" {
		dst = appendCommentLines(dst, e.Comment)
	}
	if e.Name != "" {
		dst = appendField(dst, "event: ", e.Name)
	}
	if e.ID != "" {
		dst = appendField(dst, "id: ", e.ID)
	}
	if e.Retry != 0 {
		dst = append(dst, "retry: "...)
		dst = strconv.AppendInt(dst, int64(e.Retry/time.Millisecond), 10)
		dst = append(dst, '\n')
	}
	if e.Data != nil || e.Name != "" {
		dst = appendData(dst, e.Data)
	}
	if len(dst) == start {
		return dst, nil
	}
	return append(dst, '\n'), nil
}

// AppendComment appends a block of comment lines, one for each line of text,
// which clients skip: a keep-alive between two events. An empty text gives one
// empty comment line.
func AppendComment(dst []byte, text string) []byte {
	return append(appendCommentLines(dst, text), '\n')
}

// oneLine reports whether s can be the value of a field: a line break would
// start a field of the attacker's choice, and clients ignore an id with NUL.
func oneLine(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '\n' || c == '\r' || c == 0 {
			return false
		}
	}
	return true
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, value...)
	return append(dst, '\n')
}

// appendData always writes the space after the colon: a client drops one, and
// data may begin with its own.
func appendData(dst, data []byte) []byte {
	for {
		end := lineEnd(data)
		dst = append(dst, "data: "...)
		if end < 0 {
			dst = append(dst, data...)
			return append(dst, '\n')
		}
		dst = append(dst, data[:end]...)
		dst = append(dst, '\n')
		data = data[end+lineBreak(data[end:]):]
	}
}

func appendCommentLines(dst []byte, text string) []byte {
	for {
		end := strings.IndexAny(text, "\r\n")
		line := text
		if end >= 0 {
			line = text[:end]
		}
		dst = append(dst, ':')
		if line != "" {
			dst = append(dst, ' ')
			dst = append(dst, line...)
		}
		dst = append(dst, '\n')
		if end < 0 {
			return dst
		}
		text = text[end+lineBreak(text[end:]):]
	}
}
