package nethttp

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir"
	"weir/internal/guest"
)

// ToHTTP makes an http.Handler of h, a weir.Mux for example, so that the same
// handlers run under net/http: with its HTTP/2, in httptest, beside handlers of
// others. Limits and timeouts are weir's defaults; OfServer is for others.
//
// The goroutine on which net/http calls it stands for the event loop: inline
// handlers and Sources run there, and it writes the response. Other handlers
// run on a goroutine of their own. What they send above the high mark waits, as
// on weir's server; a client that takes nothing for Timeouts.WriteStall is cut
// with weir.ErrSlowClient, unless the http.Server has a WriteTimeout, which is
// then the limit.
//
// A response that fails after its head ends with a panic of
// http.ErrAbortHandler, which net/http makes the end of the connection, or of
// the HTTP/2 stream, without the end of the body. OnClose, Done and Context see
// a disconnect when the request's context ends.
//
// A weir.LoopHandler's requests have event loops, in turn: those of the Server
// with OfServer. With ToHTTP the handler has loops of its own, GOMAXPROCS of
// them, from the first such request until nothing refers to the handler any
// more.
//
// What differs:
//
//   - Request.ListenAddr is the address of the connection, not of the listener.
//   - The fields of the request are in the order of their names.
//   - With ToHTTP, Stream.Draining is closed when the http.Server's Shutdown is
//     called, which waits for handlers and does not say for how long:
//     Stream.Deadline knows of none.
func ToHTTP(h weir.Handler) http.Handler {
	if h == nil {
		panic("nethttp: ToHTTP of a nil handler")
	}
	return &host{Server: guest.New(h), drains: new(drains)}
}

// OfServer is ToHTTP of s.Handler, under all else that s is: its limits and
// timeouts, OnHeaders, OnError, Trace, log and statistics. It is what
// weir.TLS.HTTP2 wants, so that HTTP/2 gets around nothing that HTTP/1.1 meets:
//
//	srv.TLS.HTTP2 = nethttp.OfServer(srv)
//
// Until s was started, and once it refuses requests to shut down, the response
// is 503.
func OfServer(s *weir.Server) http.Handler {
	if s == nil {
		panic("nethttp: OfServer of a nil server")
	}
	return &host{Server: guest.Of(s)}
}

// host brings net/http's requests to weir.
type host struct {
	guest.Server
	drains *drains // nil = weir's server drains
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	res := &guestResponse{w: w, control: control, http1: r.ProtoMajor == 1}
	req := &guest.Request{Head: appendHead(nil, r), Proto: r.Proto, Done: r.Context().Done(), Response: res}
	req.Remote, _ = netip.ParseAddrPort(r.RemoteAddr) // not an address on unix sockets
	req.TLS = r.TLS
	req.Local, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if h.drains != nil && server != nil {
		req.Draining = h.drains.of(server)
	}
	if r.Body != nil && r.Body != http.NoBody {
		_ = control.EnableFullDuplex() // where it is not the default, as with HTTP/2, which reports an error
		req.Body, req.Trailer = r.Body, func() []guest.Field { return trailers(r) }
		if server != nil && server.ReadTimeout == 0 {
			req.ReadBy = func(by time.Time) { _ = control.SetReadDeadline(by) } // or the client may be slow
		}
	}
	if res.bounded = server != nil && server.WriteTimeout == 0; res.bounded {
		defer control.SetWriteDeadline(time.Time{}) // for the next request of the connection
	}
	switch err := h.Serve(req); {
	case errors.Is(err, guest.ErrNotStarted):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case err != nil:
		panic(http.ErrAbortHandler)
	}
}

// drains are channels by *http.Server, each closed when that shuts down.
type drains struct{ all sync.Map }

func (d *drains) of(server *http.Server) <-chan struct{} {
	if ch, ok := d.all.Load(server); ok {
		return ch.(chan struct{})
	}
	ch := make(chan struct{})
	if other, loaded := d.all.LoadOrStore(server, ch); loaded {
		return other.(chan struct{})
	}
	server.RegisterOnShutdown(sync.OnceFunc(func() { close(ch) }))
	return ch
}

