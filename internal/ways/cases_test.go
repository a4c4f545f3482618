package ways

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"

	"weir"
	"weir/sse"
)

// aCase is a handler and a client of it.
type aCase struct {
	name string
	set  func(srv *weir.Server) // nil = nothing
	host bool                   // only where srv is the server: net/http's knows no drain, and reports no errors
	// serve registers the handlers and returns what the client does; nil stands
	// for one GET of "/".
	serve func(m *weir.Mux, r *record) func(p *peer)
}

func cases() []aCase {
	return slices.Concat(bodies(), streams(), failures(), disconnects(), uploads(), cutUploads(), trailers(), loops(), informs(), drains(), crowds())
}

// handle is a case of one handler at "/", on a goroutine, that a client asks once.
func handle(name string, h func(w *weir.Response, req *weir.Request)) aCase {
	return asked(name, "GET", "", h)
}

func asked(name, method, body string, h func(w *weir.Response, req *weir.Request)) aCase {
	return aCase{name: name, serve: func(m *weir.Mux, r *record) func(p *peer) {
		m.HandleFunc("/", r.watched(h))
		return func(p *peer) { p.ask(method, "/", body) }
	}}
}

func bodies() []aCase {
	text := func(w *weir.Response, req *weir.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteString("hello")
	}
	status := func(code int) func(*weir.Response, *weir.Request) {
		return func(w *weir.Response, req *weir.Request) {
			w.SetStatus(code)
			w.WriteString("hello")
		}
	}
	inline := aCase{name: "a body made on the loop", serve: func(m *weir.Mux, r *record) func(p *peer) {
		m.HandleFunc("/", r.watched(text)).Inline()
		return nil
	}}
	offloaded := aCase{name: "a body that is changed off the loop", serve: func(m *weir.Mux, r *record) func(p *peer) {
		m.HandleFunc("/", r.watched(func(w *weir.Response, req *weir.Request) {
			text(w, req)
			w.Offload(func() {
				w.Header().Set("X-Path", req.Path())
				w.SetBody(append(w.Body(), " world"...))
			})
		})).Inline()
		return nil
	}}
	return []aCase{
		offloaded,
		handle("nothing", func(*weir.Response, *weir.Request) {}),
		handle("a body", text),
		inline,
		asked("HEAD", "HEAD", "", text),
		asked("HEAD of a stream", "HEAD", "", func(w *weir.Response, _ *weir.Request) { w.Stream().Send([]byte("a")) }),
		handle("201", status(201)),
		handle("204", status(204)),
		handle("205", status(205)),
		handle("304", status(304)),
		handle("404 of a handler", status(404)),
		handle("a large body", func(w *weir.Response, _ *weir.Request) { w.Write(large(1 << 20)) }),
		handle("fields", func(w *weir.Response, _ *weir.Request) {
			w.Header().Add("X-One", "1")
			w.Header().Add("X-One", "2")
			w.Header().Set("x-two", "3")
		}),
		handle("the client's address", func(w *weir.Response, req *weir.Request) { fmt.Fprintf(w, "%10s", req.RemoteAddr().Addr()) }),
		handle("Error", func(w *weir.Response, _ *weir.Request) { w.Error(418, "short and stout") }),
		{name: "no route", serve: func(m *weir.Mux, _ *record) func(p *peer) {
			m.HandleFunc("GET /tree/", text)
			return func(p *peer) {
				p.ask("GET", "/", "")
				p.ask("GET", "/tree", "")
				p.ask("POST", "/tree/", "")
				p.ask("OPTIONS", "/tree/", "")
			}
		}},
	}
}

// large is n bytes that do not repeat soon.
func large(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i * i >> 8)
	}
	return p
}

// source makes a Source of chunks, which ends with err.
func source(r *record, err error, chunks ...string) weir.Source {
	r.promise(1)
	return &listSource{r, err, chunks}
}

type listSource struct {
	r      *record
	err    error
	chunks []string
}

func (s *listSource) Next(dst []byte) ([]byte, error) {
	if len(s.chunks) == 0 {
		return nil, s.err
	}
	dst = append(dst, s.chunks[0]...)
	s.chunks = s.chunks[1:]
	return dst, nil
}

func (s *listSource) Close(cause error) {
	s.r.note("source", "closed: %s", name(cause))
	s.r.kept()
}

