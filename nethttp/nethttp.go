// Package nethttp serves net/http handlers on weir's event loops, with FromHTTP,
// and weir's handlers under net/http, with ToHTTP.
//
// [FromHTTP] makes a [weir.Handler] of any [http.Handler]: a router, a file
// server, a reverse proxy, promhttp, pprof. Mount it with StreamBody, so that
// the handler reads the request body while it arrives, or without, so that it
// is called when the whole body has arrived:
//
//	mux := new(weir.Mux)
//	mux.Handle("/metrics/", nethttp.FromHTTP(promhttp.Handler())).StreamBody()
//
// It runs on a goroutine of its own and may block, as under net/http.
// Do not mount it with Inline.
//
// # What is the same
//
// A response of up to 2 KiB that is not flushed has a Content-Length, a longer
// one is chunked, as net/http does it. Content-Type is sniffed. http.Flusher,
// http.Hijacker, io.ReaderFrom and http.ResponseController's Flush, Hijack,
// SetReadDeadline, SetWriteDeadline and EnableFullDuplex work: WebSocket
// libraries and the upgrades of httputil.ReverseProxy. Write waits for a client
// that does not read. The request's context is cancelled when the client
// disconnects, with weir's cause (context.Cause), and when the request ends.
// The request has the pattern and the path values of the weir.Mux. Trailers of
// the response may be declared or have http.TrailerPrefix. A request body that
// the handler has not read is discarded before the response begins, up to 256
// KiB, unless EnableFullDuplex was called.
//
// Mistakes of the handler, such as a superfluous WriteHeader, are logged with
// [slog.Default], at most ten a second.
//
// # What is not
//
//   - Hijack gives a *weir.Pipe, on which weir's stall time, statistics and drain
//     stay in force, and which is not a *net.TCPConn. It is not possible once
//     the response was flushed, before the request body was read, and over
//     HTTP/2. A status 101 without Hijack becomes 500.
//   - The response's Date is always there; of Connection only close is sent,
//     and not Keep-Alive, Upgrade, TE and Proxy-Connection. Fields with control
//     characters are not sent, 205 has no body, and a HEAD response of unknown
//     length has Transfer-Encoding, as that to GET would.
//   - A response without a body, to HEAD or with 204 or 304, is complete when
//     Flush has sent its head: the request's context ends then, with
//     weir.ErrNoBody.
//   - Several values of one trailer are joined. A declared trailer that is
//     never set is empty if the response began before the handler returned.
//   - A panic before the response has begun is a 500, instead of nothing.
//     http.ErrAbortHandler is not logged.
//   - A body that exceeds a limit or violates the chunked coding gets the
//     server's own error response, also when the handler has written another
//     that was not sent yet.
//   - http.LocalAddrContextKey is the listener's address, and
//     http.ServerContextKey has no value.
package nethttp

import (
	"bufio"
	"net/http"
	"sync"

	"weir"
)

// FromHTTP makes a weir.Handler of h, for weir.Mux.Handle, with StreamBody or
// without.
func FromHTTP(h http.Handler) weir.Handler {
	if h == nil {
		panic("nethttp: FromHTTP of a nil handler")
	}
	return adapter{h}
}

type adapter struct{ http.Handler }

// Serve calls the http.Handler.
func (a adapter) Serve(w *weir.Response, r *weir.Request) {
	x := &response{res: w, length: -1, head: r.Method() == "HEAD"}
	req, err := newRequest(r, x)
	if err != nil {
		w.Header().Set("Connection", "close")
		w.Error(http.StatusBadRequest, "400 Bad Request")
		return
	}
	returned := false
	defer func() {
		if !returned {
			x.crash(recover())
		}
	}()
	a.ServeHTTP(x, req)
	x.finish()
	if req.MultipartForm != nil {
		_ = req.MultipartForm.RemoveAll() // as net/http, which does not report it either
	}
	returned = true
}

// crash ends the response of a handler that panicked. Any value but
// http.ErrAbortHandler is passed to the server, which logs it; nil is
// runtime.Goexit, which continues.
func (w *response) crash(value any) {
	w.retire()
	switch {
	case value == nil:
	case w.hijacked && value == http.ErrAbortHandler:
		w.res.Stream().Abort(weir.ErrAborted)
	case value != http.ErrAbortHandler:
		panic(value)
	case w.stream != nil:
		w.stream.Abort(weir.ErrAborted)
	default:
		w.res.Header().Clear()
		w.res.Header().Set("Connection", "close")
		w.res.Error(http.StatusInternalServerError, http.StatusText(http.StatusInternalServerError))
	}
}

// bufferSize is how much of a response is buffered until its Content-Length is
// known, and the least size of a chunk that is not flushed: net/http's.
const bufferSize = 2 << 10

// buffers are *bufio.Writer of bufferSize.
var buffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, bufferSize) }}
