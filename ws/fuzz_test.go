package ws

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"unicode/utf8"
)

// FuzzDecoder shows a peer's bytes to the decoder, whole and cut in two ways, and
// holds what it finds against an oracle: a decoder that is shown all at once,
// and written as RFC 6455 5 reads.
func FuzzDecoder(f *testing.F) {
	mask := [4]byte{1, 2, 3, 4}
	for _, in := range [][]byte{
		{},
		appendMasked(nil, finBit|1, []byte("héllo"), mask),
		append(appendMasked(nil, 1, []byte("a\xe2"), mask), appendMasked(nil, finBit, []byte("\x82\xac"), mask)...),
		append(appendMasked(nil, 2, []byte("a"), mask), appendMasked(nil, finBit|9, []byte("ping"), mask)...),
		appendMasked(nil, finBit|rsv1Bit|1, []byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), mask),
		appendMasked(nil, finBit|8, []byte("\x03\xe8bye"), mask),
		appendMasked(nil, finBit|2, make([]byte, 300), mask),
		{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1},
		{0x82, 0xfe, 0, 1, 1, 2, 3, 4, 5},
		appendFrame(finBit|1, []byte("from a server")),
	} {
		f.Add(in, uint8(3), true, true)
		f.Add(in, uint8(1), false, false)
	}
	f.Fuzz(func(t *testing.T, in []byte, step uint8, masked, deflate bool) {
		d := decoder{masked: masked, deflate: deflate, limit: 400}
		want := oracle(in, d.masked, d.deflate, int(d.limit))
		for _, n := range []int{len(in) + 1, int(step)%16 + 1, 1} {
			d := d
			if got := decodeAll(&d, in, n); got != want {
				t.Fatalf("in pieces of %d: got\n%swant\n%s", n, got, want)
			}
		}
	})
}

// decodeAll shows in to a decoder, in pieces, and writes down what that finds.
func decodeAll(d *decoder, in []byte, piece int) string {
	var out bytes.Buffer
	var rest []byte
	for len(in) > 0 {
		k := min(piece, len(in))
		rest = append(rest, in[:k]...)
		in = in[k:]
		for len(rest) > 0 {
			n, ev, body, err := d.next(rest)
			if err != nil {
				fmt.Fprintf(&out, "error %d\n", CodeOf(err))
				return out.String()
			}
			switch ev {
			case message:
				kind, deflated := d.kind, d.deflated
				body = d.hand(body)
				if !deflated {
					fmt.Fprintf(&out, "%s %x\n", kind, body)
					break
				}
				f := newInflater(body, kind, d.limit)
				for {
					done, err := f.step(50)
					if err != nil {
						fmt.Fprintf(&out, "error %d\n", CodeOf(err))
						return out.String()
					}
					if done {
						fmt.Fprintf(&out, "%s %x\n", kind, f.hand())
						break
					}
				}
			case ping, pong:
				fmt.Fprintf(&out, "control %d %x\n", ev, body)
			case closing:
				e, err := parseClose(body)
				if err != nil {
					fmt.Fprintf(&out, "error %d\n", CodeOf(err))
				} else {
					fmt.Fprintf(&out, "close %d %q\n", e.Code, e.Reason)
				}
				return out.String()
			}
			if n == 0 {
				break
			}
			rest = rest[n:]
		}
	}
	return out.String()
}

// oracle is what a peer's bytes are, by the book.
func oracle(in []byte, masked, deflate bool, limit int) string {
	var (
		out        bytes.Buffer
		msg        []byte
		op         byte
		compressed bool
	)
	for len(in) > 0 {
		b0 := in[0]
		code := b0 & 0xf
		control := code >= 8
		switch {
		case b0&0x30 != 0, code > 2 && code < 8, code > 10, control && b0&0xc0 != 0x80,
			b0&0x40 != 0 && (!deflate || code == 0), code == 0 && op == 0, !control && code != 0 && op != 0:
			return out.String() + "error 1002\n"
		}
		if len(in) < 2 {
			break
		}
		length, at := uint64(in[1]&0x7f), 2
		if (in[1]&0x80 != 0) != masked || control && length > 125 {
			return out.String() + "error 1002\n"
		}
		switch length {
		case 126:
			if at = 4; len(in) < at {
				return out.String()
			}
			if length = uint64(binary.BigEndian.Uint16(in[2:])); length < 126 {
				return out.String() + "error 1002\n"
			}
		case 127:
			if len(in) > 2 && in[2] > 127 {
				return out.String() + "error 1002\n"
			}
			if at = 10; len(in) < at {
				return out.String()
			}
			if length = binary.BigEndian.Uint64(in[2:]); length < 65536 {
				return out.String() + "error 1002\n"
			}
		}
		if !control && length > uint64(limit-len(msg)) {
			return out.String() + "error 1009\n"
		}
		var key [4]byte
		if masked {
			if len(in) < at+4 {
				return out.String()
			}
			at += copy(key[:], in[at:])
		}
		here := min(uint64(len(in)-at), length)
		body := bytes.Clone(in[at : at+int(here)])
		for i := range body {
			body[i] ^= key[i%4]
		}
		if control {
			if here < length {
				return out.String()
			}
			in = in[at+int(length):]
			switch {
			case code == 9:
				fmt.Fprintf(&out, "control %d %x\n", ping, body)
				continue
			case code == 10:
				fmt.Fprintf(&out, "control %d %x\n", pong, body)
				continue
			case length == 0:
				return out.String() + "close 1005 \"\"\n"
			case length == 1:
				return out.String() + "error 1002\n"
			}
			c := binary.BigEndian.Uint16(body)
			if c < 1000 || c == 1004 || c == 1005 || c == 1006 || c > 1014 && c < 3000 || c > 4999 {
				return out.String() + "error 1002\n"
			}
			if !utf8.Valid(body[2:]) {
				return out.String() + "error 1007\n"
			}
			return out.String() + fmt.Sprintf("close %d %q\n", c, body[2:])
		}
		if code != 0 {
			op, compressed = code, b0&0x40 != 0
		}
		msg = append(msg, body...)
		whole := b0&0x80 != 0 && here == length
		if op == 1 && !compressed && (whole && !utf8.Valid(msg) || !begins(msg)) {
			return out.String() + "error 1007\n"
		}
		if here < length {
			return out.String()
		}
		in = in[at+int(length):]
		if !whole {
			continue
		}
		if compressed {
			plain, code := inflateAll(msg, limit)
			if code == 0 && op == 1 && !utf8.Valid(plain) {
				code = 1007
			}
			if op == 1 && !begins(plain[:min(len(plain), limit)]) {
				code = 1007 // perhaps before it is found too big
			}
			if code != 0 {
				return out.String() + fmt.Sprintf("error %d\n", code)
			}
			msg = plain
		}
		fmt.Fprintf(&out, "%s %x\n", Kind(op), msg)
		op, msg = 0, nil
	}
	return out.String()
}

