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

	"weir/client"
	"weir/middleware"
	"weir/reactor"
)

// listen is an address to listen on.
type listen struct {
	local bool   // only this machine reaches it
	key   string // equal for equal addresses; "" for one that is free each time
}

// parseListen reads "host:port", ":port" or "unix:/path?mode=0660", as the
// reactor does, with the parameters of the PROXY protocol.
func parseListen(addr string) (listen, error) {
	addr, err := reactor.TrimProxy(addr)
	if err != nil {
		return listen{}, err
	}
	if spec, ok := strings.CutPrefix(addr, "unix:"); ok {
		socket, query, _ := strings.Cut(spec, "?")
		if _, err := client.ParseEndpoint("unix:" + socket); err != nil {
			return listen{}, unprefixed(err)
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
	case host != "" && !client.IsHost(host):
		return listen{}, fmt.Errorf("%q is neither a host name nor an address", host)
	}
	l := listen{local: isLoopback(host)}
	if n != 0 {
		l.key = net.JoinHostPort(host, strconv.FormatUint(n, 10))
	}
	return l, nil
}

// unprefixed is an error of client.ParseEndpoint without the name of the
// package.
func unprefixed(err error) error {
	if bad := (*client.EndpointError)(nil); errors.As(err, &bad) {
		return errors.New(bad.Reason)
	}
	return err
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
	case !client.IsHost(name):
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
		(u.Scheme == "http" || u.Scheme == "https") && !client.IsHost(u.Hostname()):
		return fmt.Errorf("want * or an origin such as https://app.example, got %q", origin)
	}
	return middleware.CheckOrigin(origin)
}
