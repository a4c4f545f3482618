package http1

import "bytes"

// validHost reports whether b is a non-empty host with an optional port (RFC
// 9110 7.2).
//
// A name is an RFC 3986 reg-name without two of its octets: a comma, which is
// what two merged Host fields look like, and a percent sign, which would have
// to be decoded before two names can be compared. Neither is in any name of the
// DNS.
func validHost(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		return end > 0 && validIPv6(b[1:end]) && validPort(b[end+1:])
	}
	i := 0
	for i < len(b) && octets[b[i]]&hostC != 0 {
		i++
	}
	return i > 0 && validPort(b[i:])
}

// validAuthority reports whether b is a host with a port, as CONNECT needs it
// (RFC 9112 3.2.3).
func validAuthority(b []byte) bool {
	return validHost(b) && isDigit(b[len(b)-1]) && bytes.LastIndexByte(b, ':') > bytes.LastIndexByte(b, ']')
}

// validPort reports whether b is empty or a colon and a port of 0 to 65535. The
// digits may be missing (RFC 3986 3.2.3).
func validPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] != ':' || len(b) > len(":65535") {
		return false
	}
	n := 0
	for _, c := range b[1:] {
		if !isDigit(c) {
			return false
		}
		n = 10*n + int(c-'0')
	}
	return n <= 65535
}

// validIPv6 reports whether b is an IPv6 address (RFC 3986 3.2.2): eight groups
// of one to four hex digits, of which one "::" may stand for some, and the last
// two may be an IPv4 address. Zones are not part of an address on the wire.
func validIPv6(b []byte) bool {
	groups, gap := 0, false
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, b = true, b[2:]
	}
	for len(b) > 0 {
		n := 0
		for n < len(b) && octets[b[n]]&hexDigit != 0 {
			n++
		}
		if n < len(b) && b[n] == '.' {
			return validIPv4(b) && fits(groups+2, gap)
		}
		if n == 0 || n > 4 {
			return false
		}
		groups++
		b = b[n:]
		if len(b) == 0 {
			break
		}
		// After a group: a colon and another group, or a first "::".
		switch {
		case b[0] != ':' || len(b) == 1:
			return false
		case b[1] == ':':
			if gap {
				return false
			}
			gap, b = true, b[2:]
		default:
			b = b[1:]
		}
	}
	return fits(groups, gap)
}

// fits reports whether an IPv6 address may have that many groups, with or
// without a "::".
func fits(groups int, gap bool) bool {
	if gap {
		return groups < 8
	}
	return groups == 8
}

// validIPv4 reports whether b is four decimal numbers of 0 to 255 without
// leading zeros.
func validIPv4(b []byte) bool {
	for part := 0; ; part++ {
		n, i := 0, 0
		for i < len(b) && i < 3 && isDigit(b[i]) {
			n = 10*n + int(b[i]-'0')
			i++
		}
		if i == 0 || n > 255 || i > 1 && b[0] == '0' {
			return false
		}
		if part == 3 || i == len(b) || b[i] != '.' {
			return part == 3 && i == len(b)
		}
		b = b[i+1:]
	}
}
