package http1

// A Class is a set of things that follow from a field's name alone.
type Class uint8

const (
	// Framing fields belong to the connection and not to the message's author:
	// the writer of a head adds them itself, from what it knows. See
	// [IsFraming].
	Framing Class = 1 << iota
	// HopByHop fields are for one connection and not passed on (RFC 9110
	// 7.6.1).
	HopByHop
	// NoTrailer fields mean something only ahead of the body: in a trailer
	// section they are neither sent nor merged (RFC 9110 6.5.1).
	NoTrailer
	// Forwarding fields say which client, host and scheme a request has come
	// from, and are written by intermediaries. Via is not among them: it names
	// what the request has passed.
	Forwarding
	// CrossOrigin fields are a server's part of CORS, Access-Control-*.
	CrossOrigin
)

// classes maps each name, in lower case, to its class. Names that share a
// prefix are in prefixClass.
var classes = newFieldTable(map[Class][]string{
	Framing | HopByHop | NoTrailer: {
		"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
	},
	Framing | NoTrailer: {"content-length", "date"},
	HopByHop | NoTrailer: {
		"close", // reserved as a field name, because it is a connection option
		"http2-settings", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization",
	},
	Forwarding | NoTrailer: {
		"forwarded", "x-real-ip", "x-real-port", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for",
		"x-original-host", "x-original-proto", "x-proxyuser-ip", "x-envoy-external-address", "client-ip", "true-client-ip",
		"cf-connecting-ip", "cf-connecting-ipv6", "cf-pseudo-ipv4", "cf-visitor", "fastly-client-ip", "fly-client-ip",
		"do-connecting-ip", "x-azure-clientip", "x-azure-socketip", "x-appengine-user-ip", "x-vercel-forwarded-for", "wl-proxy-client-ip",
		"proxy-client-ip", "front-end-https", "x-url-scheme",
	},
	NoTrailer: {
		"host", "via", "max-forwards", // routing
		"authorization", "cookie", "set-cookie", "www-authenticate", "authentication-info", "realm", // authentication
		"age", "cache-control", "clear-site-data", "content-security-policy", "expect", "expires", "location", "origin",
		"pragma", "range", "retry-after", "strict-transport-security", "vary", "warning", // control
		"content-disposition", "content-encoding", "content-range", "content-type", // how to read the body
	},
})

// ClassOf returns what follows from the field name, in any case; 0 for most
// names.
func ClassOf[T string | []byte](name T) Class {
	if c := lookUp(classes, name); c != 0 {
		return c
	}
	return prefixClass(name)
}

// prefixClass is the class of names that share a prefix.
func prefixClass[T string | []byte](name T) Class {
	switch {
	case len(name) < len("if-x"):
		return 0
	case lower(name[0]) == 'x' && hasPrefix(name, "x-forwarded-"):
		return Forwarding | NoTrailer
	case lower(name[0]) == 'a' && hasPrefix(name, "access-control-") && !hasPrefix(name, "access-control-request-"):
		return CrossOrigin | NoTrailer
	case lower(name[0]) == 'i' && hasPrefix(name, "if-"):
		return NoTrailer
	}
	return 0
}

func hasPrefix[T string | []byte](name T, prefix string) bool {
	return len(name) > len(prefix) && equalFold(name[:len(prefix)], prefix)
}

// IsFraming reports whether the field with that name, in any case, belongs to
// the connection and not to the message's author: the writer of a head adds
// those itself, from what it knows.
func IsFraming[T string | []byte](name T) bool { return ClassOf(name)&Framing != 0 }
