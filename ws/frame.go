package ws

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// The first byte of a frame (RFC 6455 5.2).
const (
	finBit  = 0x80
	rsv1Bit = 0x40 // of the first frame of a message that is compressed (RFC 7692 6)
	rsvBits = 0x30

	maskBit    = 0x80 // of the second byte
	maxControl = ws.MaxControlFramePayloadSize
	maxHead    = ws.MaxHeaderSize
)

// Kind is what a message is.
type Kind uint8

const (
	Text   = Kind(ws.OpText) // UTF-8
	Binary = Kind(ws.OpBinary)
)

func (k Kind) valid() bool { return k == Text || k == Binary }

// String returns "text" or "binary".
func (k Kind) String() string {
	if k == Text {
		return "text"
	}
	return "binary"
}

// appendHead appends the head of a frame with n bytes of payload, without a
// mask.
func appendHead(dst []byte, first byte, n int) []byte { return appendHeadMasked(dst, first, n, 0) }

func appendHeadMasked(dst []byte, first byte, n int, masked byte) []byte {
	switch {
	case n <= maxControl:
		return append(dst, first, masked|byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, first, masked|126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, first, masked|127), uint64(n))
}

// appendMasked appends a frame of a client, whose payload is masked (RFC 6455
// 5.3).
func appendMasked(dst []byte, first byte, payload []byte, mask [4]byte) []byte {
	dst = append(appendHeadMasked(dst, first, len(payload), maskBit), mask[:]...)
	at := len(dst)
	dst = append(dst, payload...)
	ws.Cipher(dst[at:], mask, 0)
	return dst
}

// head is that of a frame.
type head struct {
	first  byte
	masked bool
	mask   [4]byte
	length int64
}

func (h *head) op() ws.OpCode { return ws.OpCode(h.first & 0x0f) }
func (h *head) fin() bool     { return h.first&finBit != 0 }

// rules are what a frame's head is checked against.
type rules struct {
	masked  bool  // the peer is a client
	deflate bool  // compression was agreed on
	within  bool  // a message has begun
	room    int64 // for the payload of a data frame
}

// parse reads the head at the beginning of p and returns its size. It is 0 if p
// has not all of it; what there is of it is checked already, each byte on its
// own.
func (h *head) parse(p []byte, r rules) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if h.first = p[0]; !r.allows(h.first) {
		return 0, r.fault(h.first)
	}
	if len(p) < 2 {
		return 0, nil
	}
	h.masked = p[1]&maskBit != 0
	short := p[1] &^ maskBit
	switch {
	case h.masked && !r.masked:
		return 0, errMasked
	case !h.masked && r.masked:
		return 0, errUnmasked
	case h.op().IsControl() && short > maxControl:
		return 0, errLongControl
	}
	n, err = h.parseLength(p, short)
	if n == 0 || err != nil {
		return n, err
	}
	if h.length > r.room && h.op().IsData() {
		return 0, errTooBig
	}
	if !h.masked {
		return n, nil
	}
	if len(p) < n+4 {
		return 0, nil
	}
	h.mask = [4]byte(p[n:])
	return n + 4, nil
}

// parseLength reads the length, and returns where it ends. It is minimal (RFC
// 6455 5.2), and has 63 bits.
func (h *head) parseLength(p []byte, short byte) (n int, err error) {
	switch short {
	default:
		h.length = int64(short)
		return 2, nil
	case 126:
		if len(p) < 4 {
			return 0, nil
		}
		if h.length = int64(binary.BigEndian.Uint16(p[2:])); h.length <= maxControl {
			return 0, errLength
		}
		return 4, nil
	case 127:
		if len(p) > 2 && p[2]&0x80 != 0 {
			return 0, errTopBit
		}
		if len(p) < 10 {
			return 0, nil
		}
		if h.length = int64(binary.BigEndian.Uint64(p[2:])); h.length <= 0xffff {
			return 0, errLength
		}
		return 10, nil
	}
}

// allows reports whether a frame may begin with that byte.
func (r rules) allows(first byte) bool {
	op := ws.OpCode(first & 0x0f)
	switch {
	case first&rsvBits != 0, op.IsReserved():
		return false
	case op.IsControl():
		return first&(finBit|rsv1Bit) == finBit
	case op == ws.OpContinuation:
		return r.within && first&rsv1Bit == 0
	}
	return !r.within && (r.deflate || first&rsv1Bit == 0)
}

// fault returns why it may not.
func (r rules) fault(first byte) error {
	op := ws.OpCode(first & 0x0f)
	switch {
	case first&(rsvBits|rsv1Bit) != 0 && (first&rsvBits != 0 || !r.deflate || !op.IsData() || op == ws.OpContinuation):
		return errReserved
	case op.IsReserved():
		return errOpcode
	case op.IsControl():
		return errControl
	case op == ws.OpContinuation:
		return errNoMessage
	}
	return errInMessage
}

// appendClose appends the payload of a Close frame: none for [NoStatus]. What of
// the reason is not UTF-8, which peers must not accept, is replaced, and a reason
// that is too long is cut between two characters.
func appendClose(dst []byte, code Code, reason string) []byte {
	if code == NoStatus {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	for most := len(dst) + maxControl - 2; reason != ""; {
		r, size := utf8.DecodeRuneInString(reason)
		if len(dst)+utf8.RuneLen(r) > most {
			break
		}
		dst, reason = utf8.AppendRune(dst, r), reason[size:]
	}
	return dst
}

// parseClose reads the payload of the peer's Close frame (RFC 6455 5.5.1, 7.4).
func parseClose(p []byte) (*CloseError, error) {
	if len(p) == 0 {
		return &CloseError{Code: NoStatus, Remote: true}, nil
	}
	if len(p) == 1 {
		return nil, errShortClose
	}
	e := &CloseError{Code: Code(binary.BigEndian.Uint16(p)), Remote: true}
	switch {
	case !e.Code.sendable():
		return nil, errCloseCode
	case !utf8.Valid(p[2:]):
		return nil, errCloseText
	}
	e.Reason = string(p[2:])
	return e, nil
}
