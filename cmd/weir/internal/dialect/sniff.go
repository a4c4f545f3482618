package dialect

import "bytes"

// Sniff reports whether a body that begins with b is an event stream, whatever
// its Content-Type is (G15). known is false if it needs more bytes.
func Sniff(b []byte) (events, known bool) {
	for _, mark := range [...]string{bom, "\r", "\n"} {
		for len(b) > 0 && len(mark) > 0 && bytes.HasPrefix(b, []byte(mark)) {
			b = b[len(mark):]
		}
	}
	for _, field := range [...]string{"data:", "event:", "id:", "retry:", ":"} {
		switch n := min(len(b), len(field)); {
		case string(b[:n]) != field[:n]:
		case n < len(field):
			return false, false
		default:
			return true, true
		}
	}
	return false, len(b) > 0 && !bytes.HasPrefix([]byte(bom), b)
}
