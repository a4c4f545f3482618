package http1

import "strconv"

// ParseError is the reason why bytes are not a head that can be served.
//
// Its text consists of constants and a number, never of bytes of the peer, so
// it can be logged.
type ParseError struct {
	Status int    // of the response: 400, 414, 417, 431, 501 or 505; 502 if the head is a response's
	Offset int    // of the offending byte, from the first byte of the head
	Reason string // lower case, without prefix
}

func (e *ParseError) Error() string {
	return "http1: " + e.Reason + " at byte " + strconv.Itoa(e.Offset)
}

// TooLarge reports whether the head was refused for its size: within other
// limits it may be valid.
func (e *ParseError) TooLarge() bool {
	switch e.Reason {
	case reasonMethodLen, reasonLineLen, reasonFieldLen, reasonHeaderLen, reasonFields:
		return true
	}
	return false
}

// bad is a ParseError with status 400.
func bad(offset int, reason string) *ParseError {
	return &ParseError{Status: 400, Offset: offset, Reason: reason}
}

// The reasons of a ParseError. Tests use them; the fuzz target lists those for
// which net/http is more lenient.
const (
	reasonBareLF    = "line feed without carriage return"
	reasonBareCR    = "carriage return without line feed"
	reasonControl   = "control character"
	reasonEmpty     = "too many empty lines before the request line"
	reasonMethod    = "malformed method"
	reasonMethodLen = "method too long"
	reasonTarget    = "malformed request target"
	reasonNonASCII  = "byte outside ASCII in the request target"
	reasonFragment  = "fragment in the request target"
	reasonBackslash = "backslash in the path"
	reasonPercent   = "percent sign without two hex digits in the path"
	reasonForm      = "form of request target does not fit the method"
	reasonAuthority = "malformed authority in the request target"
	reasonVersion   = "malformed version"
	reasonMajor     = "major version not supported"
	reasonLineLen   = "start line too long"
	reasonStatus    = "malformed status code"

	reasonFold      = "field line begins with white space"
	reasonName      = "malformed field name"
	reasonFieldLen  = "field line too long"
	reasonHeaderLen = "header block too large"
	reasonFields    = "too many fields"

	reasonNoHost     = "no Host field"
	reasonTwoHosts   = "Host field given twice"
	reasonHost       = "malformed Host field"
	reasonLength     = "malformed Content-Length"
	reasonTwoLengths = "Content-Length given twice"
	reasonBoth       = "both Content-Length and Transfer-Encoding"
	reasonCoding     = "malformed Transfer-Encoding"
	reasonTwoCodings = "Transfer-Encoding given twice"
	reasonOldCoding  = "Transfer-Encoding in HTTP/1.0"
	reasonUnknown    = "transfer coding not supported"
	reasonExpect     = "expectation not supported"
)

// controlReason names the control character c that ended a scan.
func controlReason(c byte) string {
	switch c {
	case '\n':
		return reasonBareLF
	case '\r':
		return reasonBareCR
	}
	return reasonControl
}
