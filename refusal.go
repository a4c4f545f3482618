package weir

// refusal is the server's own response to a request that no route serves.
type refusal struct {
	status   int
	err      error // the reason; nil = it is not a failure
	line     string
	allow    string
	location string
}

// The refusals of requests that reach no Mux.
var (
	notImplemented = plainRefusal(refusal{status: 501, err: ErrNotImplemented, line: "the method is not implemented"})
	serverOptions  = plainRefusal(refusal{status: 204})
)

func plainRefusal(ref refusal) *Route {
	return &Route{handler: HandlerFunc(serveRefusal), mode: early, refusal: &ref}
}

// refuse returns a route with the refusal. It is served on the loop, unless m
// has handlers of the user's for it.
func (m *Mux) refuse(ref refusal) *Route {
	rt := plainRefusal(ref)
	rt.mux = m
	if len(m.use) > 0 {
		m.once.Do(func() { m.refuser = chain(rt.handler, m.use) })
		rt.handler, rt.mode = m.refuser, whileArriving
	}
	if ref.status == 404 && m.notFound != nil || ref.status == 405 && m.methodNotAllowed != nil {
		rt.mode = whileArriving
	}
	return rt
}

// serveRefusal is the handler of all refusals.
func serveRefusal(w *Response, r *Request) {
	rt := r.routed()
	ref := rt.refusal
	if ref.allow != "" {
		w.Header().Set("Allow", ref.allow)
	}
	w.SetStatus(ref.status)
	switch {
	case ref.location != "":
		if err := w.Header().TrySet("Location", ref.location); err != nil {
			w.refuse(400, ErrBadPath, "the path cannot be redirected")
			return
		}
		w.plainText(ref.line)
	case ref.err == nil:
	case ref.status == 404 && rt.mux != nil && rt.mux.notFound != nil:
		rt.mux.notFound.Serve(w, r)
	case ref.status == 405 && rt.mux.methodNotAllowed != nil:
		rt.mux.methodNotAllowed.Serve(w, r)
	default:
		w.refuse(ref.status, ref.err, ref.line)
	}
}

func knownMethod(m string) bool {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT":
		return true
	}
	return false
}
