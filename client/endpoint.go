package client

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// An Endpoint is the address of an [Origin]: a URL parsed by [ParseEndpoint].
// Two are equal if they lead to the same place under the same name.
type Endpoint struct {
	TLS       bool   // https
	Network   string // "tcp" or "unix"
	Address   string // "host:port", always with the port, or the path of a unix socket
	Authority string // for the Host field: the host, and the port unless it is the scheme's own; "localhost" for a unix socket
	Hostname  string // the host alone, without brackets: to be looked up, and to be in the certificate
	Path      string // what the path of each request is below: "" or "/openai", without a slash at the end
}

// EndpointError is the error of [ParseEndpoint]. It does not quote the URL,
// which may hold a secret where none belongs.
type EndpointError struct{ Reason string }

func (e *EndpointError) Error() string { return "client: endpoint: " + e.Reason }

func badEndpoint(format string, args ...any) error {
	return &EndpointError{fmt.Sprintf(format, args...)}
}

// longestSocket is how long the path of a unix socket may be (unix(7)).
const longestSocket = 107

// ParseEndpoint parses a URL: "http://host:port", "https://host/base" or
// "unix:/path". It is strict: what has no meaning, or two, is an
// *[EndpointError].
func ParseEndpoint(text string) (Endpoint, error) {
	if socket, ok := strings.CutPrefix(text, "unix:"); ok {
		if err := checkSocket(socket); err != nil {
			return Endpoint{}, err
		}
		return Endpoint{Network: "unix", Address: socket, Authority: "localhost", Hostname: "localhost"}, nil
	}
	u, err := url.Parse(text)
	scheme, rest, ok := strings.Cut(text, "://")
	switch {
	case !ok && !strings.ContainsAny(text, "/@?#"):
		return Endpoint{}, badEndpoint("no scheme: write http:// or https:// before it")
	case !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https"):
		return Endpoint{}, badEndpoint("want http://host:port, https://host or unix:/path")
	case strings.Contains(rest, "@"):
		return Endpoint{}, badEndpoint("must not have a user or password; send them in a header field")
	case strings.ContainsAny(rest, "?#"):
		return Endpoint{}, badEndpoint("must not have a query or fragment")
	case err != nil:
		return Endpoint{}, badEndpoint("is not a valid URL")
	}
	_, path, _ := strings.Cut(rest, "/")
	return endpointOf(u, "/"+path)
}

func endpointOf(u *url.URL, path string) (Endpoint, error) {
	e := Endpoint{TLS: u.Scheme == "https", Network: "tcp", Hostname: strings.ToLower(u.Hostname())}
	standard := "80"
	if e.TLS {
		standard = "443"
	}
	port := u.Port()
	switch {
	case e.Hostname == "":
		return Endpoint{}, badEndpoint("the host is missing")
	case !IsHost(e.Hostname) || strings.Contains(e.Hostname, "%"):
		return Endpoint{}, badEndpoint("%q is neither a host name nor an address", e.Hostname)
	case port == "" && strings.HasSuffix(u.Host, ":"):
		return Endpoint{}, badEndpoint("the port is missing after the colon")
	case port == "":
		port = standard
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return Endpoint{}, badEndpoint("want a port from 1 to 65535, got %s", port)
	}
	port = strings.TrimLeft(port, "0")
	e.Address = net.JoinHostPort(e.Hostname, port)
	e.Authority = e.Address
	if port == standard {
		e.Authority = strings.TrimSuffix(e.Address, ":"+port)
	}
	var err error
	if e.Path, err = basePath(path); err != nil {
		return Endpoint{}, err
	}
	return e, nil
}

// basePath checks the path of a URL and returns it without a slash at its end.
// It is put before the path of each request as it is.
func basePath(path string) (string, error) {
	path = strings.TrimSuffix(path, "/")
	switch {
	case path == "":
		return "", nil
	case strings.ContainsFunc(path, notInPath):
		return "", badEndpoint("the path has a character that must be percent-encoded")
	}
	for part := range strings.SplitSeq(path[1:], "/") {
		if decoded, err := url.PathUnescape(part); err != nil || part == "" || decoded == "." || decoded == ".." {
			return "", badEndpoint("the path has an empty part, or one of dots")
		}
	}
	return path, nil
}

// notInPath reports whether r is not allowed in a path (RFC 3986 3.3).
func notInPath(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}[]", r)
}

// String returns the URL in its shortest form. ParseEndpoint makes an equal
// Endpoint of it.
func (e Endpoint) String() string {
	switch {
	case e.Network == "unix":
		return "unix:" + e.Address
	case e.TLS:
		return "https://" + e.Authority + e.Path
	}
	return "http://" + e.Authority + e.Path
}

// dialed returns the address as reactor.Loop.Dial takes it, if nothing has to be
// looked up for it.
func (e Endpoint) dialed() (addr string, ok bool) {
	if e.Network == "unix" {
		return "unix:" + e.Address, true
	}
	_, err := netip.ParseAddr(e.Hostname)
	return e.Address, err == nil
}

func checkSocket(socket string) error {
	switch {
	case socket == "":
		return badEndpoint("the path of the unix socket is missing: unix:/run/weir.sock")
	case strings.HasPrefix(socket, "//"):
		return badEndpoint("a unix socket has one slash: unix:/run/weir.sock")
	case len(socket) > longestSocket:
		return badEndpoint("the path of a unix socket may have %d bytes at most, this one has %d", longestSocket, len(socket))
	case strings.ContainsFunc(socket, notPrintable):
		return badEndpoint("the path of the unix socket has a control character")
	}
	return nil
}

func notPrintable(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }

// IsHost reports whether s is an IP address, without brackets, or could be a
// host name.
func IsHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInHost) {
			return false
		}
	}
	return len(s) <= 253
}

func notInHost(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}
