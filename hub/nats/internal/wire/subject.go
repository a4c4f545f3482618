package wire

import (
	"errors"
	"fmt"
	"strings"
)

const (
	maxToken = 1024 // of a server's 4 KiB for a line of the protocol, which has two subjects
	hex      = "0123456789ABCDEF"
)

// ErrTopic is the error of a topic that no subject can name.
var ErrTopic = errors.New("natsbroker: invalid topic")

// AppendToken appends a topic as one token of a subject: letters, digits, "-" and
// "_" as they are, each other byte as "=" and two digits. A topic can name neither
// a wildcard nor a subject of another depth, and two topics never share a token.
func AppendToken(dst []byte, topic string) ([]byte, error) {
	if topic == "" {
		return dst, fmt.Errorf("%w: it is empty", ErrTopic)
	}
	before := len(dst)
	for i := range len(topic) {
		if c := topic[i]; isPlain(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '=', hex[c>>4], hex[c&15])
		}
	}
	if len(dst)-before > maxToken {
		return dst[:before], fmt.Errorf("%w: it takes %d bytes in a subject, want at most %d", ErrTopic, len(dst)-before, maxToken)
	}
	return dst, nil
}

func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// CheckPrefix returns why a prefix of subjects cannot be used, or nil.
func CheckPrefix(prefix string) error {
	for token := range strings.SplitSeq(prefix, ".") {
		if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r > 0x7f || !isPlain(byte(r)) }) {
			return fmt.Errorf("natsbroker: prefix %q: want letters, digits, - and _, in tokens separated by dots", prefix)
		}
	}
	return nil
}
