// Package peers is lists of peers whose word is taken, as operators write them:
// of proxies that name their clients.
package peers

import (
	"fmt"
	"net/netip"
	"strings"
)

// A Set is a list of peers. The zero value has none. It is safe for concurrent
// use.
type Set struct {
	prefixes []netip.Prefix
	unix     bool
}

// named are the words for several prefixes.
var named = map[string][]string{
	"loopback": {"127.0.0.0/8", "::1/128"},
	"private":  {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"},
	"*":        {"0.0.0.0/0", "::/0"},
}

// Parse reads a list: addresses, prefixes such as 10.0.0.0/8, and the words
// loopback, private (RFC 1918 and RFC 4193), unix (whoever can open a unix
// socket) and * (everybody).
func Parse(list ...string) (Set, error) {
	var s Set
	for _, text := range list {
		if err := s.add(text); err != nil {
			return Set{}, err
		}
	}
	return s, nil
}

func (s *Set) add(text string) error {
	if text == "unix" || text == "*" {
		s.unix = true
	}
	if text == "unix" {
		return nil
	}
	if texts, ok := named[text]; ok {
		for _, t := range texts {
			s.prefixes = append(s.prefixes, netip.MustParsePrefix(t))
		}
		return nil
	}
	p, err := parsePrefix(text)
	if err != nil {
		return fmt.Errorf("%q is not an address, a prefix such as 10.0.0.0/8, or one of loopback, private, unix and *", text)
	}
	s.prefixes = append(s.prefixes, p)
	return nil
}

// parsePrefix reads a prefix or an address. What is written as an IPv4 address
// in IPv6 is one of IPv4, as addresses of clients are.
func parsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, err
		}
		return addr.Unmap().WithZone("").Prefix(addr.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(text)
	if err == nil && p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%s is neither of IPv4 nor of IPv6", text)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, err
}

// Has reports whether the set has the address. The zero Addr is a peer on a
// unix socket.
func (s Set) Has(addr netip.Addr) bool {
	if !addr.IsValid() {
		return s.unix
	}
	addr = addr.Unmap().WithZone("")
	for _, p := range s.prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// Empty reports whether the set has nobody.
func (s Set) Empty() bool { return len(s.prefixes) == 0 && !s.unix }
