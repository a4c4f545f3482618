package middleware

import (
	"strconv"
	"time"
)

// commonLine is a line of NCSA's Common Log Format.
type commonLine struct {
	client              string
	at                  time.Time
	method, path, proto string
	status              int
	bytes               int64
	referer, agent      string
}

// appendCommon appends the line and its end.
func appendCommon(dst []byte, l *commonLine, f Format) []byte {
	dst = appendEscaped(dst, l.client)
	dst = append(dst, " - - ["...)
	dst = l.at.AppendFormat(dst, "02/Jan/2006:15:04:05 -0700")
	dst = append(dst, `] "`...)
	if l.method != "" {
		dst = append(appendEscaped(dst, l.method), ' ')
		dst = append(appendEscaped(dst, l.path), ' ')
		dst = append(dst, l.proto...)
	} else {
		dst = append(dst, '-')
	}
	dst = append(dst, `" `...)
	if l.status > 0 {
		dst = strconv.AppendInt(dst, int64(l.status), 10)
	} else {
		dst = append(dst, '-')
	}
	dst = append(dst, ' ')
	if l.bytes > 0 {
		dst = strconv.AppendInt(dst, l.bytes, 10)
	} else {
		dst = append(dst, '-')
	}
	if f == Combined {
		dst = append(appendQuoted(append(dst, ' '), l.referer), ' ')
		dst = appendQuoted(dst, l.agent)
	}
	return append(dst, '\n')
}

func appendQuoted(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, `"-"`...)
	}
	return append(appendEscaped(append(dst, '"'), s), '"')
}

// longestPart is how much of a client's text is in a line.
const longestPart = 1 << 10

// appendEscaped appends what a client has said, so that it can end neither its
// quotes nor its line, and sends no terminal anything.
func appendEscaped(dst []byte, s string) []byte {
	cut := len(s) > longestPart
	for i := range min(len(s), longestPart) {
		switch c := s[i]; {
		case c == '"', c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c > '~':
			dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	if cut {
		dst = append(dst, "..."...)
	}
	return dst
}

const hexDigits = "0123456789abcdef"
