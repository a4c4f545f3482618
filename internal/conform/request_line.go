package conform

import (
	"fmt"
	"strings"
)

// requestLineCases are items 1 to 17 and 26 to 30: the line's form, version and
// method.
func requestLineCases() []Case {
	line := func(text string) string { return msg(text, host) }
	cases := []Case{
		c(1, "plain GET", "", send(line(getLine)), answer(200, is(hello), without("Transfer-Encoding")), alive),

		c(2, "GET under every split", "H22", sameUnderSplits(line(getLine), 200)),
		c(2, "chunked POST under every split", "H22", sameUnderSplits(
			msg(postLine, host, "Transfer-Encoding: chunked")+"5;a=\"b\"\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", 200)),
		c(2, "sized POST under every split", "H22", sameUnderSplits(msg(postLine, host, "Content-Length: 5")+"hello", 200)),
		c(2, "refused request under every split", "H22", sameUnderSplits(
			msg(postLine, host, "Content-Length: 5", "Transfer-Encoding: chunked"), 400)),

		c(3, "one empty line first", "H1", serve("\r\n"+line(getLine), hello)),
		c(3, "8 empty lines first", "H1", serve(strings.Repeat("\r\n", 8)+line(getLine), hello)),
		c(3, "9 empty lines first", "H1", reject(strings.Repeat("\r\n", 9)+line(getLine), 400)),
		c(3, "empty line between requests", "H1", serve(line(getLine), hello), serve("\r\n"+line(getLine), hello)),

		c(4, "bare LF ends the line", "H6", reject(getLine+"\nHost: a\r\n\r\n", 400)),
		c(4, "bare LF everywhere", "H6", reject(getLine+"\nHost: a\n\n", 400)),
		c(5, "bare CR ends the line", "H6", reject(getLine+"\rHost: a\r\n\r\n", 400)),
		c(5, "bare CR in the line", "H6", reject("GET /plain\rtext HTTP/1.1\r\nHost: a\r\n\r\n", 400)),
		c(5, "CR CR LF ends the line", "H6", reject(getLine+"\r\r\nHost: a\r\n\r\n", 400)),
		c(6, "two spaces after the method", "H2", reject(line("GET  /plaintext HTTP/1.1"), 400)),
		c(6, "two spaces before the version", "H2", reject(line("GET /plaintext  HTTP/1.1"), 400)),
		c(6, "tab after the method", "H2", reject(line("GET\t/plaintext HTTP/1.1"), 400)),
		c(6, "tab before the version", "H2", reject(line("GET /plaintext\tHTTP/1.1"), 400)),
		c(7, "space before the method", "H2", reject(" "+line(getLine), 400)),
		c(7, "tab before the method", "H2", reject("\t"+line(getLine), 400)),
		c(8, "space after the version", "H2", reject(line(getLine+" "), 400)),
		c(8, "tab after the version", "H2", reject(line(getLine+"\t"), 400)),
		c(9, "no version", "H5", reject("GET /plaintext\r\n\r\n", 400)),
		c(9, "no version but a space", "H5", reject("GET /plaintext \r\n\r\n", 400)),
		c(9, "method alone", "H2", reject("GET\r\n\r\n", 400)),
	}
	for _, version := range []string{
		"HTTP/1.10", "HTTP/01.1", "HTTP/1.", "HTTP/.1", "HTTP/1", "HTTP/11", "HTTP/1,1", "HTTP/ 1.1", "HTTP /1.1",
		"http/1.1", "Http/1.1", "HTTP/1.1x", "HTTP/1.1.1", "HTTP/a.b", "HTTP/+1.1", "HTTP/-1.1", "HTTP", "HTTPS/1.1", "ICY/1.1", "/1.1",
	} {
		cases = append(cases, c(10, "version "+strings.ReplaceAll(version, "/", "|"), "H5", reject(line("GET /plaintext "+version), 400)))
	}
	cases = append(cases,
		c(11, "version 2.0", "H5", reject(line("GET /plaintext HTTP/2.0"), 505)),
		c(11, "version 9.9", "H5", reject(line("GET /plaintext HTTP/9.9"), 505)),
		c(11, "version 0.9", "H5", reject(line("GET /plaintext HTTP/0.9"), 505, 400)),
		c(12, "version 1.2", "", send(line("GET /plaintext HTTP/1.2")), answerIn(in{200, 505}), settled),
		c(13, "HTTP|1.0 closes", "H4", send("GET /plaintext HTTP/1.0\r\n\r\n"), answer(200, is(hello)), closed),
		c(13, "HTTP|1.0 keep-alive", "H4", send("GET /plaintext HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
			answer(200, is(hello), keepAlive), alive),
		c(13, "HTTP|1.0 Keep-Alive in capitals", "H19", send("GET /plaintext HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
			answer(200, is(hello), keepAlive), alive),
	)
	return append(cases, methodCases()...)
}

func methodCases() []Case {
	cases := []Case{
		c(15, "unknown method on a known resource", "H3", send(msg("FROB /plaintext HTTP/1.1", host)), answerIn(in{501, 405}, allows), settled),
		c(15, "unknown method on no resource", "H3", send(msg("FROB /nowhere HTTP/1.1", host)), answerIn(in{501, 405, 404}), settled),
		c(15, "OPTIONS of a known resource", "H24", send(msg("OPTIONS /plaintext HTTP/1.1", host)), answer(204, names("Allow", "get")), alive),
		c(15, "OPTIONS of no resource", "H24", send(msg("OPTIONS /nowhere HTTP/1.1", host)), answer(404), alive),
		c(15, "wrong method", "H3", send(msg("DELETE /plaintext HTTP/1.1", host)), answer(405, names("Allow", "get")), settled),
		// X16 would accept 501 or 405; H2 wants 400 and decides.
		c(16, "lower-case get", "H2", reject(msg("get /plaintext HTTP/1.1", host), 400)),
		c(16, "mixed-case Get", "H2", reject(msg("Get /plaintext HTTP/1.1", host), 400)),
		// Over 8 KiB it is the request line's limit that is met first: 414
		// (H16).
		c(17, "method of 9 KiB", "H16", reject(msg(strings.Repeat("A", 9<<10)+" / HTTP/1.1", host), 400, 414, 501)),

		c(26, "binary garbage", "", reject("\x00\x01\x02\xff\xfe\xfd\x80\x7f\r\n\r\n", 400)),
		c(26, "TLS ClientHello", "", send("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"+strings.Repeat("\x5a", 150)), refuse(400)),
		c(26, "HTTP|2 preface", "H5", send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), refuse(400, 505)),
		c(26, "SSH banner", "", reject("SSH-2.0-OpenSSH_9.9\r\n", 400)),

		c(27, "CONNECT authority", "H15", send(msg("CONNECT weir.example:443 HTTP/1.1", "Host: weir.example:443")), answer(501), settled),
		c(27, "CONNECT does not tunnel", "H15", send(msg("CONNECT weir.example:443 HTTP/1.1", "Host: weir.example:443")+"\x16\x03\x01tunnel\r\n\r\n"),
			either(in{501}, in{501, 400})),
		c(27, "GET of an authority", "H15", reject(msg("GET weir.example:443 HTTP/1.1", host), 400)),
		c(27, "CONNECT of a path", "H15", send(msg("CONNECT /plaintext HTTP/1.1", host)), answerIn(in{400, 501}), settled),
		c(28, "OPTIONS *", "H15", send(msg("OPTIONS * HTTP/1.1", host)), answerIn(in{200, 204}), alive),
		c(29, "GET *", "H15", reject(msg("GET * HTTP/1.1", host), 400)),
		c(29, "POST *", "H15", reject(msg("POST * HTTP/1.1", host, "Content-Length: 0"), 400)),
		c(30, "TRACE does not echo secrets", "", send(msg("TRACE /plaintext HTTP/1.1", host, "Cookie: s3cret", "Authorization: s3cret")),
			answerIn(in{200, 405, 501}, lacks("s3cret")), settled),
	}
	for _, m := range []struct{ name, text string }{
		{"paren", "GE(T"}, {"NUL", "GE\x00T"}, {"0x80", "GE\x80T"}, {"colon", "GET:"}, {"slash", "G/T"}, {"DEL", "GET\x7f"}, {"at", "@GET"}, {"quotes", `"GET"`},
	} {
		cases = append(cases, c(14, "method with "+m.name, "H2", reject(msg(m.text+" /plaintext HTTP/1.1", host), 400)))
	}
	return cases
}

// targetCases are items 18 to 25: the request target.
func targetCases() []Case {
	get := func(target string) string { return msg("GET "+target+" HTTP/1.1", host) }
	cases := []Case{
		c(18, "empty target", "H2", reject(msg("GET  HTTP/1.1", host), 400)),
		c(18, "target without slash", "H15", reject(get("plaintext"), 400)),
		c(20, "fragment", "", reject(get("/plaintext#top"), 400)),
		c(21, "backslash in the path", "", reject(get(`/plain\text`), 400)),
		c(24, "overlong UTF-8 slash", "", reject(get("/\xc0\xaf"), 400)),
		c(24, "overlong UTF-8 dot dot", "", reject(get("/\xc0\xae\xc0\xae/plaintext"), 400)),

		c(25, "target just within the limit", "H16", send(get("/"+strings.Repeat("a", 8000))), answer(404), alive),
		c(25, "target over the limit", "H16", reject(get("/"+strings.Repeat("a", 8<<10)), 414)),
		c(25, "target over the limit in the query", "H16", reject(get("/plaintext?"+strings.Repeat("a", 8<<10)), 414)),
		c(25, "endless target is refused before its end", "H16", send("GET /"+strings.Repeat("a", 9<<10)), refuse(414)),
	}
	for _, b := range []byte{0x00, 0x01, 0x09, 0x0b, 0x1f, ' ', 0x7f, 0x80, 0xa0, 0xff} {
		cases = append(cases, c(19, fmt.Sprintf("byte 0x%02x in the target", b), "H6", reject(get("/plain"+string([]byte{b})+"text"), 400)))
	}
	for _, text := range []string{"%", "%4", "%zz", "%4g", "%%41", "%u0041", "%-1"} {
		cases = append(cases, c(22, "bad escape "+text, "", reject(get("/params/a"+text+"/b"), 400)))
	}
	for _, text := range []string{"%", "%4", "%zz", "q=100%&x=%u0041"} {
		cases = append(cases, c(22, "query is opaque "+text, "H23", send(get("/plaintext?"+text)), answer(200, is(hello)), alive))
	}
	cases = append(cases, c(23, "control escape %00", "", send(get("/params/a%00/b")), answer(400), settled))
	for _, text := range []string{"%0d%0aX-Injected:1", "%0a", "%0D"} {
		cases = append(cases,
			c(23, "control escape "+strings.ReplaceAll(text, ":", ""), "H23",
				send(get("/params/a"+text+"/b")), answer(200, without("X-Injected"), isJSON), alive),
			c(23, "control escape "+strings.ReplaceAll(text, ":", "")+" that a redirect could copy", "H23",
				send(get("/x/../params//a"+text+"/b")), answerTo("GET", anyStatus(), localLocation, without("X-Injected")), settled))
	}
	return cases
}

// keepAlive wants the field without which an HTTP/1.0 client does not reuse the
// connection.
func keepAlive(r *response) error {
	if !r.connection("keep-alive") {
		v, _ := r.value("Connection")
		return fmt.Errorf("got Connection: %q, want keep-alive", v)
	}
	return nil
}

// allows wants Allow in a 405 (RFC 9110 15.5.6).
func allows(r *response) error {
	if r.status != 405 {
		return nil
	}
	return names("Allow", "get")(r)
}
