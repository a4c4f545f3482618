package guard

import (
	"bytes"
	"net/netip"
)

// applications are the schemes of pages that come only with a program installed
// here.
var applications = [...]string{"app", "file", "tauri", "vscode-webview", "vscode-file"}

// isLocal reports whether an origin is this machine's: a page that one of its
// servers has sent, or a desktop application. "null" is not: it may be any
// page's.
func isLocal(origin []byte) bool {
	scheme, rest, ok := bytes.Cut(origin, []byte("://"))
	if !ok {
		return false
	}
	switch string(scheme) {
	case "http", "https":
		name, ok := hostname(rest)
		return ok && isLoopback(name)
	}
	for _, a := range applications {
		if string(scheme) == a {
			return true
		}
	}
	return false
}

// isHost reports whether an origin is the host that a request is for. The
// scheme is not looked at: TLS may have ended at a proxy before us.
func isHost(origin, host []byte) bool {
	scheme, rest, ok := bytes.Cut(origin, []byte("://"))
	if !ok {
		return false
	}
	switch string(scheme) { // browsers omit the scheme's own port
	case "http":
		host = bytes.TrimSuffix(host, []byte(":80"))
	case "https":
		host = bytes.TrimSuffix(host, []byte(":443"))
	default:
		return false
	}
	return len(rest) > 0 && bytes.EqualFold(rest, host)
}

// hostname is a host without its port, the brackets of an IPv6 address and the
// dot of an absolute name. It reports false if h is not a host.
func hostname(host []byte) (name []byte, ok bool) {
	if len(host) > 0 && host[0] == '[' {
		end := bytes.IndexByte(host, ']')
		return host[1:max(end, 1)], end > 0 && isPort(host[end+1:])
	}
	end := bytes.IndexByte(host, ':')
	if end < 0 {
		end = len(host)
	}
	name = bytes.TrimSuffix(host[:end], []byte("."))
	return name, len(name) > 0 && isPort(host[end:])
}

// isPort reports whether s is nothing, or a colon and digits.
func isPort(s []byte) bool {
	for i, c := range s {
		if i == 0 && c != ':' || i > 0 && c-'0' > 9 {
			return false
		}
	}
	return true
}

// isLoopback reports whether a name cannot mean another machine: localhost and
// what is below it (RFC 6761 6.3), 127.0.0.0/8 and ::1.
func isLoopback(name []byte) bool {
	const localhost = "localhost"
	if from := len(name) - len(localhost); from >= 0 && bytes.EqualFold(name[from:], []byte(localhost)) {
		return from == 0 || name[from-1] == '.' && from > 1
	}
	if len(name) == 0 || name[0] != '1' && bytes.IndexByte(name, ':') < 0 {
		return false // most names end here, without an allocation
	}
	if string(name) == "127.0.0.1" || string(name) == "::1" {
		return true
	}
	addr, err := netip.ParseAddr(string(name))
	return err == nil && addr.Zone() == "" && addr.Unmap().IsLoopback()
}

func isAddress(name []byte) bool {
	addr, err := netip.ParseAddr(string(name))
	return err == nil && addr.Zone() == ""
}
