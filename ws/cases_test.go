package ws_test

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"weir/ws"
)

// The cases of RFC 6455 and RFC 7692, numbered as the sections of Autobahn's test
// suite for servers, whose cases they follow; what the suite does not ask has a
// number with an x. Each is strict: of two ways that the suite lets pass, the one
// that is written here.

// A wsCase is what a client sends to an echo, and what it gets.
type wsCase struct {
	number, name string
	in           string // behind the handshake
	out          string // said's lines
	offer        string // Sec-WebSocket-Extensions
	terms        string // ... of the response
	halfClose    bool   // the client's FIN follows
}

const (
	closed1000 = "close 1000\n"
	closed1002 = "close 1002\n"
	closed1007 = "close 1007\n"
)

type section struct {
	number, name string
	cases        func() []wsCase // made when they are wanted: some are of 16 MiB
}

var sections = []section{
	{"1", "framing", framing},
	{"2", "pings and pongs", pings},
	{"3", "reserved bits", reservedBits},
	{"4", "opcodes", opcodes},
	{"5", "fragmentation", fragmentation},
	{"6", "UTF-8", utf8Cases},
	{"7", "closing", closings},
	{"9", "limits", limits},
	{"10", "fragments of a message", fragments},
	{"12", "compression", compression},
	{"13", "parameters of compression", parameters},
}

// line of a message that is echoed.
func echo(op byte, p string) string { return line(fin|op, p) }

// good is a case whose messages come back, and which is then closed.
func good(number, name, in, out string) wsCase {
	return wsCase{number: number, name: name, in: in + closing(1000, ""), out: out + closed1000}
}

// bad is a case that the server ends with that code. What follows is not looked at.
func bad(number, name, in, out string) wsCase {
	return wsCase{number: number, name: name, in: in + text("not looked at"), out: out}
}

var sizes = []int{0, 125, 126, 127, 128, 65535, 65536, 65537}

// framing has the cases of X152 and X159, with reservedBits and opcodes.
func framing() (list []wsCase) {
	for i, op := range []byte{opText, opBinary} {
		for j, n := range sizes {
			p := strings.Repeat("*", n)
			list = append(list, good(fmt.Sprintf("1.%d.%d", i+1, j+1), fmt.Sprintf("%d bytes", n), frame(fin|op, p), echo(op, p)))
		}
	}
	long := func(first byte, form string) string { return string([]byte{first}) + form + string(mask[:]) }
	for i, form := range []string{"\xfe\x00\x7d", "\xff\x00\x00\x00\x00\x00\x00\x00\x7d", "\xff\x00\x00\x00\x00\x00\x00\xff\xff", "\xfe\x00\x00"} {
		list = append(list, bad(fmt.Sprintf("1.x.%d", i+1), "a length that is not minimal", long(fin|opBinary, form), closed1002))
	}
	list = append(list,
		bad("1.x.5", "a length with its top bit", long(fin|opBinary, "\xff\x80\x00\x00\x00\x00\x00\x00\x01"), closed1002),
		bad("1.x.6", "a length of all bits", long(fin|opText, "\xff\xff\xff\xff\xff\xff\xff\xff\xff"), closed1002),
		bad("1.x.7", "a frame without a mask", "\x81\x05hello", closed1002),
		bad("1.x.8", "a ping without a mask", "\x89\x00", closed1002),
		bad("1.x.9", "an unmasked frame behind a good one", text("one")+"\x81\x01x", echo(opText, "one")+closed1002),
		good("1.x.10", "a mask of zeros", masked(fin|opText, "hello", [4]byte{}), echo(opText, "hello")),
		good("1.x.11", "several messages at once", text("a")+binaryOf("b")+text("")+text("c"), echo(opText, "a")+echo(opBinary, "b")+echo(opText, "")+echo(opText, "c")),
	)
	return list
}

