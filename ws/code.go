package ws

import (
	"errors"
	"fmt"

	"github.com/gobwas/ws"
)

// A Code says why a connection is closed (RFC 6455 7.4).
type Code uint16

// The codes of RFC 6455 7.4.1 and of IANA's registry. Those from 3000 to 3999
// are for libraries and frameworks, those from 4000 to 4999 for applications.
const (
	Normal          = Code(ws.StatusNormalClosure)           // 1000: the purpose is fulfilled
	GoingAway       = Code(ws.StatusGoingAway)               // 1001: the server shuts down, the page is left
	ProtocolError   = Code(ws.StatusProtocolError)           // 1002
	Unsupported     = Code(ws.StatusUnsupportedData)         // 1003: a kind of message that is not accepted
	NoStatus        = Code(ws.StatusNoStatusRcvd)            // 1005: a Close without a code
	Abnormal        = Code(ws.StatusAbnormalClosure)         // 1006: there was no Close; never sent
	InvalidData     = Code(ws.StatusInvalidFramePayloadData) // 1007: text that is not UTF-8, data that cannot be inflated
	PolicyViolation = Code(ws.StatusPolicyViolation)         // 1008
	TooBig          = Code(ws.StatusMessageTooBig)           // 1009: a message above MaxMessage
	InternalError   = Code(ws.StatusInternalServerError)     // 1011: the handler failed
	ServiceRestart  = Code(1012)
	TryAgainLater   = Code(1013) // over capacity
)

// sendable reports whether a Close frame may carry the code.
func (c Code) sendable() bool {
	switch {
	case c >= 3000 && c <= 4999:
		return true
	case c == 1004, c == NoStatus, c == Abnormal:
		return false
	}
	return c >= 1000 && c <= 1014 // 1012 to 1014 are IANA's
}

// A CloseError is the end of a connection by its protocol: a Close frame of the
// peer, or of this side.
type CloseError struct {
	Code   Code
	Reason string
	Remote bool // the peer has closed first
}

func (e *CloseError) Error() string {
	side := "closed"
	if e.Remote {
		side = "peer closed"
	}
	if e.Reason == "" {
		return fmt.Sprintf("ws: %s with %d", side, e.Code)
	}
	return fmt.Sprintf("ws: %s with %d: %s", side, e.Code, e.Reason)
}

// CodeOf returns the code of the error by which a connection ended: [Abnormal] if
// that is not a [CloseError].
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*CloseError](err); ok {
		return e.Code
	}
	return Abnormal
}

// failure is the end of a connection because the peer violates the protocol or a
// limit.
func failure(code Code, reason string) *CloseError { return &CloseError{Code: code, Reason: reason} }

// What peers do wrong. The reasons are sent to them.
var (
	errMasked      = failure(ProtocolError, "masked frame from a server")
	errUnmasked    = failure(ProtocolError, "unmasked frame from a client")
	errReserved    = failure(ProtocolError, "reserved bit")
	errOpcode      = failure(ProtocolError, "reserved opcode")
	errControl     = failure(ProtocolError, "fragmented control frame")
	errLongControl = failure(ProtocolError, "control frame above 125 bytes")
	errNoMessage   = failure(ProtocolError, "continuation of no message")
	errInMessage   = failure(ProtocolError, "new message before the end of the last")
	errLength      = failure(ProtocolError, "length is not minimal")
	errTopBit      = failure(ProtocolError, "length of 64 bits")
	errCloseCode   = failure(ProtocolError, "invalid close code")
	errShortClose  = failure(ProtocolError, "close code of one byte")
	errCloseText   = failure(InvalidData, "close reason is not UTF-8")
	errText        = failure(InvalidData, "text is not UTF-8")
	errInflate     = failure(InvalidData, "compressed data is corrupt")
	errTooBig      = failure(TooBig, "message too big")
	errKept        = failure(TryAgainLater, "too many bytes are kept")
)
