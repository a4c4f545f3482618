package weir

// Trace is called at the stations of each request; a nil function is not. The
// functions run where the thing happens, on a loop or a handler's goroutine,
// partly under a lock: they must neither block nor call the request's Response
// or Stream.
type Trace struct {
	RequestStart func(r *Request)            // the head is complete and routed
	FirstByte    func(r *Request)            // the answer's head is committed
	Chunk        func(r *Request, bytes int) // a chunk of a stream was added
	RequestEnd   func(r *Request, cause error)
}

func (t *Trace) requestStart(ex *exchange) {
	if t != nil && t.RequestStart != nil {
		t.RequestStart(&ex.req)
	}
}

func (t *Trace) firstByte(ex *exchange) {
	if t != nil && t.FirstByte != nil {
		t.FirstByte(&ex.req)
	}
}

func (t *Trace) chunk(ex *exchange, n int) {
	if t != nil && t.Chunk != nil && n > 0 {
		t.Chunk(&ex.req, n)
	}
}

func (t *Trace) requestEnd(ex *exchange) {
	if t != nil && t.RequestEnd != nil && ex.req.route != nil {
		t.RequestEnd(&ex.req, ex.cause)
	}
}
