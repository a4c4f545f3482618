package conform

import (
	"fmt"
	"strings"
)

// fieldCases are items 42 to 54, 58 and 59: the form of field lines.
func fieldCases() []Case {
	with := func(lines ...string) string { return msg(append([]string{getLine, host}, lines...)...) }
	first := func(lines ...string) string { return msg(append(append([]string{getLine}, lines...), host)...) }
	cases := []Case{
		c(42, "space before the colon", "H7", reject(with("X-A : 1"), 400)),
		c(42, "tab before the colon", "H7", reject(with("X-A\t: 1"), 400)),
		c(42, "space before Host's colon", "H7", reject(msg(getLine, "Host : a"), 400)),
		c(43, "empty name", "H7", reject(with(": v"), 400)),
		c(44, "no colon", "H7", reject(with("X-A"), 400)),
		c(44, "no colon in the first line", "H7", reject(first("nonsense"), 400)),
		c(45, "space before the first field", "H8", reject(first(" X-A: 1"), 400)),
		c(45, "tab before the first field", "H8", reject(first("\tX-A: 1"), 400)),
		c(46, "obs-fold with space", "H8", reject(with("X-A: 1", " 2"), 400)),
		c(46, "obs-fold with tab", "H8", reject(with("X-A: 1", "\t2"), 400)),
		c(46, "obs-fold of an empty value", "H8", reject(with("X-A:", " 2"), 400)),
		c(46, "obs-fold that is blank", "H8", reject(with("X-A: 1", " "), 400)),
		c(46, "obs-fold of Host", "H8", reject(msg(getLine, "Host:", " a"), 400)),

		c(50, "no OWS", "", echoesType("Content-Type:text/x", "text/x")),
		c(50, "spaces and tabs around", "", echoesType("Content-Type: \t text/x \t ", "text/x")),
		c(50, "spaces inside", "H9", echoesType("Content-Type: a \t b", "a \t b")),
		c(50, "empty value", "H9", serve(with("X-A:"), hello)),
		c(50, "VT before the value is not OWS", "H6", reject(with("X-A: \v1"), 400)),
		c(50, "FF after the value is not OWS", "H6", reject(with("X-A: 1\f"), 400)),

		c(51, "bare LF between fields", "H6", reject(getLine+"\r\nHost: a\nX-A: 1\r\n\r\n", 400)),
		c(51, "bare LF after the last field", "H6", reject(getLine+"\r\nHost: a\n\r\n", 400)),
		c(51, "bare LF ends the head", "H6", reject(getLine+"\r\nHost: a\r\n\n", 400)),
		c(52, "lone CR between fields", "H6", reject(getLine+"\r\nHost: a\rX-A: 1\r\n\r\n", 400)),
		c(52, "lone CR ends the head", "H6", reject(getLine+"\r\nHost: a\r\n\rX-A: 1\r\n\r\n", 400)),
		c(53, "CR and text after the head", "H6", send(with()+"\rX: 1\r\n\r\n"), either(in{200, 400}, in{400})),

		c(54, "names in any case", "", do(send(msg(postLine, "hOST: a", "cONTENT-lENGTH: 5")+"hello"), answer(200, is("hello")), alive)),
		c(54, "Content_Length is another field", "", send(msg(postLine, host, fmt.Sprintf("Content_Length: %d", len(bait)))+bait),
			answer(200, is("")), answer(200, is(hello)), alive),
		c(58, "two Content-Types stay two", "", send(msg(paramsLine, host, "Content-Type: text/one", "Content-Type: text/two")),
			answer(200, holds("text/one"), holds("text/two")), alive),
		c(58, "two Authorizations stay two", "", send(msg(paramsLine, host, "Authorization: Basic b25l", "Authorization: Basic dHdv")),
			answer(200, holds("Basic b25l"), holds("Basic dHdv")), alive),
		c(59, "cookie", "", serve(with("Cookie: a=b; c=d"), hello)),
		c(59, "cookie with NUL", "H6", reject(with("Cookie: a=\x00b"), 400)),
		c(59, "cookie with a control", "H6", reject(with("Cookie: a=\x1bb"), 400)),
		c(59, "cookie with LF", "H6", reject(with("Cookie: a=b\nX-A: 1"), 400)),
	}
	return append(cases, octetCases(with)...)
}

