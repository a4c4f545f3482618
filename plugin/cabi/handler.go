//go:build cgo && unix

package cabi

// #include "bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"weir/plugin"
)

// A handler is a native handler of a library.
type handler struct {
	name string
	c    *C.weir_plugin_handler // see weir_read_handler; not freed once it is part of a library
}

// registration returns the handler as it is registered.
func (h *handler) registration() plugin.Handler {
	r := plugin.Handler{Limit: int(h.c.limit)}
	if h.c.doc != nil {
		r.Doc = C.GoString(h.c.doc)
	}
	if h.c.unary != nil {
		r.Unary = func(c plugin.Call, reply plugin.Reply) error { return h.serve(c, reply, nil) }
	}
	if h.c.stream != nil {
		r.Stream = func(c plugin.Call, sink plugin.Sink) error { return h.serve(c, nil, sink) }
	}
	if h.c.open != nil {
		r.WebSocket = h.open
	}
	if h.c.subprotocols != nil {
		for name := range strings.SplitSeq(C.GoString(h.c.subprotocols), ",") {
			r.Subprotocols = append(r.Subprotocols, strings.TrimSpace(name))
		}
	}
	return r
}

// serve runs the handler for one call. A panic can only come from the server's
// side of a callback; it ends the handle, too.
func (h *handler) serve(c plugin.Call, reply plugin.Reply, sink plugin.Sink) (err error) {
	s := calls.begin(c, reply, sink, nil)
	code := C.int32_t(C.WEIR_EFAILED)
	defer func() { err = h.finish(s, code) }()
	code = h.run(s.handle(), c)
	return nil
}

// run calls into C. cgo pins the bytes until the call returns.
func (h *handler) run(handle uint64, c plugin.Call) C.int32_t {
	method, path, query, body := c.Method(), c.Path(), c.RawQuery(), c.Body()
	return C.weir_run(h.c, C.weir_call(handle),
		lent(unsafe.StringData(method)), C.size_t(len(method)),
		lent(unsafe.SliceData(path)), C.size_t(len(path)),
		lent(unsafe.SliceData(query)), C.size_t(len(query)),
		lent(unsafe.SliceData(body)), C.size_t(len(body)))
}

func lent(p *byte) *C.char { return (*C.char)(unsafe.Pointer(p)) }

// finish unpins what C was given, and ends the handle unless it was detached.
// It returns what the handler returns to the server.
func (h *handler) finish(s *slot, code C.int32_t) error {
	s.mu.Lock()
	s.pins.Unpin()
	sink, failure, detached, ended := s.sink, s.failure, s.detached, s.ended
	s.call, s.reply = nil, nil
	if detached && !ended && code == C.WEIR_OK {
		s.mu.Unlock()
		return nil
	}
	calls.release(s)
	switch {
	case sink == nil:
		return h.unaryError(code, failure, ended)
	case code == C.WEIR_OK:
		return nil
	case detached && !ended:
		sink.Abort(h.errorOf(code))
		return nil
	case sink.Cause() != nil:
		return sink.Cause() // the handler returns the cause that it got
	}
	return h.errorOf(code)
}

// unaryError returns an abort's reason, or else why a handler failed.
func (h *handler) unaryError(code C.int32_t, failure error, aborted bool) error {
	switch {
	case code == C.WEIR_OK && !aborted:
		return nil
	case failure != nil:
		return failure
	}
	return h.errorOf(code)
}

func (h *handler) errorOf(code C.int32_t) error {
	if code == C.WEIR_ECLOSED {
		return plugin.ErrClosed
	}
	return fmt.Errorf("cabi: handler %s returned %d", h.name, int32(code))
}

// check returns what is wrong with what the plugin wrote.
func (h *handler) check() error {
	functions := 0
	for _, set := range []bool{h.c.unary != nil, h.c.stream != nil, h.c.open != nil} {
		if set {
			functions++
		}
	}
	switch {
	case h.c.name == nil:
		return errors.New("its name is NULL")
	case functions == 0:
		return errors.New("it has neither unary nor stream nor open")
	case functions > 1:
		return errors.New("it has more than one of unary, stream and open: register them under several names")
	case h.c.open == nil && (h.c.message != nil || h.c.closed != nil || h.c.subprotocols != nil):
		return errors.New("it has message, closed or subprotocols without open")
	}
	return nil
}