func pings() (list []wsCase) {
	pong := func(p string) string { return line(fin|opPong, p) }
	binary := "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
	long := strings.Repeat("\xfe", 125)
	list = []wsCase{
		good("2.1", "without payload", frame(fin|opPing, ""), pong("")),
		good("2.2", "with payload", frame(fin|opPing, "Hello, world!"), pong("Hello, world!")),
		good("2.3", "with binary payload", frame(fin|opPing, binary), pong(binary)),
		good("2.4", "with 125 bytes", frame(fin|opPing, long), pong(long)),
		bad("2.5", "with 126 bytes", frame(fin|opPing, long+"\xfe"), closed1002),
		good("2.6", "in pieces", frame(fin|opPing, long), pong(long)),
		good("2.7", "an unsolicited pong", frame(fin|opPong, ""), ""),
		good("2.8", "an unsolicited pong with payload", frame(fin|opPong, "unsolicited"), ""),
		good("2.9", "an unsolicited pong, then a ping", frame(fin|opPong, "unsolicited")+frame(fin|opPing, "ping"), pong("ping")),
	}
	ten, pongs := "", ""
	for i := range 10 {
		ten += frame(fin|opPing, fmt.Sprintf("payload-%d", i))
		pongs += pong(fmt.Sprintf("payload-%d", i))
	}
	return append(list,
		good("2.10", "ten at once", ten, pongs),
		good("2.11", "ten at once, in pieces", ten, pongs),
		bad("2.x.1", "a pong with 126 bytes", frame(fin|opPong, long+"\xfe"), closed1002),
	)
}

func reservedBits() (list []wsCase) {
	number := 0
	for _, op := range []byte{opText, opBinary, opPing, opPong, opClose, opCont} {
		for bits := byte(rsv3); bits <= rsv1|rsv2|rsv3; bits += rsv3 {
			number++
			name := fmt.Sprintf("%#x with bits %#x", op, bits)
			n := fmt.Sprintf("3.x.%d", number)
			if number <= 7 {
				n = fmt.Sprintf("3.%d", number)
			}
			before, out := text("before"), echo(opText, "before")
			if op == opCont {
				before += frame(opText, "begun")
			}
			list = append(list, bad(n, name, before+frame(fin|bits|op, "payload")+frame(fin|opPing, ""), out+closed1002))
		}
	}
	return list
}

func opcodes() (list []wsCase) {
	for i, ops := range [][]byte{{3, 4, 5, 6, 7}, {11, 12, 13, 14, 15}} {
		for j, op := range ops {
			in, out := "", ""
			if j > 1 {
				in, out = text("before"), echo(opText, "before")
			}
			p := ""
			if j%2 == 1 {
				p = "reserved"
			}
			list = append(list, bad(fmt.Sprintf("4.%d.%d", i+1, j+1), fmt.Sprintf("opcode %d", op), in+frame(fin|op, p)+frame(fin|opPing, ""), out+closed1002))
		}
	}
	return list
}

func fragmentation() []wsCase {
	pong := line(fin|opPong, "ping")
	ping := frame(fin|opPing, "ping")
	one, two := "fragment1", "fragment2"
	both := echo(opText, one+two)
	first, last := frame(opText, one), frame(fin|opCont, two)
	five := frame(opText, "1")
	for i := 2; i <= 5; i++ {
		five += ping + frame(opCont, fmt.Sprint(i))
	}
	return []wsCase{
		bad("5.1", "a ping in two frames", frame(opPing, one)+frame(fin|opCont, two), closed1002),
		bad("5.2", "a pong in two frames", frame(opPong, one)+frame(fin|opCont, two), closed1002),
		good("5.3", "a text in two frames", first+last, both),
		good("5.4", "a text in two frames, in pieces", first+last, both),
		good("5.5", "a text in two frames, byte by byte", first+last, both),
		good("5.6", "a ping in between", first+ping+last, pong+both),
		good("5.7", "a ping in between, in pieces", first+ping+last, pong+both),
		good("5.8", "a ping in between, byte by byte", first+ping+last, pong+both),
		bad("5.9", "a continuation of nothing, then a text", frame(fin|opCont, "no")+text("Hello"), closed1002),
		bad("5.10", "a continuation of nothing, then a text, at once", frame(fin|opCont, "no")+text("Hello"), closed1002),
		bad("5.11", "a continuation of nothing, byte by byte", frame(fin|opCont, "no")+text("Hello"), closed1002),
		bad("5.12", "a continuation of nothing that is not the last", frame(opCont, "no")+text("Hello"), closed1002),
		bad("5.13", "the same, at once", frame(opCont, "no")+text("Hello"), closed1002),
		bad("5.14", "the same, byte by byte", frame(opCont, "no")+text("Hello"), closed1002),
		bad("5.15", "a message, then a continuation of nothing", first+last+frame(opCont, "no")+text("end"), both+closed1002),
		bad("5.16", "continuations of nothing, twice", frame(opCont, one)+first+last, closed1002),
		bad("5.17", "a last continuation of nothing", frame(fin|opCont, one)+first+last, closed1002),
		bad("5.18", "a new text in a text", first+frame(fin|opText, two), closed1002),
		good("5.19", "five frames with pings", five+frame(fin|opCont, ""), strings.Repeat(pong, 4)+echo(opText, "12345")),
		good("5.20", "five frames with pings, in pieces", five+frame(fin|opCont, ""), strings.Repeat(pong, 4)+echo(opText, "12345")),
		bad("5.x.1", "a binary message in a text", first+frame(fin|opBinary, two), closed1002),
		bad("5.x.2", "a Close in two frames", frame(opClose, status(1000)), closed1002),
		good("5.x.3", "a Close in a message", first, ""),
		good("5.x.4", "empty frames", frame(opBinary, "")+frame(opCont, "")+frame(opCont, "x")+frame(fin|opCont, ""), echo(opBinary, "x")),
		good("5.x.5", "many empty frames", frame(opText, "")+strings.Repeat(frame(opCont, ""), 200)+frame(fin|opCont, "x"), echo(opText, "x")),
	}
}

