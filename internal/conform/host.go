package conform

// hostCases are items 31 to 41: Host and the target's form.
func hostCases() []Case {
	cases := []Case{
		c(31, "HTTP|1.1 without Host", "H13", reject(msg(getLine), 400)),
		c(31, "HTTP|1.1 without Host, absolute-form", "H13", reject(msg("GET http://weir.example/plaintext HTTP/1.1"), 400)),
		c(32, "two equal Hosts", "H13", reject(msg(getLine, host, host), 400)),
		c(32, "two Hosts", "H13", reject(msg(getLine, host, "HOST: other.example"), 400)),
		c(35, "empty Host", "H13", reject(msg(getLine, "Host:"), 400)),
		c(35, "blank Host", "H13", reject(msg(getLine, "Host: \t "), 400)),
		c(36, "HTTP|1.0 without Host", "H4", send(msg("GET /plaintext HTTP/1.0")), answer(200, is(hello)), closed),

		c(37, "absolute-form", "H14", serve(msg("GET http://weir.example/plaintext HTTP/1.1", host), hello)),
		c(37, "absolute-form with port", "H14", serve(msg("GET http://weir.example:8080/plaintext HTTP/1.1", "Host: weir.example:8080"), hello)),
		c(37, "absolute-form with scheme in capitals", "H14", serve(msg("GET HTTP://weir.example/plaintext HTTP/1.1", host), hello)),
		c(38, "absolute-form that differs from Host", "H14", serve(msg("GET http://other.example/plaintext HTTP/1.1", host), hello)),
		c(39, "userinfo in absolute-form", "", reject(msg("GET http://user:pw@weir.example/plaintext HTTP/1.1", host), 400)),
		c(39, "empty authority in absolute-form", "", reject(msg("GET http:///plaintext HTTP/1.1", host), 400)),
		c(41, "IPv6 Host", "H13", serve(msg(getLine, "Host: [::1]:80"), hello)),
		c(41, "IPv6 Host without port", "H13", serve(msg(getLine, "Host: [::1]"), hello)),
		c(41, "IPv4 Host", "H13", serve(msg(getLine, "Host: 127.0.0.1:8080"), hello)),
		c(41, "Host with empty port", "H13", serve(msg(getLine, "Host: weir.example:"), hello)),
	}
	for _, h := range []struct {
		item        int
		name, value string
	}{
		{33, "list", "a, b"},
		{34, "slash", "a/b"}, {34, "userinfo", "a@b"}, {34, "space", "a b"}, {34, "NUL", "a\x00b"}, {34, "query", "a?b"}, {34, "fragment", "a#b"},
		{34, "backslash", `a\b`}, {34, "0x80", "a\x80b"}, {34, "scheme", "http://a"}, {34, "angle", "<a>"},
		{40, "port 99999", "a:99999"}, {40, "port -1", "a:-1"}, {40, "port +1", "a:+1"}, {40, "port word", "a:http"}, {40, "two ports", "a:80:80"},
		{41, "open bracket", "[::1"}, {41, "text after the bracket", "[::1]a"}, {41, "bracket without address", "[]"}, {41, "IPv6 without brackets", "::1"},
	} {
		cases = append(cases, c(h.item, "Host with "+h.name, "H13", reject(msg(getLine, "Host: "+h.value), 400)))
	}
	return cases
}
