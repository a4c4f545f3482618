// Package tour is `weir tour`: one server that shows every feature, a route
// each. It is the newcomer's first page, and the black box for conformance
// suites and load generators.
//
// Reading order: this file, plain.go, streams.go, then the rest as wanted.
package tour

import (
	"embed"
	"io"
	"log/slog"
	"net/http"

	"weir"
	"weir/cmd/weir/internal/command"
	"weir/cmd/weir/internal/guard"
	"weir/cmd/weir/internal/pages"
	"weir/middleware"
	"weir/middleware/compress"
	"weir/nethttp"
	"weir/ws"
)

const help = `
Serves one route for each feature of weir:

  GET  /                             a page for browsers that tries each of these
  GET  /plaintext                    Hello, World!, on the event loop
  GET  /json                         the same as JSON, encoded each time
  POST /echo                         the body back
  PUT  /upload?max=1048576&auth=0    takes the body while it arrives; decides before it does
  GET  /params/{id}/{slug}           a request as the server understood it
  GET  /numbers?n=10                 a stream that the event loop pulls
  GET  /sse?n=5&interval=10ms        server-sent events from a generator; resumes after Last-Event-ID
                                     cut=N cuts the stream after N of them, retry=1s is when clients reconnect
  GET  /tokens?n=64&interval=20ms&size=8    a native stream handler at a fixed pace; stamp=1 for measuring
  GET  /burst?n=1000&size=64         a stream that is pushed as fast as the client takes it
  GET  /ndjson?n=10                  a stream of JSON lines; coded=1 compresses it as the client accepts
  GET  /clock?interval=1s&heartbeat=5s      events without end, comments in between
  GET  /slow-head?delay=500ms&status=202    a head that is committed late
  GET  /fail?after=2&panic=0&interval=0s    a stream that fails
  GET  /trailers                     a stream with a trailer
  GET  /subscribe?topic=t            a topic, with replay: lines of JSON; as=sse for server-sent events
  POST /publish?topic=t              sends the body to all its subscribers
  GET  /ws                           a WebSocket that echoes, with permessage-deflate
  GET  /ws/room/{name}               a room of WebSockets: each text goes to all
  GET  /http/stream?n=5              a net/http handler on the event loops: flushes n lines
  GET  /http/headers                 another: the request's header as JSON
  GET  /files/…                      files: a small tree of its own, or those of --files
  GET  /stats                        what the server counts, as JSON`

//go:embed page
var page embed.FS

// list responds with the routes, for clients that do not want the page.
func list(w *weir.Response, _ *weir.Request) {
	setHeader(w, "Content-Type", "text/plain; charset=utf-8")
	w.WriteString(help[1:] + "\n")
}

// Main runs `weir tour`.
func Main(args []string, stdout, stderr io.Writer) int {
	return command.Serve(stdout, stderr, false, func(e *command.Env) int {
		var serving command.Serving
		fs := command.NewFlags("weir tour")
		serving.Register(fs, "127.0.0.1:8080")
		serving.RegisterTLS(fs)
		log := middleware.JSON
		access := fs.Bool("access", false, "log a line for each request to stdout, in the form of --access-format")
		fs.TextVar(&log, "access-format", log, "`FORM` of that log: json, text, common or combined")
		dir := fs.String("files", "", "`DIR` that /files/ serves (default a small tree of its own)")
		if code, done := command.Parse(fs, help, args, stdout, stderr); done {
			return code
		}
		if err := serving.CheckTLS(); err != nil {
			return command.WrongUse(fs.Name(), err.Error(), stderr)
		}
		files, err := filesOf(*dir)
		if err != nil {
			return command.WrongUse(fs.Name(), err.Error(), stderr)
		}
		defer files.Close()
		srv := newServer(e.Log, files)
		if *access {
			srv.Trace = middleware.AccessLog{Out: e.Stdout, Format: log}.Trace()
		}
		serving.HTTP2 = nethttp.OfServer(srv)
		return serving.Run(e, srv, fs.Name())
	})
}

// New returns the tour's server with its own files, to be started.
func New(log *slog.Logger) *weir.Server {
	files, err := filesOf("")
	if err != nil {
		panic(err) // they are embedded
	}
	return newServer(log, files)
}

func newServer(log *slog.Logger, files weir.Handler) *weir.Server {
	srv := &weir.Server{OnHeaders: admit, Logger: log}
	srv.Limits.Handlers = 100_000 // it is measured with many thousand streams
	srv.Handler = routes(srv, files)
	return srv
}

// others keeps pages of other origins from changing anything. Host may have any
// name, since suites send many.
var others = guard.New(guard.Config{Origins: []string{}, Hosts: []string{"*"}, Reads: true})

// admit is the server's OnHeaders: what it refuses, it refuses before the body.
func admit(w *weir.Response, r *weir.Request) bool {
	if no := others.Check(r); no != nil {
		w.Error(403, no.Message)
		return false
	}
	return admitUpload(w, r)
}

// around is what stands around requests that are about their own fields. Other
// routes are for measuring, and for tools that compare every byte.
var around = []weir.Middleware{
	middleware.RequestIDs{Proxies: middleware.MustPeers("loopback")}.Middleware(),
	middleware.Security{}.Middleware(),
	middleware.CORS{Origins: []string{"*"}}.Middleware(),
	middleware.RateLimit{Limit: 10_000}.Middleware(),
	compress.Bodies{}.Middleware(),
}

func routes(srv *weir.Server, files weir.Handler) *weir.Mux {
	mux := new(weir.Mux)
	pages.Mount(mux, page, list)
	mux.HandleFunc("GET /plaintext", plaintext).Inline()
	mux.HandleFunc("GET /json", sayJSON).Inline()
	mux.HandleFunc("POST /echo", echo)
	mux.HandleFunc(uploadPattern, upload).StreamBody()
	mux.HandleFunc("GET /params/{id}/{slug}", params, around...)

	mux.HandleFunc("GET /numbers", numbers).Inline()
	mux.HandleFunc("GET /sse", ticks)
	mux.Handle("GET /tokens", weir.Native(tokensName))
	mux.HandleFunc("GET /burst", burst)
	mux.HandleFunc("GET /ndjson", ndjson)
	mux.HandleFunc("GET /clock", clock)

	mux.HandleFunc("GET /slow-head", slowHead)
	mux.HandleFunc("GET /fail", fail)
	mux.HandleFunc("GET /trailers", trailers)
	topics := newTopics()
	mux.HandleFunc("GET /subscribe", subscribe(topics)).Inline()
	mux.HandleFunc("POST /publish", publish(topics))
	mux.HandleLoop("GET /ws", wsEcho())
	mux.HandleLoop("GET /ws/room/{name}", (&rooms{byName: map[string]*ws.Room{}}).handler())
	mux.Handle("GET /http/", nethttp.FromHTTP(http.StripPrefix("/http", httpHandler()))).StreamBody()
	mux.Handle("GET /files/{path...}", files)
	mux.HandleFunc("GET /stats", stats(srv))
	return mux
}

// setHeader is for fields that are known to be good.
func setHeader(w *weir.Response, name, value string) {
	if err := w.Header().TrySet(name, value); err != nil {
		panic(err)
	}
}