// paramsLine asks for the route that shows a request as JSON.
const paramsLine = "GET /params/17/a-slug HTTP/1.1"

// octetCases sweep bytes through names (47) and values (48, 49).
func octetCases(with func(...string) string) []Case {
	var cases []Case
	for _, b := range "()[]{}<>@,;\\/\"?=\x00\x01\x1f\x7f" {
		cases = append(cases, c(47, fmt.Sprintf("byte 0x%02x in a name", b), "H7", reject(with("X-A"+string(b)+": 1"), 400)))
	}
	for _, b := range []byte{0x80, 0x85, 0xa0, 0xff} {
		cases = append(cases, c(47, fmt.Sprintf("byte 0x%02x in a name", b), "H7", reject(with("X-A"+string([]byte{b})+": 1"), 400)))
	}
	for b := range byte(0x80) {
		if b == '\t' || b >= ' ' && b != 0x7f {
			continue
		}
		cases = append(cases, c(48, fmt.Sprintf("byte 0x%02x in a value", b), "H6", reject(with("X-A: 1"+string([]byte{b})+"2"), 400)))
	}
	for _, b := range []byte{0x80, 0x85, 0xa0, 0xc3, 0xff} {
		v := string([]byte{b})
		cases = append(cases,
			c(49, fmt.Sprintf("byte 0x%02x in a value", b), "H9", echoesType("Content-Type: a"+v+"b", "a"+v+"b")),
			c(49, fmt.Sprintf("byte 0x%02x around a value is kept", b), "H9", echoesType("Content-Type: "+v+"a"+v, v+"a"+v)))
	}
	return cases
}

// echoesType sends a Content-Type to /echo, which must come back with those
// bytes: the one place where the server shows a field's value unquoted.
func echoesType(line, want string) Step {
	return do(send(msg(postLine, host, line, "Content-Length: 2")+"hi"), answer(200, is("hi"), has("Content-Type", want)), alive)
}

// fieldLimitCases are items 55 to 57: limits of a field, of the block, of the
// count.
func fieldLimitCases() []Case {
	with := func(lines ...string) string { return msg(append([]string{getLine, host}, lines...)...) }
	long := func(n int) string { return "X-Long: " + strings.Repeat("v", n) }
	return []Case{
		c(55, "field of almost 16 KiB", "H16", serve(with(long(16000)), hello)),
		c(55, "field over 16 KiB", "H16", reject(with(long(16<<10)), 431)),
		c(55, "name over 16 KiB", "H16", reject(with(strings.Repeat("N", 16<<10)+": v"), 431)),
		c(55, "endless field is refused before its end", "H16", send(getLine+"\r\nHost: a\r\n"+long(17<<10)), refuse(431)),
		c(55, "block of almost 32 KiB", "H16", serve(with(long(10000), long(10000), long(10000)), hello)),
		c(55, "block over 32 KiB", "H16", reject(with(long(10000), long(10000), long(10000), long(4000)), 431)),
		c(55, "endless block is refused before its end", "H16", send(getLine+"\r\nHost: a\r\n"+strings.Repeat(long(300)+"\r\n", 110)), refuse(431)),
		c(55, "100 fields", "H16", serve(with(repeat("X-%d: 1", 99)...), hello)),
		c(55, "101 fields", "H16", reject(with(repeat("X-%d: 1", 100)...), 431)),
		c(56, "10000 fields", "H16", rejectFlood(with(repeat("X-%d: 1", 10000)...), 431)),
		c(56, "value of 100 KB", "H16", rejectFlood(with(long(100_000)), 431)),
		c(56, "value of 10 MB", "H16", rejectFlood(with(long(10_000_000)), 431)),
		c(57, "1000 fields of one name", "H16", reject(with(repeat("X-Same: %d", 1000)...), 431)),
		c(57, "99 fields of one name", "H16", serve(with(repeat("X-Same: %d", 99)...), hello)),
	}
}

func repeat(format string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}