// utf8Case is a text that must come back, or be refused.
func utf8Case(number, name, p string) wsCase {
	if utf8.ValidString(p) {
		return good(number, name, text(p), echo(opText, p))
	}
	return bad(number, name, text(p), closed1007)
}

// octets are frames of one byte each.
func octets(p string) (in string) {
	first := byte(opText)
	for i := range len(p) {
		in += frame(first, p[i:i+1])
		first = opCont
	}
	return in + frame(fin|first, "")
}

// viable reports whether p is the beginning of a text.
func viable(p string) bool {
	if utf8.ValidString(p) {
		return true
	}
	for c := 0x80; c <= 0xbf; c++ {
		for _, end := range []string{"", "\x80", "\x80\x80"} {
			if utf8.ValidString(p + string([]byte{byte(c)}) + end) {
				return true
			}
		}
	}
	return false
}

// sooner is a case in which the first byte that cannot be decides: nothing behind it has come.
func sooner(number, name, p string) wsCase {
	for i := 1; i <= len(p); i++ {
		if !viable(p[:i]) {
			whole := text(p + "which does not come")
			return wsCase{number: number, name: name, in: whole[:len(whole)-len(p)-19+i], out: closed1007}
		}
	}
	panic("not a bad text: " + p)
}

// utf8Cases has the cases of X153.
func utf8Cases() (list []wsCase) {
	hello := "Hello-µ@ßöäüàá-UTF-8!!"
	kosme := "κόσμε"
	surrogate := kosme + "\xed\xa0\x80" + "edited"
	beyond := kosme + "\xf4\x90\x80\x80" + "edited"
	list = []wsCase{
		good("6.1.1", "no text", text(""), echo(opText, "")),
		good("6.1.2", "no text in three frames", frame(opText, "")+frame(opCont, "")+frame(fin|opCont, ""), echo(opText, "")),
		good("6.1.3", "a text between two empty frames", frame(opText, "")+frame(opCont, "middle")+frame(fin|opCont, ""), echo(opText, "middle")),
		good("6.2.1", "a text", text(hello), echo(opText, hello)),
		good("6.2.2", "in two frames", frame(opText, hello[:12])+frame(fin|opCont, hello[12:]), echo(opText, hello)),
		good("6.2.3", "a frame for each byte", octets(hello), echo(opText, hello)),
		good("6.2.4", "a frame for each byte of letters", octets(kosme), echo(opText, kosme)),
		bad("6.3.1", "a surrogate", text(surrogate), closed1007),
		bad("6.3.2", "a surrogate, a frame for each byte", octets(surrogate), closed1007),
		{number: "6.4.1", name: "beyond Unicode, in the second of three frames", in: frame(opText, kosme) + frame(opCont, "\xf4\x90\x80\x80"), out: closed1007},
		{number: "6.4.2", name: "beyond Unicode, in its second byte", in: frame(opText, kosme+"\xf4") + frame(opCont, "\x90"), out: closed1007},
		sooner("6.4.3", "beyond Unicode, in a frame of which the rest does not come", beyond),
		sooner("6.4.4", "a surrogate, in a frame of which the rest does not come", surrogate),
	}
	for i, cut := range []int{2, 3, 4, 9, 11} {
		list = append(list, utf8Case(fmt.Sprintf("6.5.%d", i+1), fmt.Sprintf("%d bytes", cut), kosme[:min(cut, len(kosme))]))
	}
	for i := 1; i <= len(kosme); i++ {
		list = append(list, utf8Case(fmt.Sprintf("6.6.%d", i), fmt.Sprintf("the first %d bytes of letters", i), kosme[:i]))
	}
	for _, group := range []struct {
		section int
		name    string
		texts   []string
	}{
		{7, "the first of its length", []string{"\x00", "\u0080", "\u0800", "\U00010000"}},
		{8, "of five and six bytes", []string{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}},
		{9, "the last of its length", []string{"\x7f", "\u07ff", "\uffff", "\U0010ffff"}},
		{10, "beyond the last", []string{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"}},
		{11, "at a border", []string{"\ud7ff", "\ue000", "\ufffd", "\U0010ffff", "\xf4\x90\x80\x80"}},
		{12, "continuation bytes alone", []string{"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf", all(0x80, 0xbf, "")}},
		{13, "lonely first bytes", []string{all(0xc0, 0xdf, " "), all(0xe0, 0xef, " "), all(0xf0, 0xf7, " "), all(0xf8, 0xfb, " "), all(0xfc, 0xfd, " ")}},
		{14, "without the last byte", []string{"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80", "\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf"}},
		{15, "without the last byte, together", []string{"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf\xf7\xbf\xbf\xfb\xbf\xbf\xbf\xfd\xbf\xbf\xbf\xbf"}},
		{16, "impossible bytes", []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
		{17, "overlong slash", []string{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"}},
		{18, "the largest overlong", []string{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"}},
		{19, "overlong NUL", []string{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"}},
		{20, "a surrogate", []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf"}},
		{21, "two surrogates", []string{"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80", "\xed\xad\xbf\xed\xbf\xbf", "\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf", "\xed\xaf\xbf\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf"}},
		{22, "not a character, but text", noncharacters()},
		{23, "specials", []string{"\ufff9", "\ufffa", "\ufffb", "\ufffc", "\ufffd", "\ufffe", "\uffff"}},
	} {
		for i, p := range group.texts {
			list = append(list, utf8Case(fmt.Sprintf("6.%d.%d", group.section, i+1), fmt.Sprintf("%s, % x", group.name, p), p))
		}
	}
	// Every bad one of these, at the byte that decides.
	for i, p := range []string{"a\xc0", "a\xc1", "ab\xe0\x80", "\xe0\x9f", "\xed\xa0", "\xed\xbf", "\xf0\x80", "\xf0\x8f", "\xf4\x90", "\xf5", "\xff", "\x80", "\xc3(", "\xe2\x28", "\xe2\x82(", "\xf0\x9f(", "\xf0\x9f\x98("} {
		list = append(list, sooner(fmt.Sprintf("6.x.%d", i+1), fmt.Sprintf("refused at once, % x", p), p))
	}
	return list
}

// all is each byte from one to the other, with sep between them.
func all(from, to int, sep string) (p string) {
	for c := from; c <= to; c++ {
		p += string([]byte{byte(c)}) + sep
	}
	return p
}

func noncharacters() (list []string) {
	for plane := rune(0); plane <= 16; plane++ {
		list = append(list, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	return list
}

// closings has the cases of X155.
func closings() (list []wsCase) {
	long := strings.Repeat("*", 123)
	big := strings.Repeat("BAsd7&jh23", 26<<10)
	list = []wsCase{
		good("7.1.1", "a message, then Close", text("Hello World!"), echo(opText, "Hello World!")),
		good("7.1.2", "Close twice", closing(1000, ""), ""),
		{number: "7.1.3", name: "a ping behind Close", in: closing(1000, "") + frame(fin|opPing, ""), out: closed1000},
		{number: "7.1.4", name: "a text behind Close", in: closing(1000, "") + text("late"), out: closed1000},
		{number: "7.1.5", name: "Close in a message, whose rest is behind it", in: frame(opText, "fragment1") + closing(1000, "") + frame(fin|opCont, "fragment2"), out: closed1000},
		{number: "7.1.6", name: "a long message, then Close, then a ping", in: text(big) + closing(1000, "") + frame(fin|opPing, ""), out: echo(opText, big) + closed1000},
		{number: "7.3.1", name: "Close without payload", in: frame(fin|opClose, ""), out: "close \"\"\n"},
		{number: "7.3.2", name: "Close with one byte", in: frame(fin|opClose, "a"), out: closed1002},
		{number: "7.3.3", name: "Close with a code", in: closing(1000, ""), out: closed1000},
		{number: "7.3.4", name: "Close with a reason", in: closing(1000, "Hello World!"), out: closed1000},
		{number: "7.3.5", name: "Close with the longest reason", in: closing(1000, long), out: closed1000},
		{number: "7.3.6", name: "Close with a reason that is too long", in: closing(1000, long+"*"), out: closed1002},
		{number: "7.5.1", name: "Close with a reason that is not UTF-8", in: closing(1000, "\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited"), out: closed1007},
	}
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		list = append(list, wsCase{number: fmt.Sprintf("7.7.%d", i+1), name: fmt.Sprintf("code %d", code), in: closing(code, ""), out: fmt.Sprintf("close %d\n", code)})
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		list = append(list, wsCase{number: fmt.Sprintf("7.9.%d", i+1), name: fmt.Sprintf("code %d", code), in: closing(code, ""), out: closed1002})
	}
	for i, code := range []int{5000, 65535} {
		list = append(list, wsCase{number: fmt.Sprintf("7.13.%d", i+1), name: fmt.Sprintf("code %d", code), in: closing(code, ""), out: closed1002})
	}
	return append(list,
		wsCase{number: "7.x.1", name: "code 1015", in: closing(1015, ""), out: closed1002},
		wsCase{number: "7.x.2", name: "codes of IANA", in: closing(1013, ""), out: "close 1013\n"},
		wsCase{number: "7.x.3", name: "no Close, but FIN", in: text("one"), out: echo(opText, "one"), halfClose: true},
		wsCase{number: "7.x.4", name: "FIN in a message", in: text("one") + frame(opText, "begun"), out: echo(opText, "one"), halfClose: true},
		wsCase{number: "7.x.5", name: "FIN in a frame", in: text("one") + text("cut off")[:9], out: echo(opText, "one"), halfClose: true},
	)
}

// limits has the cases of X154.
func limits() (list []wsCase) {
	number := func(section, i int) string { return fmt.Sprintf("9.%d.%d", section, i+1) }
	for s, op := range []byte{opText, opBinary} {
		for i, n := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20} {
			p := strings.Repeat("BAsd7&jh", n/8)
			list = append(list, good(number(s+1, i), fmt.Sprintf("%d KiB", n>>10), frame(fin|op, p), echo(op, p)))
		}
	}
	for s, op := range []byte{opText, opBinary} {
		p := strings.Repeat("BAsd7&jh", 1<<17)
		for i, n := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20} {
			list = append(list, good(number(s+3, i), fmt.Sprintf("1 MiB in frames of %d", n), split(op, p, n), echo(op, p)))
		}
	}
	for s, op := range []byte{opText, opBinary} {
		p := strings.Repeat("BAsd7&jh", 1<<14)
		for i := range 6 {
			list = append(list, good(number(s+5, i), fmt.Sprintf("128 KiB in pieces of %d", 64<<i), frame(fin|op, p), echo(op, p)))
		}
	}
	for s, op := range []byte{opText, opBinary} {
		for i, n := range []int{0, 16, 64, 256, 1 << 10, 4 << 10} {
			p := strings.Repeat("x", n)
			list = append(list, good(number(s+7, i), fmt.Sprintf("100 messages of %d", n), strings.Repeat(frame(fin|op, p), 100), strings.Repeat(echo(op, p), 100)))
		}
	}
	over := func(n int) string {
		return string([]byte{fin | opBinary, 0xff, 0, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	half := frame(opBinary, strings.Repeat("x", 8<<20))
	return append(list,
		wsCase{number: "9.x.1", name: "16 MiB and a byte, from the head alone", in: over(16<<20 + 1), out: "close 1009\n"},
		wsCase{number: "9.x.2", name: "the sum of frames, from the head alone", in: half + frame(opCont, strings.Repeat("x", 8<<20)) + frame(fin|opCont, "x")[:2], out: "close 1009\n"},
		wsCase{number: "9.x.3", name: "the largest length", in: "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", out: "close 1009\n"},
	)
}

func fragments() []wsCase {
	p := strings.Repeat("*", 65536)
	return []wsCase{good("10.1.1", "64 KiB in frames of 1300", split(opText, p, 1300), echo(opText, p))}
}

// split is a message in frames of n bytes.
func split(op byte, p string, n int) string {
	var in strings.Builder
	for first := op; ; first = opCont {
		piece := p[:min(n, len(p))]
		if p = p[len(piece):]; p == "" {
			in.WriteString(frame(fin|first, piece))
			return in.String()
		}
		in.WriteString(frame(first, piece))
	}
}

const (
	plain   = "permessage-deflate"
	agreed  = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	hello   = "\xf2\x48\xcd\xc9\xc9\x07\x00" // "Hello" (RFC 7692 7.2.3.1)
	helloes = "HelloHelloHelloHello"
)

// packed are messages of sizes and kinds, compressed, some in frames.
func packed(section string, offer, terms string) (list []wsCase) {
	for i, tt := range []struct{ size, in int }{
		{16, 0}, {64, 0}, {256, 0}, {1 << 10, 0}, {4 << 10, 0}, {8 << 10, 0}, {16 << 10, 0}, {32 << 10, 0}, {64 << 10, 0}, {128 << 10, 0},
		{8 << 10, 256}, {16 << 10, 256}, {32 << 10, 256}, {64 << 10, 256}, {128 << 10, 256}, {32 << 10, 1 << 10}, {64 << 10, 1 << 10}, {128 << 10, 64},
	} {
		in, out := "", ""
		for k := range 3 {
			op, p := byte(opText), sample(tt.size, k%2)
			if k%2 == 1 {
				op = opBinary
			}
			n := tt.in
			if n == 0 {
				n = 1 << 20
			}
			in += split(rsv1|op, deflatedOnce(tt.size, k%2, p), n)
			out += echo(op, p)
		}
		c := good(fmt.Sprintf("%s.%d", section, i+1), fmt.Sprintf("3 messages of %d, in frames of %d", tt.size, tt.in), in, out)
		c.offer, c.terms = offer, terms
		list = append(list, c)
	}
	return list
}

var deflatedSamples = map[[2]int]string{}

// deflatedOnce is a sample, compressed once for all sections.
func deflatedOnce(n, seed int, p string) string {
	small, ok := deflatedSamples[[2]int{n, seed}]
	if !ok {
		small = deflated(p)
		deflatedSamples[[2]int{n, seed}] = small
	}
	return small
}

// sample is a text that can be compressed, but is not the same throughout.
func sample(n, seed int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "{\"n\":%d,\"token\":\"%x\"} ", i, (i*7919+seed)*104729)
	}
	return b.String()[:n]
}

func compression() (list []wsCase) {
	for i := range 5 {
		list = append(list, packed(fmt.Sprintf("12.%d", i+1), []string{
			plain, plain + "; client_max_window_bits", plain + "; client_no_context_takeover", "x-webkit-deflate-frame, " + plain, plain + "; client_max_window_bits=10",
		}[i], agreed)...)
	}
	with := func(c wsCase) wsCase { c.offer, c.terms = plain, agreed; return c }
	z := func(first byte, p string) string { return frame(first|rsv1, p) }
	bomb := deflated(strings.Repeat("\x00", 16<<20+1))
	list = append(list,
		with(good("12.x.1", "RFC 7692 7.2.3.1: one block", z(fin|opText, hello), echo(opText, "Hello"))),
		with(good("12.x.2", "RFC 7692 7.2.3.1: two frames", z(opText, hello[:3])+frame(fin|opCont, hello[3:]), echo(opText, "Hello"))),
		with(good("12.x.3", "RFC 7692 7.2.3.3: a block without compression", z(fin|opText, "\x00\x05\x00\xfa\xffHello\x00"), echo(opText, "Hello"))),
		with(good("12.x.4", "RFC 7692 7.2.3.4: a block that is the last", z(fin|opText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), echo(opText, "Hello"))),
		with(good("12.x.5", "... and a message behind it", z(fin|opText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00")+z(fin|opText, hello), echo(opText, "Hello")+echo(opText, "Hello"))),
		with(good("12.x.6", "RFC 7692 7.2.3.5: two blocks", z(fin|opText, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), echo(opText, "Hello"))),
		with(good("12.x.7", "RFC 7692 7.2.3.6: an empty message", z(fin|opText, "\x00"), echo(opText, ""))),
		with(good("12.x.8", "not compressed", text("plain")+z(fin|opText, hello)+text("plain"), echo(opText, "plain")+echo(opText, "Hello")+echo(opText, "plain"))),
		with(good("12.x.9", "blocks behind one that is the last, which refer to it", z(fin|opText, "\xf3\x48\xcd\xc9\xc9\x07\x00"+referring("Hello", helloes)), echo(opText, "Hello"+helloes))),
		with(good("12.x.10", "without the byte behind the last block", z(fin|opText, "\xf3\x48\xcd\xc9\xc9\x07\x00"), echo(opText, "Hello"))),
		with(good("12.x.11", "a ping in a compressed message", z(opText, hello[:3])+frame(fin|opPing, "p")+frame(fin|opCont, hello[3:]), line(fin|opPong, "p")+echo(opText, "Hello"))),
		with(bad("12.x.12", "half of a message", z(fin|opText, deflated(helloes + helloes)[:6]), closed1007)),
		with(bad("12.x.13", "no bytes", z(fin|opBinary, "\xff\xff\xff\xff"), closed1007)),
		with(bad("12.x.14", "not UTF-8 when it is inflated", z(fin|opText, deflated("a\xed\xa0\x80b")), closed1007)),
		with(bad("12.x.15", "UTF-8 that is cut when it is inflated", z(fin|opText, deflated("a\xe2\x82")), closed1007)),
		with(bad("12.x.16", "a bomb", z(fin|opBinary, bomb), "close 1009\n")),
		with(bad("12.x.17", "a bomb behind a message", text("one")+z(fin|opBinary, bomb), echo(opText, "one")+"close 1009\n")),
		with(bad("12.x.18", "a continuation that is compressed", z(opText, hello[:3])+z(fin|opCont, hello[3:]), closed1002)),
		with(bad("12.x.19", "a ping that is compressed", z(fin|opPing, "x"), closed1002)),
		with(bad("12.x.20", "a Close that is compressed", z(fin|opClose, status(1000)), closed1002)),
		with(bad("12.x.21", "blocks without end that are each the last", z(fin|opBinary, strings.Repeat("\x03\x00", 5000)), closed1007)),
	)
	return list
}

// parameters has the cases of X157, with compression.
func parameters() (list []wsCase) {
	offers := []struct{ offer, terms string }{
		{plain, agreed},
		{plain + "; server_no_context_takeover", agreed},
		{plain + "; server_max_window_bits=9", agreed + "; server_max_window_bits=9"},
		{plain + "; server_max_window_bits=15", agreed + "; server_max_window_bits=15"},
		{plain + "; server_no_context_takeover; server_max_window_bits=9", agreed + "; server_max_window_bits=9"},
		{plain + "; server_no_context_takeover; server_max_window_bits=15", agreed + "; server_max_window_bits=15"},
		{plain + "; server_max_window_bits=16, " + plain + "; server_no_context_takeover; server_max_window_bits=10, " + plain, agreed + "; server_max_window_bits=10"},
	}
	for i, o := range offers {
		list = append(list, packed(fmt.Sprintf("13.%d", i+1), o.offer, o.terms)...)
	}
	for i, o := range []struct{ offer, terms string }{
		{plain + "; server_max_window_bits=8", agreed + "; server_max_window_bits=8"},
		{plain + "; server_max_window_bits=\"12\"", agreed + "; server_max_window_bits=12"},
		{plain + ";client_max_window_bits ;  server_no_context_takeover", agreed},
		{plain + "; client_max_window_bits=8; client_no_context_takeover; server_max_window_bits=11; server_no_context_takeover", agreed + "; server_max_window_bits=11"},
	} {
		c := good(fmt.Sprintf("13.x.%d", i+1), "accepted: "+o.offer, frame(fin|rsv1|opText, deflated(sample(3000, 1))), echo(opText, sample(3000, 1)))
		c.offer, c.terms = o.offer, o.terms
		list = append(list, c)
	}
	for i, offer := range []string{
		plain + "; server_max_window_bits", plain + "; server_max_window_bits=7", plain + "; server_max_window_bits=16", plain + "; server_max_window_bits=09",
		plain + "; server_max_window_bits=x", plain + "; server_max_window_bits=-9", plain + "; server_max_window_bits=9; server_max_window_bits=9",
		plain + "; client_max_window_bits=7", plain + "; client_max_window_bits=16", plain + "; client_max_window_bits=010", plain + "; client_max_window_bits=\"\"",
		plain + "; server_no_context_takeover=1", plain + "; client_no_context_takeover=true", plain + "; server_no_context_takeover; server_no_context_takeover",
		plain + "; unknown", plain + "; Server_No_Context_Takeover", plain + ";", plain + "; =9", plain + "; server_max_window_bits=\"9", "permessage-bzip2", "x;y=z", ", ,", plain + " server_no_context_takeover",
	} {
		c := bad(fmt.Sprintf("13.x.%d", i+5), "declined: "+offer, text("one")+frame(fin|rsv1|opText, hello), echo(opText, "one")+closed1002)
		c.offer = offer
		list = append(list, c)
	}
	return list
}

// W1 to W9, X158: each case, whole and in pieces, in each way of serving.
func TestCases(t *testing.T) {
	total, numbers := 0, map[string]bool{}
	for _, s := range sections {
		passed, cases := 0, s.cases()
		for _, c := range cases {
			if numbers[c.number] || !strings.HasPrefix(c.number, s.number+".") {
				t.Errorf("%s is there twice, or in section %s", c.number, s.number)
			}
			numbers[c.number] = true
			if t.Run(c.number+" "+c.name, func(t *testing.T) { runCase(t, c) }) {
				passed++
			}
		}
		total += passed
		t.Logf("section %2s, %-26s %3d of %3d", s.number, s.name+":", passed, len(cases))
	}
	t.Logf("%d cases", total)
	if len(numbers) < 517 && !strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		t.Errorf("got %d cases, want at least as many as Autobahn's suite has", len(numbers))
	}
}

func runCase(t *testing.T, c wsCase) {
	for _, way := range ways {
		if len(c.in) > largest && (way != "inline" || checked) {
			continue
		}
		at(t, echoes(way, ws.Options{Deflate: true}), nil, func(d *table) {
			for _, cuts := range c.pieces(way) {
				d.play(way, c, cuts)
			}
		})
	}
}

// pieces returns where the input is cut: not at all, and if it is short, at each
// byte, and at all of them.
func (c *wsCase) pieces(way string) (list [][]int) {
	list = [][]int{nil}
	n := len(c.in)
	if n > 1<<20 || n < 2 {
		return list
	}
	switch {
	case n > 2000 && way != "inline":
		return list
	case n > 2000:
		return append(list, []int{n / 2})
	}
	list = append(list, []int{n / 2}, []int{1, 2, 3, n - 1})
	if way != "inline" {
		return list
	}
	step, every := max(cutStep, n/60), make([]int, 0, n)
	for i := 1; i < n; i += step {
		every = append(every, i)
		list = append(list, []int{i})
	}
	return append(list, every)
}

// play sends the case's input on a connection of its own.
func (d *table) play(way string, c wsCase, cuts []int) {
	d.Helper()
	client := d.Dial()
	defer client.Close()
	fields, want := []string{}, switched()
	if c.offer != "" {
		fields = append(fields, "Sec-WebSocket-Extensions: "+c.offer)
	}
	if c.terms != "" {
		want = switched("Sec-WebSocket-Extensions: " + c.terms)
	}
	client.Send(ask("/ws", fields...))
	if got := client.Received(); got != want {
		d.Errorf("%s: got %q, want %q", way, got, want)
		return
	}
	var got strings.Builder
	from := 0
	for _, cut := range append(slices.Clone(cuts), len(c.in)) {
		if piece := c.in[from:max(from, cut)]; len(piece) > 0 {
			go func() { _, _ = io.WriteString(client, piece) }() // it may be closed before that
			got.WriteString(client.Received())
			from += len(piece)
		}
	}
	if c.halfClose {
		_ = client.CloseWrite()
		got.WriteString(client.Received())
	}
	if lines := said(got.String()); lines != c.out {
		d.Errorf("%s, cut at %d:\ngot\n%swant\n%s", way, cuts, lines, c.out)
	}
	if err := client.Err(); err != io.EOF {
		d.Errorf("%s, cut at %d: got %v behind it, want FIN", way, cuts, err)
	}
}
