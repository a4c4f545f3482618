package chunked

import (
	"errors"
	"fmt"
	"math/bits"

	"weir/http1"
)

// ErrTrailer is wrapped by the error that [AppendTrailers] returns, together
// with the field's name and what is wrong with it.
var ErrTrailer = errors.New("chunked: trailer field refused")

// Field is one trailer field.
type Field struct{ Name, Value string }

// AppendChunk appends p as one chunk. An empty p appends nothing: a chunk of
// size zero would end the body. p must not overlap dst's spare capacity.
func AppendChunk(dst, p []byte) []byte {
	if len(p) == 0 {
		return dst
	}
	dst = AppendSize(dst, len(p))
	dst = append(dst, p...)
	return append(dst, '\r', '\n')
}

// AppendSize appends the size line of a chunk of n bytes, for data that is
// written without copying it (writev). The data and a CRLF must follow. It
// appends nothing if n is not positive: see [AppendChunk].
func AppendSize(dst []byte, n int) []byte {
	if n <= 0 {
		return dst
	}
	for shift := (bits.Len(uint(n)) - 1) &^ 3; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[n>>shift&15])
	}
	return append(dst, '\r', '\n')
}

// AppendEnd appends the last chunk and an empty trailer section. Do not append
// it to a body that failed: the peer would take it for complete.
func AppendEnd(dst []byte) []byte { return append(dst, "0\r\n\r\n"...) }

// AppendTrailers appends the last chunk, the fields and the final CRLF. A name
// that is not a token, a value with a control character other than TAB, and a
// field that must not be in a trailer section (framing, routing,
// authentication, control: RFC 9110 section 6.5.1) are refused with
// [ErrTrailer]; then dst is returned unchanged.
func AppendTrailers(dst []byte, fields ...Field) ([]byte, error) {
	for _, f := range fields {
		if reason := refused(f); reason != "" {
			return dst, fmt.Errorf("%w: %q: %s", ErrTrailer, f.Name, reason)
		}
	}
	dst = append(dst, "0\r\n"...)
	for _, f := range fields {
		dst = append(dst, f.Name...)
		dst = append(dst, ": "...)
		dst = append(dst, f.Value...)
		dst = append(dst, '\r', '\n')
	}
	return append(dst, '\r', '\n'), nil
}

// refused returns why f cannot be sent, or "".
func refused(f Field) string {
	if f.Name == "" {
		return "empty name"
	}
	for i := range len(f.Name) {
		if octets[f.Name[i]]&token == 0 {
			return "name is not a token"
		}
	}
	for i := range len(f.Value) {
		if octets[f.Value[i]]&text == 0 {
			return "control character in the value"
		}
	}
	if http1.ClassOf(f.Name)&http1.NoTrailer != 0 {
		return "not allowed in a trailer section"
	}
	return ""
}
