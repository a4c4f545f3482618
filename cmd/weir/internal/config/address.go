package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode"
)

// Endpoint is where an upstream is.
type Endpoint struct {
	TLS       bool
	Network   string // "tcp" or "unix"
	Address   string // "host:port", the port always there, or the path of a unix socket
	Authority string // for the Host field: the host, and the port unless it is the scheme's own
	Hostname  string // the host alone, to be looked up and to be in the certificate; no brackets
}

// longestSocket is how long the path of a unix socket may be (unix(7)).
const longestSocket = 107

// ParseEndpoint takes an upstream's URL apart: "http://host:port",
// "https://host" or "unix:/path". The error does not repeat the URL, which may
// have a secret where none belongs.
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
		return Endpoint{}, errors.New("no scheme: write http:// or https:// before it")
	case !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https"):
		return Endpoint{}, errors.New("want http://host:port, https://host or unix:/path")
	case strings.Contains(rest, "@"):
		return Endpoint{}, errors.New("must not have a user or password; use key_env or headers")
	case strings.ContainsAny(rest, "?#"):
		return Endpoint{}, errors.New("must not have a query or fragment")
	case err != nil:
		return Endpoint{}, errors.New("is not a valid URL")
	case u.Path != "" && u.Path != "/":
		return Endpoint{}, fmt.Errorf("the path %s is not used: each request keeps its own, so end the URL after the host", u.EscapedPath())
	}
	return endpoint(u)
}

func endpoint(u *url.URL) (Endpoint, error) {
	e := Endpoint{TLS: u.Scheme == "https", Network: "tcp", Hostname: strings.ToLower(u.Hostname())}
	standard := "80"
	if e.TLS {
		standard = "443"
	}
	port := u.Port()
	switch {
	case e.Hostname == "":
		return Endpoint{}, errors.New("the host is missing")
	case !isHost(e.Hostname) || strings.Contains(e.Hostname, "%"):
		return Endpoint{}, fmt.Errorf("%q is neither a host name nor an address", e.Hostname)
	case port == "" && strings.HasSuffix(u.Host, ":"):
		return Endpoint{}, errors.New("the port is missing after the colon")
	case port == "":
		port = standard
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return Endpoint{}, fmt.Errorf("want a port from 1 to 65535, got %s", port)
	}
	port = strings.TrimLeft(port, "0")
	e.Address = net.JoinHostPort(e.Hostname, port)
	e.Authority = e.Address
	if port == standard {
		e.Authority = strings.TrimSuffix(e.Address, ":"+port)
	}
	return e, nil
}

// listen is an address to listen on.
type listen struct {
	local bool   // only this machine reaches it
	key   string // equal for equal addresses; "" for one that is free each time
}

// parseListen reads "host:port", ":port" or "unix:/path?mode=0660", as the
// reactor does.
func parseListen(addr string) (listen, error) {
	if spec, ok := strings.CutPrefix(addr, "unix:"); ok {
		socket, query, _ := strings.Cut(spec, "?")
		if err := checkSocket(socket); err != nil {
			return listen{}, err
		}
		return listen{local: true, key: "unix:" + path.Clean(socket)}, checkMode(query)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return listen{}, fmt.Errorf("want host:port, :port or unix:/path, got %q", addr)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		return listen{}, fmt.Errorf("want a port from 0 to 65535, got %q", port)
	case host != "" && !isHost(host):
		return listen{}, fmt.Errorf("%q is neither a host name nor an address", host)
	}
	l := listen{local: isLoopback(host)}
	if n != 0 {
		l.key = net.JoinHostPort(host, strconv.FormatUint(n, 10))
	}
	return l, nil
}

func checkSocket(socket string) error {
	switch {
	case socket == "":
		return errors.New("the path of the unix socket is missing: unix:/run/weir.sock")
	case strings.HasPrefix(socket, "//"):
		return errors.New("a unix socket has one slash: unix:/run/weir.sock")
	case len(socket) > longestSocket:
		return fmt.Errorf("the path of a unix socket may have %d bytes at most, this one has %d", longestSocket, len(socket))
	case !isPrintable(socket):
		return errors.New("the path of the unix socket has a control character")
	}
	return nil
}

func checkMode(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("want ?mode=0660 behind a unix socket, or nothing")
	}
	for name, value := range values {
		if name != "mode" {
			return fmt.Errorf("unknown parameter %q of a unix socket; there is mode", name)
		}
		if m, err := strconv.ParseUint(value[0], 8, 32); err != nil || m == 0 || m > 0o777 {
			return fmt.Errorf("mode %q: want an octal file mode such as 0660", value[0])
		}
	}
	return nil
}

// isHost reports whether s is an IP address or could be a host name.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	for _, label := range strings.Split(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInHost) {
			return false
		}
	}
	return len(s) <= 253
}

func notInHost(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// isPath reports whether s can stand in a request line as it is.
func isPath(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return strings.HasPrefix(s, "/")
}

func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) })
}

// checkName checks one of hosts.
func checkName(name string) error {
	bare := strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	switch _, err := netip.ParseAddr(bare); {
	case name == "*", err == nil && !strings.Contains(bare, "%") && (bare == name || strings.Contains(bare, ":")):
		return nil
	case strings.Contains(name, ":"):
		return fmt.Errorf("want a name without scheme and port, such as gw.example, got %q", name)
	case !isHost(name):
		return fmt.Errorf("want *, a name such as gw.example, or an address, got %q", name)
	}
	return nil
}

// checkOrigin checks one of cors.origins.
func checkOrigin(origin string) error {
	if origin == "*" {
		return nil
	}
	u, err := url.Parse(origin)
	switch {
	case err != nil || u.Scheme == "" || u.Scheme+"://"+u.Host != origin,
		(u.Scheme == "http" || u.Scheme == "https") && !isHost(u.Hostname()):
		return fmt.Errorf("want * or an origin such as https://app.example, got %q", origin)
	}
	return nil
}
