package http1

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// AppendStatusLine appends the status line of an HTTP/1.1 response (RFC 9112
// 4), with the standard reason phrase or, for an unknown code, none. It panics
// if code does not have three digits, 100 to 999: there is no such response.
func AppendStatusLine(dst []byte, code int) []byte {
	if code < 100 || code > 999 {
		panic("http1: status code " + strconv.Itoa(code) + " does not have three digits")
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, byte('0'+code/100), byte('0'+code/10%10), byte('0'+code%10), ' ')
	dst = append(dst, StatusText(code)...)
	return append(dst, '\r', '\n')
}

// AppendRequestLine appends the request line of an HTTP/1.1 request (RFC 9112
// 3). It checks neither the method, which [IsToken] can, nor the target.
func AppendRequestLine(dst []byte, method, target string) []byte {
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	return append(dst, " HTTP/1.1\r\n"...)
}

// AppendField appends a field line (RFC 9112 5). It checks neither part: see
// [CheckField].
func AppendField[T string | []byte](dst []byte, name, value T) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, '\r', '\n')
}

// AppendDate appends t as the value of a Date field: an IMF-fixdate (RFC 9110
// 5.6.7), always in GMT and to the second. The year must have four digits.
func AppendDate(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, imfFixdate)
}

const imfFixdate = "Mon, 02 Jan 2006 15:04:05 GMT"

// IsDate reports whether value is an IMF-fixdate (RFC 9110 5.6.7), the only
// form of a date that senders may use. The day of the week must be right.
func IsDate(value string) bool {
	t, err := time.Parse(imfFixdate, value)
	if err != nil {
		return false
	}
	var store [len(imfFixdate)]byte
	return string(AppendDate(store[:0], t)) == value
}

// ErrFieldValue is the error of [CheckField] for a value. It does not quote the
// value, which may be a secret.
var ErrFieldValue = errors.New("http1: field value has a control character")

// ErrFieldName is wrapped by the error of [CheckField] for a name.
var ErrFieldName = errors.New("http1: field name is not a token")

// CheckField returns an error if name and value cannot be written as a field
// line without changing the message around it (RFC 9110 5.5): name must be a
// token, and value must not have control characters, HTAB aside. Bytes beyond
// ASCII are allowed.
func CheckField[T string | []byte](name, value T) error {
	if !isToken(name) {
		return fmt.Errorf("%w: %q", ErrFieldName, name)
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return ErrFieldValue
		}
	}
	return nil
}
