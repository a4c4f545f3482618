package http1

import (
	"strings"
	"testing"
)

// ruleCase is a request head and what must come of it.
type ruleCase struct {
	name   string
	head   string
	status int    // 0: accepted
	reason string // of a refusal
}

// head11 is a request with the lines given between a valid request line, Host, and the end.
func head11(lines ...string) string {
	return "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Join(append(lines, ""), "\r\n") + "\r\n"
}

// line11 is a request with that request line.
func line11(line string) string { return line + "\r\nHost: a\r\n\r\n" }

// ruleCases: the H rules; #n is a case's number among the X rules.
var ruleCases = []ruleCase{
	{"H1 none #1", line11("GET / HTTP/1.1"), 0, ""},
	{"H1 one empty line", "\r\n" + head11(), 0, ""},
	{"H1 eight empty lines #3", strings.Repeat("\r\n", 8) + head11(), 0, ""},
	{"H1 nine empty lines #3", strings.Repeat("\r\n", 9) + head11(), 400, reasonEmpty},
	{"H1 empty line of LF", "\n" + head11(), 400, reasonBareLF},
	{"H1 empty line of CR #53", "\r\n\rX", 400, reasonBareCR},

	{"H2 lower-case method #16", line11("get / HTTP/1.1"), 400, reasonMethod},
	{"H2 mixed-case method", line11("GEt / HTTP/1.1"), 400, reasonMethod},
	{"H2 leading space #7", line11(" GET / HTTP/1.1"), 400, reasonMethod},
	{"H2 non-token method #14", line11("GE(T / HTTP/1.1"), 400, reasonMethod},
	{"H2 NUL in method #14", line11("GE\x00T / HTTP/1.1"), 400, reasonControl},
	{"H2 0x80 in method #14", line11("GE\x80T / HTTP/1.1"), 400, reasonMethod},
	{"H2 method alone", "GET\r\n\r\n", 400, reasonMethod},
	{"H2 two spaces before target #6 #18", line11("GET  / HTTP/1.1"), 400, reasonTarget},
	{"H2 two spaces before version #6", line11("GET /  HTTP/1.1"), 400, reasonVersion},
	{"H2 tab before target #6", line11("GET\t/ HTTP/1.1"), 400, reasonControl},
	{"H2 tab before version #6", line11("GET /\tHTTP/1.1"), 400, reasonControl},
	{"H2 missing target #18", line11("GET HTTP/1.1"), 400, reasonVersion},
	{"H2 empty target #18", line11("GET  HTTP/1.1"), 400, reasonTarget},
	{"H2 trailing space #8", line11("GET / HTTP/1.1 "), 400, reasonVersion},
	{"H2 method longer than a line #17", strings.Repeat("M", 8<<10+1), 400, reasonMethodLen},

	{"H3 unknown method #15", line11("BREW / HTTP/1.1"), 0, ""},
	{"H3 all of a token", line11("M-SEARCH!#$%&'*+.^_`|~09 / HTTP/1.1"), 0, ""},

	{"H4 HTTP/1.0 without Host #36", "GET / HTTP/1.0\r\n\r\n", 0, ""},
	{"H4 HTTP/1.0 with Host #13", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", 0, ""},
	{"H4 HTTP/1.0 with two", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400, reasonTwoHosts},

	{"H5 no version #9", "GET /\r\n\r\n", 400, reasonVersion},
	{"H5 HTTP/0.9", line11("GET / HTTP/0.9"), 505, reasonMajor},
	{"H5 letters for digits", line11("GET / HTTP/d.d"), 400, reasonVersion},
	{"H5 a letter for the minor version", line11("GET / HTTP/1.d"), 400, reasonVersion},
	{"H5 HTTP/2.0 #11", line11("GET / HTTP/2.0"), 505, reasonMajor},
	{"H5 HTTP/9.9 #11", line11("GET / HTTP/9.9"), 505, reasonMajor},
	{"H5 HTTP/1.2 #12", line11("GET / HTTP/1.2"), 0, ""},
	{"H5 without dot", line11("GET / HTTP/11"), 400, reasonVersion},
	{"H5 HTTP/2", line11("GET / HTTP/2"), 400, reasonVersion},
	{"H5 other scheme", line11("GET / ICAP/1.0"), 400, reasonVersion},
	{"H5 HTTP/1.10 #10", line11("GET / HTTP/1.10"), 400, reasonVersion},
	{"H5 HTTP/2.00", line11("GET / HTTP/2.00"), 400, reasonVersion},
	{"H5 HTTP/01.1 #10", line11("GET / HTTP/01.1"), 400, reasonVersion},
	{"H5 HTTP/1. #10", line11("GET / HTTP/1."), 400, reasonVersion},
	{"H5 HTTP/ 1.1 #10", line11("GET / HTTP/ 1.1"), 400, reasonVersion},
	{"H5 http/1.1 #10", line11("GET / http/1.1"), 400, reasonVersion},
	{"H5 HTTP/1.1x #10", line11("GET / HTTP/1.1x"), 400, reasonVersion},
	{"H5 HTTP/1.:", line11("GET / HTTP/1.:"), 400, reasonVersion},
	{"H5 preface of HTTP/2 #26", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, reasonMajor},

	{"H6 LF ends request line #4", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, reasonBareLF},
	{"H6 CR ends request line #5", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400, reasonBareCR},
	{"H6 LF ends field #51", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, reasonBareLF},
	{"H6 LF ends name", "GET / HTTP/1.1\r\nHost\n\r\n", 400, reasonBareLF},
	{"H6 CR ends field #52", "GET / HTTP/1.1\r\nHost: a\r\r\n", 400, reasonBareCR},
	{"H6 CR within value #48", head11("X: a\rb"), 400, reasonBareCR},
	{"H6 LF ends head", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, reasonBareLF},
	{"H6 CR ends head #53", "GET / HTTP/1.1\r\nHost: a\r\n\rX", 400, reasonBareCR},
	{"H6 CRLF in the middle of CRCRLF", "GET / HTTP/1.1\r\r\n", 400, reasonBareCR},
	{"H6 NUL in target #19", line11("GET /\x00 HTTP/1.1"), 400, reasonControl},
	{"H6 DEL in target #19", line11("GET /\x7f HTTP/1.1"), 400, reasonControl},
	{"H6 LF in target", line11("GET /\n HTTP/1.1"), 400, reasonBareLF},
	{"H6 0x1f in target #19", line11("GET /aaaaaaaaaaaaaaaaaaaaaa\x1f HTTP/1.1"), 400, reasonControl},
	{"H6 NUL in value #48 #59", head11("Cookie: a\x00b"), 400, reasonControl},
	{"H6 DEL in value #48", head11("X: a\x7f"), 400, reasonControl},
	{"H6 VT in value #50", head11("X: \va"), 400, reasonControl},
	{"H6 FF at the end of value #50", head11("X: a\f"), 400, reasonControl},
	{"H6 control after tabs", head11("X: \t\ta\tb\t\x01"), 400, reasonControl},
	{"H6 NUL in name", head11("X\x00: a"), 400, reasonControl},
	{"H6 TLS ClientHello #26", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, reasonControl},
	{"H6 garbage #26", "\xff\xfe\xfd", 400, reasonMethod},

	{"H7 space before colon #42", head11("X : a"), 400, reasonName},
	{"H7 tab before colon #42", head11("X\t: a"), 400, reasonName},
	{"H7 empty name #43", head11(": a"), 400, reasonName},
	{"H7 no colon #44", head11("X"), 400, reasonName},
	{"H7 space in name", head11("X Y: a"), 400, reasonName},
	{"H7 parenthesis in name #47", head11("X(: a"), 400, reasonName},
	{"H7 bracket in name #47", head11("[X]: a"), 400, reasonName},
	{"H7 at in name #47", head11("X@: a"), 400, reasonName},
	{"H7 slash in name #47", head11("X/Y: a"), 400, reasonName},
	{"H7 0x80 in name #47", head11("X\x80: a"), 400, reasonName},
	{"H7 0x85 in name #47", head11("\x85X: a"), 400, reasonName},
	{"H7 VT in name", head11("X\v: a"), 400, reasonControl},

	{"H8 obs-fold by space #46", head11("X: a", " b"), 400, reasonFold},
	{"H8 obs-fold by tab #46", head11("X: a", "\tb"), 400, reasonFold},
	{"H8 obs-fold of spaces alone", head11("X: a", " "), 400, reasonFold},
	{"H8 white space before the first field #45", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, reasonFold},

	{"H9 empty value", head11("X:"), 0, ""},
	{"H9 value of spaces", head11("X: \t "), 0, ""},
	{"H9 tab inside #50", head11("X: a\tb\t\tc"), 0, ""},
	{"H9 0x80-0xff in value #49", head11("X: \x80\x85\xa0\xff"), 0, ""},

	{"H10 length, then coding #60", head11("Content-Length: 5", "Transfer-Encoding: chunked"), 400, reasonBoth},
	{"H10 coding, then length #60", head11("TRANSFER-ENCODING: Chunked", "content-length: 5"), 400, reasonBoth},
	{"H10 length 0 and coding", head11("Content-Length: 0", "Transfer-Encoding: chunked"), 400, reasonBoth},
	{"H10 unknown coding and length", head11("Transfer-Encoding: cow", "Content-Length: 5"), 400, reasonBoth},

	{"H11 5", head11("Content-Length: 5"), 0, ""},
	{"H11 0", head11("Content-Length: 0"), 0, ""},
	{"H11 two leading spaces #66", head11("Content-Length:  5"), 0, ""},
	{"H11 largest", head11("Content-Length: 9223372036854775807"), 0, ""},
	{"H11 list #62", head11("Content-Length: 5, 5"), 400, reasonLength},
	{"H11 twice, equal #61", head11("Content-Length: 5", "Content-Length: 5"), 400, reasonTwoLengths},
	{"H11 twice, unequal #63", head11("Content-Length: 5", "content-LENGTH: 6"), 400, reasonTwoLengths},
	{"H11 twice 0", head11("Content-Length: 0", "Content-Length: 0"), 400, reasonTwoLengths},
	{"H11 abc", head11("Content-Length: abc"), 400, reasonLength},
	{"H11 -1", head11("Content-Length: -1"), 400, reasonLength},
	{"H11 +5 #64", head11("Content-Length: +5"), 400, reasonLength},
	{"H11 -5 #64", head11("Content-Length: -5"), 400, reasonLength},
	{"H11 5 0 #66", head11("Content-Length: 5 0"), 400, reasonLength},
	{"H11 0x5 #64", head11("Content-Length: 0x5"), 400, reasonLength},
	{"H11 5_0 #64", head11("Content-Length: 5_0"), 400, reasonLength},
	{"H11 5.0 #64", head11("Content-Length: 5.0"), 400, reasonLength},
	{"H11 1e2 #64", head11("Content-Length: 1e2"), 400, reasonLength},
	{"H11 Arabic digit #64", head11("Content-Length: ٥"), 400, reasonLength},
	{"H11 empty #64", head11("Content-Length:"), 400, reasonLength},
	{"H11 space #64", head11("Content-Length:  "), 400, reasonLength},
	{"H11 005 #65", head11("Content-Length: 005"), 400, reasonLength},
	{"H11 00 #65", head11("Content-Length: 00"), 400, reasonLength},
	{"H11 2^63 #67", head11("Content-Length: 9223372036854775808"), 400, reasonLength},
	{"H11 2^64 #67", head11("Content-Length: 18446744073709551616"), 400, reasonLength},
	{"H11 2^64+5 #67", head11("Content-Length: 18446744073709551621"), 400, reasonLength},
	{"H11 30 digits #67", head11("Content-Length: 123456789012345678901234567890"), 400, reasonLength},

	{"H12 chunked #70", head11("Transfer-Encoding: chunked"), 0, ""},
	{"H12 CHUNKED #71", head11("transfer-encoding:CHUNKED \t"), 0, ""},
	{"H12 xchunked #74", head11("Transfer-Encoding: xchunked"), 501, reasonUnknown},
	{"H12 cow #74", head11("Transfer-Encoding: cow"), 501, reasonUnknown},
	{"H12 gzip, chunked #73", head11("Transfer-Encoding: gzip, chunked"), 501, reasonUnknown},
	{"H12 gzip", head11("Transfer-Encoding: gzip"), 501, reasonUnknown},
	{"H12 chunked, chunked #72", head11("Transfer-Encoding: chunked, chunked"), 400, reasonCoding},
	{"H12 two fields #72", head11("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400, reasonTwoCodings},
	{"H12 two fields, first unknown", head11("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), 400, reasonTwoCodings},
	{"H12 chunked, gzip #72", head11("Transfer-Encoding: chunked, gzip"), 400, reasonCoding},
	{"H12 identity, chunked #72", head11("Transfer-Encoding: identity, chunked"), 400, reasonCoding},
	{"H12 identity", head11("Transfer-Encoding: identity"), 400, reasonCoding},
	{"H12 ,chunked #75", head11("Transfer-Encoding: ,chunked"), 400, reasonCoding},
	{"H12 chunked, #75", head11("Transfer-Encoding: chunked,"), 400, reasonCoding},
	{"H12 chunked;q=1 #75", head11("Transfer-Encoding: chunked;q=1"), 400, reasonCoding},
	{"H12 quoted #75", head11(`Transfer-Encoding: "chunked"`), 400, reasonCoding},
	{"H12 chun ked #75", head11("Transfer-Encoding: chun ked"), 400, reasonCoding},
	{"H12 NUL behind #75", head11("Transfer-Encoding: chunked\x00"), 400, reasonControl},
	{"H12 VT before #75", head11("Transfer-Encoding: \x0bchunked"), 400, reasonControl},
	{"H12 0xa0 before", head11("Transfer-Encoding: \xa0chunked"), 400, reasonCoding},
	{"H12 empty #76", head11("Transfer-Encoding:"), 400, reasonCoding},
	{"H12 empty, then folded", head11("Transfer-Encoding:", " chunked"), 400, reasonCoding},
	{"H12 on HTTP/1.0 #77", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, reasonOldCoding},
	{"H12 unknown on HTTP/1.0 #77", "POST / HTTP/1.0\r\nTransfer-Encoding: cow\r\n\r\n", 400, reasonOldCoding},
	{"H12 underscore is another field #54", head11("Transfer_Encoding: cow", "Content_Length: x"), 0, ""},

	{"H13 no Host #31", "GET / HTTP/1.1\r\n\r\n", 400, reasonNoHost},
	{"H13 no Host on HTTP/1.2", "GET / HTTP/1.2\r\n\r\n", 400, reasonNoHost},
	{"H13 two equal #32", head11("Host: a"), 400, reasonTwoHosts},
	{"H13 two in other case", head11("hOST: b"), 400, reasonTwoHosts},

	{"H15 asterisk with OPTIONS #28", line11("OPTIONS * HTTP/1.1"), 0, ""},
	{"H15 asterisk with GET #29", line11("GET * HTTP/1.1"), 400, reasonForm},
	{"H15 asterisk and more", line11("OPTIONS *x HTTP/1.1"), 400, reasonForm},
	{"H15 asterisk and query", line11("OPTIONS *?x HTTP/1.1"), 400, reasonForm},
	{"H15 authority with CONNECT #27", line11("CONNECT a:443 HTTP/1.1"), 0, ""},
	{"H15 authority with GET", line11("GET a:443 HTTP/1.1"), 400, reasonForm},
	{"H15 CONNECT without port", line11("CONNECT a HTTP/1.1"), 400, reasonAuthority},
	{"H15 CONNECT with empty port", line11("CONNECT a: HTTP/1.1"), 400, reasonAuthority},
	{"H15 CONNECT to IPv6", line11("CONNECT [::1]:443 HTTP/1.1"), 0, ""},
	{"H15 CONNECT to IPv6 without port", line11("CONNECT [::1] HTTP/1.1"), 400, reasonAuthority},
	{"H15 CONNECT with a path", line11("CONNECT / HTTP/1.1"), 400, reasonAuthority},
	{"H15 CONNECT with userinfo", line11("CONNECT u@a:1 HTTP/1.1"), 400, reasonAuthority},
	{"H15 no form at all", line11("GET foo HTTP/1.1"), 400, reasonForm},
	{"H15 query alone", line11("GET ?x HTTP/1.1"), 400, reasonForm},

	{"H18 100-continue #99", head11("Expect: 100-continue", "Content-Length: 1"), 0, ""},
	{"H18 in any case", head11("Expect: 100-Continue"), 0, ""},
	{"H18 other #99", head11("Expect: tea"), 417, reasonExpect},
	{"H18 100-continue and other", head11("Expect: 100-continue, tea=1"), 417, reasonExpect},
	{"H18 malformed wins over 417", head11("Expect: tea", "X"), 400, reasonName},

	{"#20 fragment", line11("GET /a#b HTTP/1.1"), 400, reasonFragment},
	{"#20 fragment in query", line11("GET /a?b#c HTTP/1.1"), 400, reasonFragment},
	{"#21 backslash in path", line11(`GET /a\b HTTP/1.1`), 400, reasonBackslash},
	{"#21 backslash in query", line11(`GET /a?\b HTTP/1.1`), 0, ""},
	{"#22 percent alone", line11("GET /% HTTP/1.1"), 400, reasonPercent},
	{"#22 percent and one digit", line11("GET /%4 HTTP/1.1"), 400, reasonPercent},
	{"#22 percent and no digits", line11("GET /%zz HTTP/1.1"), 400, reasonPercent},
	{"#22 percent in query", line11("GET /?100% HTTP/1.1"), 0, ""},
	{"#22 percent and no digits in query", line11("GET /a?x=%zz&y=%4 HTTP/1.1"), 0, ""},
	{"#22 percent in path before a query", line11("GET /%zz?x HTTP/1.1"), 400, reasonPercent},
	{"#22 percent and digits", line11("GET /%4a%4A?%4a HTTP/1.1"), 0, ""},
	{"#23 encoded NUL is for the router", line11("GET /%00 HTTP/1.1"), 0, ""},
	{"#24 0x80 in target", line11("GET /\x80 HTTP/1.1"), 400, reasonNonASCII},
	{"#24 overlong UTF-8 in target", line11("GET /aaaaaaaaa\xc0\xaf HTTP/1.1"), 400, reasonNonASCII},
	{"#19 UTF-8 in query", line11("GET /?é HTTP/1.1"), 400, reasonNonASCII},
	{"marks in target", line11(`GET /!"$&'()*+,;:@[]^{|}<>~/?!"$?/ HTTP/1.1`), 0, ""},

	{"#37 absolute form", line11("GET http://a/ HTTP/1.1"), 0, ""},
	{"#39 userinfo", line11("GET http://u:p@a/ HTTP/1.1"), 400, reasonAuthority},
	{"#39 userinfo behind the slash", line11("GET http://a/u@b HTTP/1.1"), 0, ""},
	{"absolute form without authority", line11("GET http:///x HTTP/1.1"), 400, reasonAuthority},
	{"absolute form, nothing behind the scheme", line11("GET http:// HTTP/1.1"), 400, reasonAuthority},
	{"absolute form with one slash", line11("GET http:/a HTTP/1.1"), 400, reasonForm},
	{"absolute form of ftp", line11("GET ftp://a/ HTTP/1.1"), 400, reasonForm},
	{"absolute form without Host #31", "GET http://a/ HTTP/1.1\r\n\r\n", 400, reasonNoHost},
	{"absolute form with a bad Host", "GET http://a/ HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, reasonHost},
	{"absolute form with a bad port", line11("GET http://a:65536/ HTTP/1.1"), 400, reasonAuthority},
}

// TestRules is the H rules and X1 to X91 on heads, each case every way (H22).
func TestRules(t *testing.T) {
	for _, tt := range ruleCases {
		t.Run(tt.name, func(t *testing.T) {
			got := parseEveryWay(t, new(Request), tt.head, nil)
			if got.err.Status != tt.status || got.err.Reason != tt.reason {
				t.Errorf("%.100q: got %v, want status %d %q", tt.head, got, tt.status, tt.reason)
			}
			if tt.status == 0 && got.n != len(tt.head) {
				t.Errorf("%.100q: got %d bytes, want %d", tt.head, got.n, len(tt.head))
			}
		})
	}
}

// TestHost is H13 and X33 to X41 on the host's form.
func TestHost(t *testing.T) {
	for host, want := range map[string]bool{
		"a": true, "A.b-c_d.example": true, "a.": true, "127.0.0.1": true, "a:80": true, "a:0": true,
		"a:65535": true, "a:": true, "xn--bcher-kva.example": true, "!$&'()*+;=~": true,
		"[::1]": true, "[::1]:80": true, "[::]": true, "[1:2:3:4:5:6:7:8]": true, "[1::8]": true,
		"[::ffff:1.2.3.4]": true, "[1:2:3:4:5:6:1.2.3.4]": true, "[::1.2.3.4]": true, "[1::]": true,
		"[1:2:3:4:5:6:7::]": true, "[ABCD:ef01::]:443": true,

		"": false, "a, b": false, "a,b": false, "a/b": false, "a@b": false, "a b": false, "a:b": false,
		"a:99999": false, "a:65536": false, "a:-1": false, "a:+1": false, "a:000080": false, "a:8 0": false,
		":80": false, "a:1:2": false, "::1": false, "a?b": false, "a#b": false, `a\b`: false, "a%41": false,
		"a\x80": false, "é": false, "[]": false, "[": false, "[::1": false, "[::1]x": false, "[::1]80": false,
		"[a]": false, "[1:2:3:4:5:6:7]": false, "[1:2:3:4:5:6:7:8:9]": false, "[1::2::3]": false,
		"[:::]": false, "[1:]": false, "[:1]": false, "[12345::]": false, "[::1%25eth0]": false, "[v1.x]": false,
		"[::1.2.3]": false, "[::1.2.3.4.5]": false, "[::256.1.1.1]": false, "[::01.1.1.1]": false,
		"[1.2.3.4]": false, "[1:2:3:4:5:6:7:1.2.3.4]": false, "[1:2:3:4:5:6:7:8::]": false, "[::1.2.3.4:5]": false,
		"http://a": false, "<a>": false,
	} {
		got := parseEveryWay(t, new(Request), "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n", nil)
		if ok := got.n > 0; ok != want {
			t.Errorf("Host %q: got %v, want accepted = %v", host, got, want) // H13
		}
		if !want && got.err != (ParseError{400, len("GET / HTTP/1.1\r\nHost:") + min(len(host)+1, 1), reasonHost}) && host != "" {
			t.Errorf("Host %q: got %v, want 400 at the value", host, got)
		}
		// The same rule holds for an absolute target.
		if strings.ContainsAny(host, " /?#%\\é") || strings.Contains(host, "\x80") {
			continue
		}
		got = parseEveryWay(t, new(Request), line11("GET http://"+host+"/x HTTP/1.1"), nil)
		if ok := got.n > 0; ok != want {
			t.Errorf("target of host %q: got %v, want accepted = %v", host, got, want)
		}
	}
}

// TestErrorOffset pins the offset of an error to the byte that made it certain.
func TestErrorOffset(t *testing.T) {
	for _, tt := range []struct {
		head   string
		offset int
	}{
		{"\x16", 0},
		{"GET / HTTP/1.1\n", 14},
		{"GET / HTTP/3.0\r\n", 11},
		{"GET /%4x", 5},
		{"\r\nGET /#", 7},
		{"GET / HTTP/1.1\r\nHost: a\r\nX Y", 26},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: \x01", 28},
		{"GET / HTTP/1.1\r\nHost: a@b\r\n", 22},
		{"GET / HTTP/1.1\r\n\r\n", 18},
	} {
		got := parseEveryWay(t, new(Request), tt.head, nil)
		if got.err.Status == 0 || got.err.Offset != tt.offset {
			t.Errorf("%q: got %v, want an error at %d", tt.head, got, tt.offset)
		}
	}
}
