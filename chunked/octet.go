package chunked

// Octet classes, looked up in octets.
const (
	token  = 1 << iota // tchar, RFC 9110 section 5.6.2
	quoted             // qdtext, RFC 9110 section 5.6.4
	text               // what a field value or a quoted-pair may hold: HTAB, SP, VCHAR, obs-text
	blank              // SP, HTAB
)

var octets = classify()

// hexDigit is the value of a hexadecimal digit, notHex for any other byte.
var hexDigit = hexDigits()

const notHex = 0xff

func classify() (t [256]uint8) {
	for c := range t {
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] |= text
			if c != '"' && c != '\\' {
				t[c] |= quoted
			}
		}
	}
	for c := '0'; c <= '9'; c++ {
		t[c] |= token
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] |= token
		t[c-'a'+'A'] |= token
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] |= token
	}
	t[' '] |= blank
	t['\t'] |= blank
	return t
}

func hexDigits() (t [256]uint8) {
	for c := range t {
		t[c] = notHex
	}
	for v, c := range []byte("0123456789abcdef") {
		t[c] = uint8(v)
	}
	for v, c := range []byte("ABCDEF") {
		t[c] = uint8(10 + v)
	}
	return t
}