// begins reports whether p is the beginning of a text.
func begins(p []byte) bool {
	for len(p) > 0 {
		r, size := utf8.DecodeRune(p)
		if r == utf8.RuneError && size == 1 {
			return !utf8.FullRune(p)
		}
		p = p[size:]
	}
	return true
}

// inflateAll inflates with the standard library.
func inflateAll(msg []byte, limit int) (plain []byte, code int) {
	in := bytes.NewReader(append(bytes.Clone(msg), deflateTail...))
	var window []byte
	for range finalBlocks + 1 {
		b, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(in, window), int64(limit+1-len(plain))))
		plain = append(plain, b...)
		switch {
		case len(plain) > limit:
			return plain, 1009
		case err != nil:
			return plain, 1007
		case in.Len() == 0, in.Len() == len(deflateTail):
			return plain, 0
		}
		window = plain[max(0, len(plain)-1<<15):]
	}
	return plain, 1007
}

// FuzzDeflate: what is compressed for a window is what it was, whoever inflates
// it, and its pieces, none of which is larger than the window, stand alone.
func FuzzDeflate(f *testing.F) {
	f.Add([]byte("hello hello hello hello"), uint8(15))
	f.Add(bytes.Repeat([]byte("0123456789abcdef"), 100), uint8(8))
	f.Add([]byte{}, uint8(9))
	f.Fuzz(func(t *testing.T, p []byte, bits uint8) {
		window := minWindow + int(bits)%(maxWindow-minWindow+1)
		small := appendDeflated([]byte("before"), p, window)
		if !bytes.HasPrefix(small, []byte("before")) {
			t.Fatal("what was there before is not")
		}
		small = small[len("before"):]
		if window < maxWindow {
			var pieces []byte
			for piece := range slices.Chunk(p, 1<<window) {
				pieces = append(appendDeflated(pieces, piece, maxWindow), syncTail...)
			}
			if len(p) > 0 && !bytes.Equal(append(small[:len(small):len(small)], syncTail...), pieces) {
				t.Fatalf("window %d: got %x, want the pieces %x", window, small, pieces)
			}
		}
		if plain, code := inflateAll(small, len(p)); code != 0 || !bytes.Equal(plain, p) {
			t.Fatalf("window %d: got %d and %q, want %q", window, code, plain, p)
		}
		g := newInflater(bytes.Clone(small), Binary, int64(len(p)))
		for {
			done, err := g.step(100)
			if err != nil {
				t.Fatal(err)
			}
			if done {
				break
			}
		}
		if got := g.hand(); !bytes.Equal(got, p) {
			t.Fatalf("got %q, want %q", got, p)
		}
	})
}

// FuzzExtensions: whatever a client offers, the response is one of ours, and can
// be a field's value.
func FuzzExtensions(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits, x")
	f.Add(`permessage-deflate; server_max_window_bits="10"`)
	f.Add(`a; b="\"c"`)
	f.Fuzz(func(t *testing.T, line string) {
		list, err := parseExtensions([]string{line})
		if err != nil {
			if !errors.Is(err, errExtensions) || list != nil {
				t.Errorf("got %v, %v", list, err)
			}
			return
		}
		terms, response := acceptDeflate(list)
		if terms.on != (response != "") || terms.on && (terms.window < minWindow || terms.window > maxWindow) {
			t.Errorf("got %+v and %q", terms, response)
		}
	})
}
