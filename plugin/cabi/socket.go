//go:build cgo && unix

package cabi

// #include "bridge.h"
import "C"

import (
	"errors"
	"unicode/utf8"
	"unsafe"

	"weir/plugin"
)

// A socket is the WebSocket of a library's handler, as what receives its
// messages.
type socket struct {
	*handler
	to    plugin.Socket
	slot  *slot
	state C.uintptr_t // what open has stored for the others
}

// open runs the handler's function for a new WebSocket. A panic can only come
// from the server's side of a callback; it ends the handle, too.
func (h *handler) open(c plugin.Call, to plugin.Socket) (r plugin.Receiver, err error) {
	s := &socket{handler: h, to: to, slot: calls.begin(c, nil, nil, to)}
	code := C.int32_t(C.WEIR_EFAILED)
	defer func() {
		s.slot.mu.Lock()
		s.slot.pins.Unpin()
		if s.slot.call = nil; code == C.WEIR_OK {
			s.slot.mu.Unlock()
			r = s
			return
		}
		calls.release(s.slot)
		err = s.failed(code)
	}()
	method, path, query := c.Method(), c.Path(), c.RawQuery()
	code = C.weir_run_open(h.c, C.weir_call(s.slot.handle()), &s.state,
		lent(unsafe.StringData(method)), C.size_t(len(method)),
		lent(unsafe.SliceData(path)), C.size_t(len(path)),
		lent(unsafe.SliceData(query)), C.size_t(len(query)))
	return nil, nil
}

// Message implements plugin.Receiver. cgo pins p until the call returns.
func (s *socket) Message(kind plugin.MessageKind, p []byte) error {
	if s.c.message == nil {
		return nil
	}
	code := C.weir_run_message(s.c.message, s.state, C.weir_call(s.slot.handle()), C.int32_t(kind),
		lent(unsafe.SliceData(p)), C.size_t(len(p)))
	if code == C.WEIR_OK {
		return nil
	}
	return s.failed(code)
}

// failed returns what a function's code means: the cause that it got, or an
// error of its own.
func (s *socket) failed(code C.int32_t) error {
	if cause := s.to.Cause(); cause != nil {
		return cause
	}
	return s.errorOf(code)
}

// Closed implements plugin.Receiver. The handle ends with it.
func (s *socket) Closed(code int, reason string) {
	defer func() {
		s.slot.mu.Lock()
		calls.release(s.slot)
	}()
	if s.c.closed != nil {
		C.weir_run_closed(s.c.closed, s.state, C.weir_call(s.slot.handle()), C.int32_t(code),
			lent(unsafe.StringData(reason)), C.size_t(len(reason)))
	}
}

// openSocket returns the socket of a handle, or the code for why there is none
// to send to.
func openSocket(h C.weir_call) (plugin.Socket, C.int32_t) {
	s := calls.lock(uint64(h))
	if s == nil {
		return nil, C.WEIR_EHANDLE
	}
	defer s.mu.Unlock()
	if s.socket == nil {
		return nil, C.WEIR_EKIND
	}
	return s.socket, C.WEIR_OK
}

//export weirSocketSend
func weirSocketSend(h C.weir_call, kind C.int32_t, p *C.char, n C.size_t) C.int32_t {
	return sendMessage(h, plugin.MessageKind(kind), view(p, n), plugin.Socket.Send)
}

//export weirSocketTrySend
func weirSocketTrySend(h C.weir_call, kind C.int32_t, p *C.char, n C.size_t) C.int32_t {
	return sendMessage(h, plugin.MessageKind(kind), view(p, n), plugin.Socket.TrySend)
}

func sendMessage(h C.weir_call, kind plugin.MessageKind, p []byte, send func(plugin.Socket, plugin.MessageKind, []byte) error) C.int32_t {
	to, fault := openSocket(h)
	switch {
	case fault != C.WEIR_OK:
		return fault
	case kind == plugin.Text && !utf8.Valid(p):
		return C.WEIR_EARG
	}
	return result(to, send(to, kind, p))
}

//export weirSocketClose
func weirSocketClose(h C.weir_call, code C.int32_t, reason *C.char, n C.size_t) C.int32_t {
	to, fault := openSocket(h)
	if fault != C.WEIR_OK {
		return fault
	}
	switch err := to.Close(int(code), text(reason, min(n, maxReason))); {
	case err == nil, errors.Is(err, plugin.ErrClosed):
		return C.WEIR_OK
	case to.Cause() != nil:
		return C.WEIR_EGONE
	}
	return C.WEIR_EARG
}