// appendHead writes the head of r as HTTP/1.1 would have it.
func appendHead(dst []byte, r *http.Request) []byte {
	uri, version := r.RequestURI, " HTTP/1.1\r\n"
	if uri == "" {
		uri = r.URL.RequestURI()
	}
	if !r.ProtoAtLeast(1, 1) {
		version = " HTTP/1.0\r\n"
	}
	dst = append(append(append(append(dst, r.Method...), ' '), uri...), version...)
	if r.Host != "" || r.ProtoAtLeast(1, 1) {
		dst = appendField(dst, "Host", r.Host)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
			continue // said otherwise
		}
		for _, value := range r.Header[name] {
			dst = appendField(dst, name, value)
		}
	}
	switch {
	case r.ContentLength > 0, r.ContentLength == 0 && r.Header["Content-Length"] != nil:
		dst = appendField(dst, "Content-Length", strconv.FormatInt(r.ContentLength, 10))
	case r.ContentLength < 0 && r.ProtoAtLeast(1, 1):
		dst = appendField(dst, "Transfer-Encoding", "chunked")
	}
	return append(dst, "\r\n"...)
}

// appendField appends a field. A value with the end of a line, which can come
// only from another handler, must not begin a field of its own.
func appendField(dst []byte, name, value string) []byte {
	dst = append(append(dst, name...), ": "...)
	if strings.ContainsAny(value, "\r\n\x00") {
		value = strings.Map(func(c rune) rune {
			if c == '\r' || c == '\n' || c == 0 {
				return ' '
			}
			return c
		}, value)
	}
	return append(append(dst, value...), "\r\n"...)
}

// trailers are the fields behind the body of r, which has ended.
func trailers(r *http.Request) (all []guest.Field) {
	for _, name := range slices.Sorted(maps.Keys(r.Trailer)) {
		for _, value := range r.Trailer[name] {
			all = append(all, guest.Field{Name: name, Value: value})
		}
	}
	return all
}

// guestResponse is an http.ResponseWriter as what weir writes to.
type guestResponse struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	declared []string
	bounded  bool // writes have deadlines
	http1    bool // else each response leaves the connection to the others
}

// Inform sends an informational response.
func (g *guestResponse) Inform(in *guest.Inform) {
	header := g.w.Header()
	others := maps.Clone(header) // which another handler may have set for the response
	clear(header)
	for _, f := range in.Fields {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		header[name] = append(header[name], f.Value)
	}
	g.w.WriteHeader(in.Status)
	clear(header)
	maps.Copy(header, others)
}

// Head sends status and fields as they are: without a Content-Type that
// net/http would guess. Those that another handler has set before stay, unless
// the response has its own; what such fields list together is kept.
func (g *guestResponse) Head(h *guest.Head) {
	header := g.w.Header()
	header["Content-Type"] = nil
	var store [16]string
	ours := store[:0]
	for _, f := range h.Fields {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		if name != "Vary" && name != "Set-Cookie" && !slices.Contains(ours, name) {
			header[name], ours = nil, append(ours, name)
		}
		header[name] = append(header[name], f.Value)
	}
	if h.Length >= 0 {
		header["Content-Length"] = []string{strconv.FormatInt(h.Length, 10)}
	}
	if h.Close && g.http1 || h.Drain { // with HTTP/2 it makes a GOAWAY
		header["Connection"] = []string{"close"}
	}
	for _, name := range h.Trailers {
		name = textproto.CanonicalMIMEHeaderKey(name)
		g.declared = append(g.declared, name)
		header["Trailer"] = append(header["Trailer"], name)
	}
	g.w.WriteHeader(h.Status)
}

func (g *guestResponse) Write(p []byte, by time.Time) error {
	g.limit(by)
	_, err := g.w.Write(p)
	return err
}

func (g *guestResponse) Flush(by time.Time) error {
	g.limit(by)
	if err := g.control.Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil // it leaves when the handler has returned
}

func (g *guestResponse) limit(by time.Time) {
	if g.bounded {
		_ = g.control.SetWriteDeadline(by) // or the client may be slow
	}
}

// Trailers sets the fields that net/http sends behind the body.
func (g *guestResponse) Trailers(fields []guest.Field) {
	header := g.w.Header()
	for _, f := range fields {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		if !slices.Contains(g.declared, name) {
			name = http.TrailerPrefix + name
		}
		header[name] = []string{f.Value}
	}
}
