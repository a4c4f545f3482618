package weir

// This file is for middleware that looks at a buffered body when its handler
// has returned.

// Body returns the body of a buffered response as it is so far; nil if it is
// empty, for a stream, and for a response that has failed. It is valid until the
// response is written to.
func (w *Response) Body() []byte {
	l := w.ex.lock()
	defer l.unlock()
	if !l.buffered(w) || len(w.body) == 0 {
		return nil
	}
	return w.body
}

// SetBody replaces the body of a buffered response by p, which is the
// response's from then on. It has no effect on a stream, and on a response that
// has failed.
func (w *Response) SetBody(p []byte) {
	l := w.ex.lock()
	defer l.unlock()
	if l.buffered(w) {
		w.body = p
	}
}

// buffered reports whether w is the response, and in memory.
func (l locked) buffered(w *Response) bool {
	return !w.streaming() && l.ex.out == w && !l.ex.final()
}

// Offload calls f off the event loops, for work on a buffered response whose
// cost depends on its size, such as compressing the body. On a handler's
// goroutine f is called at once. For an inline handler it is called on a
// goroutine, when Serve has returned, and the response is sent when f returns;
// f may use the Request and the Response as the handler may, except for the
// request's body. It is not called if Body returns nil by then, or if the limit
// on goroutine handlers is reached: the response is then sent as it is. Of
// several calls the last one counts.
func (w *Response) Offload(f func()) {
	if w.ex.onLoop { // written on this goroutine only while an inline handler runs
		w.ex.offload = f
	} else {
		f()
	}
}

// offloaded runs what was passed to Offload, and reports whether it is that
// which finishes the response. On the loop, when the handler has returned.
func (ex *exchange) offloaded() bool {
	f, s := ex.offload, ex.srv
	ex.offload = nil
	if ex.res.Body() == nil {
		return false
	}
	if s.handlers.Add(1) > int64(s.Limits.Handlers) {
		s.handlers.Add(-1)
		return false
	}
	ex.counted, ex.away = true, true
	ex.turn().Later(&offloadTask{ex, f})
	return true
}

// offloadTask starts the goroutine when the loop has left the handler.
type offloadTask struct {
	ex *exchange
	f  func()
}

func (t *offloadTask) Run()     { go t.run() }
func (t *offloadTask) Dropped() { t.ex.leaveHandler() } // the loop has stopped, and its connections with it

func (t *offloadTask) run() {
	ex := t.ex
	if ex.call("function given to Offload", t.f, ex.crash) {
		ex.leaveHandler()
		ex.handled()
	}
}