// seq yields chunks, and then err if there is one.
func seq(err error, chunks ...string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, c := range chunks {
			if !yield([]byte(c), nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

func events(err error, data ...string) iter.Seq2[*sse.Event, error] {
	return func(yield func(*sse.Event, error) bool) {
		for _, d := range data {
			if !yield(&sse.Event{Data: []byte(d)}, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// A feed sends chunks as one of the ways in which streams are fed, and then
// fails with err if there is one.
type feed struct {
	name string
	send func(r *record, w *weir.Response, err error, chunks ...string)
}

var feeds = []feed{
	{"pushed", func(r *record, w *weir.Response, err error, chunks ...string) {
		s := w.Stream()
		r.watchStream(s)
		for _, c := range chunks {
			s.Send([]byte(c))
		}
		if err != nil {
			s.Abort(err)
		}
	}},
	{"pumped", func(r *record, w *weir.Response, err error, chunks ...string) {
		if err == nil {
			err = io.EOF
		}
		r.watchStream(w.StreamFrom(source(r, err, chunks...)))
	}},
	{"generated", func(r *record, w *weir.Response, err error, chunks ...string) {
		r.note("handler", "StreamSeq: %s", name(w.StreamSeq(seq(err, chunks...))))
	}},
	{"events", func(r *record, w *weir.Response, err error, chunks ...string) {
		r.note("handler", "StreamEvents: %s", name(w.StreamEvents(events(err, chunks...))))
	}},
}

func streams() (all []aCase) {
	for _, f := range feeds {
		all = append(all, with("a stream, "+f.name, func(r *record, w *weir.Response, _ *weir.Request) { f.send(r, w, nil, "a", "bc", "def") }))
		all = append(all, with("a stream without a chunk, "+f.name, func(r *record, w *weir.Response, _ *weir.Request) { f.send(r, w, nil) }))
	}
	all = append(all, backpressure(),
		with("a stream behind a body", func(r *record, w *weir.Response, _ *weir.Request) {
			w.WriteString("first ")
			feeds[0].send(r, w, nil, "second")
		}),
		with("a stream of known length", func(r *record, w *weir.Response, _ *weir.Request) {
			w.SetContentLength(6)
			feeds[0].send(r, w, nil, "abc", "def")
		}),
		with("a stream in a large chunk", func(r *record, w *weir.Response, _ *weir.Request) { feeds[0].send(r, w, nil, string(large(1<<20))) }),
		with("trailers", func(r *record, w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			s.SetTrailer("X-Sum", "0")
			s.Send([]byte("a"))
			s.SetTrailer("X-Sum", "1")
		}),
		with("the end of a stream", func(r *record, w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			s.Send([]byte("a"))
			r.note("handler", "Close: %s", name(s.Close()))
			r.note("handler", "Send: %s", name(s.Send([]byte("b"))))
			r.note("handler", "Cause: %s", name(s.Cause()))
		}),
	)
	return all
}

// with is handle of a handler that notes what happens to it.
func with(name string, h func(r *record, w *weir.Response, req *weir.Request)) aCase {
	return aCase{name: name, serve: func(m *weir.Mux, r *record) func(p *peer) {
		m.HandleFunc("/", r.watched(func(w *weir.Response, req *weir.Request) { h(r, w, req) }))
		return nil
	}}
}

// A client that does not read holds its producer up, and nothing is lost.
func backpressure() aCase {
	const chunk, chunks = 64 << 10, 256 // more than any kernel takes for a client that does not read
	return aCase{name: "a client that does not read", serve: func(m *weir.Mux, r *record) func(p *peer) {
		behind := make(chan struct{})
		m.HandleFunc("/", r.watched(func(w *weir.Response, req *weir.Request) {
			s, p, waited := w.Stream(), large(chunk), false
			for range chunks {
				err := s.TrySend(p)
				if errors.Is(err, weir.ErrBacklog) {
					if !waited {
						waited = true
						r.note("handler", "TrySend: %s", name(err))
						close(behind)
					}
					err = s.Send(p)
				}
				if err != nil {
					r.note("handler", "%s", name(err))
				}
			}
		}))
		return func(p *peer) {
			res := p.open(p.Context(), "GET", "/", nil)
			await(p, behind)
			p.read(res)
		}
	}}
}

var errBroken = errors.New("it is broken")

// Errors at every stage.
func failures() (all []aCase) {
	for _, f := range feeds {
		all = append(all,
			with("a stream that fails before its first chunk, "+f.name, func(r *record, w *weir.Response, _ *weir.Request) { f.send(r, w, errBroken) }),
			with("a stream that fails later, "+f.name, func(r *record, w *weir.Response, _ *weir.Request) { f.send(r, w, errBroken, "a", "b") }))
	}
	return append(all,
		handle("a panic", func(*weir.Response, *weir.Request) { panic("boom") }),
		handle("a panic behind a body", func(w *weir.Response, _ *weir.Request) {
			w.WriteString("lost")
			panic("boom")
		}),
		handle("a panic in a stream", func(w *weir.Response, _ *weir.Request) {
			w.Stream().Send([]byte("a"))
			panic("boom")
		}),
		handle("a stream that is too short", func(w *weir.Response, _ *weir.Request) {
			w.SetContentLength(6)
			w.Stream().Send([]byte("abc"))
		}),
		with("a stream that is too long", func(r *record, w *weir.Response, _ *weir.Request) {
			w.SetContentLength(2)
			r.note("handler", "Send: %s", name(w.Stream().Send([]byte("abc"))))
		}),
		aCase{name: "OnError responds", host: true, set: func(srv *weir.Server) {
			srv.OnError = func(w *weir.Response, _ *weir.Request, err error) {
				w.SetStatus(599)
				w.Header().Set("X-Error", name(err))
				w.WriteString("sorry")
			}
		}, serve: func(m *weir.Mux, _ *record) func(p *peer) {
			m.HandleFunc("/", func(*weir.Response, *weir.Request) { panic("boom") })
			return nil
		}},
	)
}

// cancelled sends a request, reads some bytes of its response, and disconnects
// when the handler is ready.
func cancelled(ready <-chan struct{}, read int) func(p *peer) {
	return func(p *peer) {
		ctx, cancel := context.WithCancel(p.Context())
		defer cancel()
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			req, err := http.NewRequestWithContext(ctx, "GET", "http://weir.test/", nil)
			if err != nil {
				p.Error(err)
				return
			}
			res, err := p.Do(req)
			if err != nil {
				p.note("client", "no response: %s", name(err))
				return
			}
			defer res.Body.Close()
			got := make([]byte, read)
			_, err = io.ReadFull(res.Body, got)
			p.note("client", "%d: %q, %s", res.StatusCode, got, name(err))
			await(p, ready)
			cancel()
		}()
		if read == 0 {
			await(p, ready)
			cancel()
		}
		await(p, asked)
	}
}

func disconnects() []aCase {
	// gone is a case of a client that reads some bytes and disconnects; the handler
	// calls ready for that.
	gone := func(title string, read int, h func(r *record, w *weir.Response, req *weir.Request, ready func())) aCase {
		return aCase{name: title, serve: func(m *weir.Mux, r *record) func(p *peer) {
			ready := make(chan struct{})
			m.HandleFunc("/", r.watched(func(w *weir.Response, req *weir.Request) {
				h(r, w, req, func() { close(ready) })
			}))
			return cancelled(ready, read)
		}}
	}
	return []aCase{
		gone("a disconnect before the response", 0, func(r *record, w *weir.Response, req *weir.Request, ready func()) {
			ready()
			<-req.Context().Done()
			r.note("handler", "%s", name(context.Cause(req.Context())))
			w.WriteString("nobody reads this")
		}),
		gone("a disconnect before the first chunk", 0, func(r *record, w *weir.Response, req *weir.Request, ready func()) {
			s := w.Stream()
			r.watchStream(s)
			ready()
			<-s.Done()
			r.note("handler", "Send: %s", name(s.Send([]byte("a"))))
		}),
		gone("a disconnect in a stream, pushed", 1, func(r *record, w *weir.Response, req *weir.Request, ready func()) {
			s := w.Stream()
			r.watchStream(s)
			s.Send([]byte("a"))
			ready()
			<-s.Done()
			r.note("handler", "Send: %s", name(s.Send([]byte("b"))))
			r.note("handler", "context: %s", name(context.Cause(req.Context())))
		}),
		gone("a disconnect in a stream, pumped", 1, func(r *record, w *weir.Response, _ *weir.Request, ready func()) {
			r.watchStream(w.StreamFrom(source(r, weir.ErrNotReady, "a")))
			ready()
		}),
		gone("a disconnect in a stream, generated", 1, func(r *record, w *weir.Response, req *weir.Request, ready func()) {
			err := w.StreamSeq(func(yield func([]byte, error) bool) {
				yield([]byte("a"), nil)
				ready()
				<-req.Context().Done()
				r.note("handler", "yield: %v", yield([]byte("b"), nil))
			})
			r.note("handler", "StreamSeq: %s", name(err))
		}),
		gone("a disconnect in a backlog", 1, func(r *record, w *weir.Response, req *weir.Request, ready func()) {
			r.uncounted() // how much a kernel takes is its affair
			s, p := w.Stream(), large(64<<10)
			for s.TrySend(p) == nil {
			}
			ready()
			var err error
			for err == nil {
				err = s.Send(p)
			}
			r.note("handler", "Send: %s", name(err))
		}),
	}
}

func uploads() []aCase {
	echo := func(w *weir.Response, req *weir.Request) {
		fmt.Fprintf(w, "%d bytes announced: %s", req.ContentLength(), shown(req.Body()))
	}
	streamed := func(title string, client func(p *peer), h func(r *record, w *weir.Response, req *weir.Request)) aCase {
		return aCase{name: title, serve: func(m *weir.Mux, r *record) func(p *peer) {
			m.HandleFunc("/", r.watched(func(w *weir.Response, req *weir.Request) { h(r, w, req) })).StreamBody()
			return client
		}}
	}
	chunks := func(p *peer) {
		p.read(p.open(p.Context(), "PUT", "/", io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo"))))
	}
	big := func(p *peer) { p.read(p.open(p.Context(), "PUT", "/", bytes.NewReader(large(1<<20)))) }
	return []aCase{
		asked("a body that is sent", "POST", "hello", echo),
		{name: "a body that is sent in chunks", serve: func(m *weir.Mux, _ *record) func(p *peer) {
			m.HandleFunc("PUT /", echo)
			return chunks
		}},
		{name: "a body that is too large", serve: func(m *weir.Mux, _ *record) func(p *peer) {
			m.HandleFunc("/", echo).MaxBody(3)
			return func(p *peer) {
				p.ask("POST", "/", "hello")
				chunks(p)
			}
		}},
		{name: "100 Continue", serve: func(m *weir.Mux, _ *record) func(p *peer) {
			m.HandleFunc("/", echo)
			return func(p *peer) {
				req, err := http.NewRequestWithContext(p.Context(), "POST", "http://weir.test/", strings.NewReader("hello"))
				if err != nil {
					p.Fatal(err)
				}
				req.Header.Set("Expect", "100-continue")
				res, err := p.Do(req)
				if err != nil {
					p.Fatal(err)
				}
				p.read(res)
			}
		}},
		streamed("a body read while it arrives", big, func(r *record, w *weir.Response, req *weir.Request) {
			body, err := io.ReadAll(req.BodyReader())
			fmt.Fprintf(w, "%s: %s", name(err), shown(body))
		}),
		streamed("chunks read while they arrive", chunks, func(r *record, w *weir.Response, req *weir.Request) {
			body, err := io.ReadAll(req.BodyReader())
			fmt.Fprintf(w, "%s: %s", name(err), shown(body))
		}),
		{name: "a disconnect in a body", serve: func(m *weir.Mux, r *record) func(p *peer) {
			ready := make(chan struct{})
			body, sender := io.Pipe()
			m.HandleFunc("/", r.watched(func(w *weir.Response, req *weir.Request) {
				got := make([]byte, 5)
				_, err := io.ReadFull(req.BodyReader(), got)
				r.note("handler", "%q: %s", got, name(err))
				close(ready)
				_, err = req.BodyReader().Read(got)
				r.note("handler", "%s", name(err))
				<-req.Context().Done()
			})).StreamBody()
			return func(p *peer) {
				go func() {
					io.WriteString(sender, "hello")
					<-ready
					sender.CloseWithError(errBroken) // the transport closes the connection
				}()
				req, err := http.NewRequestWithContext(p.Context(), "POST", "http://weir.test/", body)
				if err != nil {
					p.Fatal(err)
				}
				res, err := p.Do(req)
				p.note("client", "no response: %v", err != nil)
				if err == nil {
					res.Body.Close()
				}
			}
		}},
	}
}

// resumed is a body of which the beginning was read.
type resumed struct {
	io.Reader
	io.Closer
}

func drains() []aCase {
	// drained is a case of a stream whose server is shut down after its first chunk.
	drained := func(title string, ctx func(context.Context) context.Context, h func(r *record, s *weir.Stream)) aCase {
		return aCase{name: title, host: true, serve: func(m *weir.Mux, r *record) func(p *peer) {
			m.HandleFunc("/", r.watched(func(w *weir.Response, req *weir.Request) {
				s := w.Stream()
				s.Send([]byte("a"))
				h(r, s)
			}))
			return func(p *peer) {
				res, done := p.open(p.Context(), "GET", "/", nil), make(chan struct{})
				first := make([]byte, 1) // a connection that is cut may take along what was not read
				if _, err := io.ReadFull(res.Body, first); err != nil {
					p.Error(err)
				}
				res.Body = &resumed{io.MultiReader(bytes.NewReader(first), res.Body), res.Body}
				go func() {
					defer close(done)
					report, err := p.srv.Shutdown(ctx(context.Background()))
					p.note("shutdown", "%d drained, %d cut, %d refused: %s", report.Drained, report.Cut, report.Refused, name(err))
				}()
				p.read(res)
				await(p, done)
			}
		}}
	}
	return []aCase{
		drained("a drain", func(ctx context.Context) context.Context { return ctx }, func(r *record, s *weir.Stream) {
			<-s.Draining()
			r.note("handler", "Send: %s", name(s.Send([]byte("b"))))
		}),
		drained("a drain that is cut short", func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		}, func(r *record, s *weir.Stream) {
			<-s.Done()
			r.note("handler", "Send: %s", name(s.Send([]byte("b"))))
		}),
	}
}
