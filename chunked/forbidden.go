package chunked

// longestForbidden is the length of the longest name in the switch of forbidden.
const longestForbidden = len("access-control-allow-credentials")

// forbidden reports whether a field of this name means something only ahead of the body, so that a trailer
// field of that name must be neither sent nor merged (RFC 9110 section 6.5.1). Letter case does not matter.
func forbidden[T string | []byte](name T) bool {
	if len(name) > longestForbidden {
		return false
	}
	var buf [longestForbidden]byte
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	lower := buf[:len(name)]
	switch string(lower) {
	case "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer",
		"transfer-encoding", "upgrade", "http2-settings": // framing and the connection
		return true
	case "forwarded", "host", "via", "x-real-ip": // routing
		return true
	case "authorization", "cookie", "proxy-authenticate", "proxy-authorization", "set-cookie",
		"www-authenticate", "authentication-info", "proxy-authentication-info": // authentication
		return true
	case "age", "cache-control", "date", "expect", "expires", "location", "max-forwards", "pragma",
		"range", "realm", "retry-after", "vary", "warning", "origin", "clear-site-data",
		"strict-transport-security", "content-security-policy",
		"access-control-allow-credentials", "access-control-allow-origin": // control
		return true
	case "content-encoding", "content-range", "content-type", "content-disposition": // how to read the body
		return true
	}
	return hasPrefix(lower, "if-") || hasPrefix(lower, "x-forwarded-")
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}
