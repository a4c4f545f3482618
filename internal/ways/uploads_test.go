package ways

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"weir"
)

// cutUploads are bodies whose clients disconnect before their end: whoever takes
// them, they are not complete, no handler that wants them whole is called, and
// nothing is the response.
func cutUploads() (all []aCase) {
	cut := func(title string, serve func(m *weir.Mux, r *record, began func())) {
		for _, length := range []int64{-1, 16 << 10} {
			name := title
			if length > 0 {
				name += ", with a length"
			}
			all = append(all, aCase{name: name, serve: func(m *weir.Mux, r *record) func(p *peer) {
				began := make(chan struct{})
				serve(m, r, sync.OnceFunc(func() { close(began) }))
				return func(p *peer) { p.cut(length, began) }
			}})
		}
	}
	never := func(r *record) weir.HandlerFunc {
		return func(_ *weir.Response, req *weir.Request) { r.note("handler", "called with %q", req.Body()) }
	}
	for _, mode := range []string{"a handler", "an inline handler"} {
		began := make(chan struct{}, 1)
		all = append(all, aCase{
			name: "a body that is cut, for " + mode, host: true,
			set: func(srv *weir.Server) {
				srv.OnHeaders = func(*weir.Response, *weir.Request) bool { began <- struct{}{}; return true }
			},
			serve: func(m *weir.Mux, r *record) func(p *peer) {
				if rt := m.Handle("/", never(r)); mode == "an inline handler" {
					rt.Inline()
				}
				return func(p *peer) { p.cut(-1, began) }
			},
		})
	}
	cut("a body that is cut, behind middleware", func(m *weir.Mux, r *record, began func()) {
		m.Handle("/", never(r), func(next weir.Handler) weir.Handler {
			return weir.HandlerFunc(func(w *weir.Response, req *weir.Request) {
				r.promise(1)
				defer r.kept()
				began()
				next.Serve(w, req)
				r.note("middleware", "body: %q", req.Body())
			})
		})
	})
	cut("a body that is cut, for a loop handler", func(m *weir.Mux, r *record, began func()) {
		m.HandleLoop("/", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
			r.promise(1)
			return &receiver{x: x, r: r, data: func(p []byte) { began() }}
		}))
	})
	cut("a body that is cut in a pause, for a loop handler", func(m *weir.Mux, r *record, began func()) {
		m.HandleLoop("/", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
			r.promise(1)
			return &receiver{x: x, r: r, data: func(p []byte) {
				x.PauseBody()
				began()
				x.Loop().Post(loopTask(x.ResumeBody))
			}}
		}))
	})
	return all
}

// cut sends a half of a body, and disconnects when the handler has a part of it.
func (p *peer) cut(length int64, began <-chan struct{}) {
	body, sender := io.Pipe()
	go func() {
		sender.Write(large(8 << 10))
		<-began
		sender.CloseWithError(errBroken) // the transport closes the connection
	}()
	req, err := http.NewRequestWithContext(p.Context(), "POST", "http://weir.test/", body)
	if err != nil {
		p.Fatal(err)
	}
	req.ContentLength = length
	res, err := p.Do(req)
	p.note("client", "no response: %v", err != nil)
	if err == nil {
		res.Body.Close()
	}
}

// trailers are fields that clients send behind a body.
func trailers() []aCase {
	client := func(p *peer) {
		req, err := http.NewRequestWithContext(p.Context(), "PUT", "http://weir.test/", nil)
		if err != nil {
			p.Fatal(err)
		}
		req.Trailer = http.Header{"X-Sum": nil}
		req.Body = io.NopCloser(io.MultiReader(strings.NewReader("hello"), atEnd(func() { req.Trailer.Set("X-Sum", "42") })))
		res, err := p.Do(req)
		if err != nil {
			p.Fatal(err)
		}
		p.read(res)
	}
	say := func(w *weir.Response, req *weir.Request) { w.WriteString("sum " + req.Trailer().Get("X-Sum")) }
	return []aCase{
		{name: "a body with trailers", serve: func(m *weir.Mux, _ *record) func(p *peer) {
			m.HandleFunc("/", say)
			return client
		}},
		{name: "a body with trailers, read while it arrives", serve: func(m *weir.Mux, r *record) func(p *peer) {
			m.HandleFunc("/", r.watched(func(w *weir.Response, req *weir.Request) {
				io.Copy(io.Discard, req.BodyReader())
				say(w, req)
			})).StreamBody()
			return client
		}},
		onLoop("a body with trailers, on the loop", client, func(_ *record, c *receiver) {
			c.end = func(error) {
				say(c.x.Response(), c.x.Request())
				c.x.End()
			}
		}),
	}
}

// atEnd is called where a body ends.
type atEnd func()

func (f atEnd) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}
