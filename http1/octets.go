package http1

// Classes of octets.
const (
	tchar    = 1 << iota // token (RFC 9110 5.6.2)
	methodC              // token without lower-case letters: see requestLine
	hexDigit             // RFC 3986 pct-encoded
	hostC                // reg-name (RFC 3986 3.2.2) without "%" and ",": see validHost
)

// octets holds the classes of each octet.
var octets = makeOctets()

func makeOctets() (t [256]uint8) {
	set := func(class uint8, s string) {
		for i := range len(s) {
			t[s[i]] |= class
		}
	}
	const (
		digits = "0123456789"
		upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		lower  = "abcdefghijklmnopqrstuvwxyz"
		marks  = "!#$%&'*+-.^_`|~"
	)
	set(tchar, digits+upper+lower+marks)
	set(methodC, digits+upper+marks)
	set(hexDigit, digits+"ABCDEFabcdef")
	set(hostC, digits+upper+lower+"-._~"+"!$&'()*+;=")
	return t
}

// IsToken reports whether s is a token (RFC 9110 5.6.2): not empty, and only
// letters, digits and !#$%&'*+-.^_`|~.
func IsToken(s string) bool { return isToken(s) }

func isToken[S []byte | string](s S) bool {
	for i := range len(s) {
		if octets[s[i]]&tchar == 0 {
			return false
		}
	}
	return len(s) > 0
}

// trimSpace removes optional white space (SP and HTAB, RFC 9110 5.6.3) from
// both ends.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

func isDigit(c byte) bool { return c-'0' <= 9 }

// lower maps an ASCII capital to its small letter and returns other octets
// unchanged.
func lower(c byte) byte {
	if c-'A' < 26 {
		return c + 'a' - 'A'
	}
	return c
}

// equalFold reports whether a and b are equal when the case of ASCII letters is
// ignored.
func equalFold[A, B []byte | string](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}
