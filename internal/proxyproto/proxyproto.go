// Package proxyproto reads the header of HAProxy's PROXY protocol, versions 1
// and 2, with which a proxy begins a connection to say whose it is:
// https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"strconv"
)

// MaxSize is the longest header of version 2 that is accepted, 4 KiB: its
// extensions are skipped, and the client's certificate may be among them. Those
// of version 1 have 107 bytes at most.
const (
	MaxSize = 4 << 10
	maxLine = 107
)

var (
	errNone    = errors.New("want a header of the PROXY protocol")
	errLine    = errors.New("malformed header of the PROXY protocol, version 1")
	errHeader  = errors.New("malformed header of the PROXY protocol, version 2")
	errTooLong = errors.New("header of the PROXY protocol is longer than 4 KiB")
	errSum     = errors.New("header of the PROXY protocol has a wrong checksum")
)

// signature begins a header of version 2, line one of version 1.
var (
	signature = []byte("\r\n\r\n\x00\r\nQUIT\n")
	line      = []byte("PROXY ")
)

// Parse reads the header that p begins with, and returns the client's address
// and how long the header is. The zero AddrPort is a connection of the proxy
// itself, or one of whose client it says nothing: the connection's own address
// stands. n is 0 if p has only a part of a header; every part of one that is
// malformed may be an error already.
func Parse(p []byte) (client netip.AddrPort, n int, err error) {
	switch {
	case begins(p, line):
		return parseLine(p)
	case begins(p, signature):
		return parseBinary(p)
	}
	return client, 0, errNone
}

// begins reports whether p, as far as it is here, begins with all of prefix.
func begins(p, prefix []byte) bool {
	n := min(len(p), len(prefix))
	return bytes.Equal(p[:n], prefix[:n])
}

// parseLine reads "PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n".
func parseLine(p []byte) (client netip.AddrPort, n int, err error) {
	end := bytes.IndexByte(p[:min(len(p), maxLine)], '\n')
	if end < 0 {
		if len(p) >= maxLine {
			err = errLine
		}
		return client, 0, err
	}
	text, ok := bytes.CutSuffix(p[:end], []byte{'\r'})
	rest, unknown := bytes.CutPrefix(text, []byte("PROXY UNKNOWN"))
	switch {
	case !ok:
		return client, 0, errLine
	case unknown && (len(rest) == 0 || rest[0] == ' '):
		return client, end + 1, nil
	}
	if client, ok = parseWords(bytes.Split(text, []byte{' '})); !ok {
		return client, 0, errLine
	}
	return client, end + 1, nil
}

func parseWords(words [][]byte) (client netip.AddrPort, ok bool) {
	if len(words) != 6 {
		return client, false
	}
	family := string(words[1])
	from, err1 := netip.ParseAddr(string(words[2]))
	to, err2 := netip.ParseAddr(string(words[3]))
	port, ok1 := parsePort(words[4])
	_, ok2 := parsePort(words[5])
	if err1 != nil || err2 != nil || !ok1 || !ok2 || from.Zone() != "" || to.Zone() != "" {
		return client, false
	}
	if family != "TCP4" && family != "TCP6" || from.Is4() != (family == "TCP4") || to.Is4() != (family == "TCP4") {
		return client, false
	}
	return netip.AddrPortFrom(from.Unmap(), port), true
}

// parsePort reads a decimal number without leading zeros.
func parsePort(s []byte) (uint16, bool) {
	n, err := strconv.ParseUint(string(s), 10, 16)
	return uint16(n), err == nil && s[0] != '+' && (s[0] != '0' || len(s) == 1)
}

// The fixed part of a header of version 2: signature, version and command,
// family and protocol, and the length of what follows.
const fixed = 16

func parseBinary(p []byte) (client netip.AddrPort, n int, err error) {
	command, family := byte(0x20), byte(0)
	if len(p) > 12 {
		command = p[12]
	}
	local := command&0xf == 0 // the proxy's own, to see whether we live: what follows does not matter
	if len(p) > 13 && !local {
		family = p[13]
	}
	if command>>4 != 2 || command&0xf > 1 || family>>4 > 3 || family&0xf > 2 {
		return client, 0, errHeader
	}
	if len(p) < fixed {
		return client, 0, nil
	}
	size := fixed + int(binary.BigEndian.Uint16(p[14:]))
	if size > MaxSize {
		return client, 0, errTooLong
	}
	switch {
	case len(p) < size:
		return client, 0, nil
	case local:
		return client, size, nil
	}
	client, addresses, ok := parseAddresses(p[fixed:size], family)
	if !ok {
		return client, 0, errHeader
	}
	if err := checkExtensions(p[:size], fixed+addresses, family == 0); err != nil {
		return netip.AddrPort{}, 0, err
	}
	return client, size, nil
}

// parseAddresses reads the addresses and returns how long they are. Those of
// other protocols than TCP are skipped.
func parseAddresses(p []byte, family byte) (client netip.AddrPort, n int, ok bool) {
	switch family >> 4 {
	case 1:
		if n = 4 + 4 + 2 + 2; len(p) >= n && family&0xf == 1 {
			client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(p)), binary.BigEndian.Uint16(p[8:]))
		}
	case 2:
		if n = 16 + 16 + 2 + 2; len(p) >= n && family&0xf == 1 {
			client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(p)).Unmap(), binary.BigEndian.Uint16(p[32:]))
		}
	case 3:
		n = 108 + 108
	}
	return client, n, len(p) >= n
}

const checksum = 0x03 // the type of the extension with it

// checkExtensions reads the extensions behind the addresses, each a type, a
// length and a value, and checks the sum if there is one. Where the addresses
// are of no family, what they and the extensions look like is not known.
func checkExtensions(header []byte, from int, opaque bool) error {
	for at := from; at < len(header) && !opaque; {
		if len(header)-at < 3 {
			return errHeader
		}
		kind, value := header[at], at+3
		at = value + int(binary.BigEndian.Uint16(header[at+1:]))
		if at > len(header) || kind == checksum && at-value != 4 {
			return errHeader
		}
		if kind == checksum && binary.BigEndian.Uint32(header[value:]) != sum(header, value) {
			return errSum
		}
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the checksum of a header in which the four bytes at that place, its own,
// count as zero.
func sum(header []byte, at int) uint32 {
	s := crc32.Update(0, castagnoli, header[:at])
	s = crc32.Update(s, castagnoli, make([]byte, 4))
	return crc32.Update(s, castagnoli, header[at+4:])
}
