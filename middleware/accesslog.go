package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/logq"
)

// A Format is how lines of an [AccessLog] look.
type Format uint8

const (
	JSON     Format = iota // log/slog's JSON
	Text                   // log/slog's text: name=value
	Common                 // NCSA's Common Log Format
	Combined               // Common, with Referer and User-Agent
)

var formats = [...]string{"json", "text", "common", "combined"}

// MarshalText returns the format's name: json, text, common or combined.
func (f Format) MarshalText() ([]byte, error) {
	if int(f) >= len(formats) {
		return nil, fmt.Errorf("middleware: unknown Format %d", f)
	}
	return []byte(formats[f]), nil
}

// UnmarshalText reads a format's name, for flags and configurations.
func (f *Format) UnmarshalText(text []byte) error {
	i := slices.Index(formats[:], string(text))
	if i < 0 {
		return fmt.Errorf("middleware: unknown format %q of a log; want json, text, common or combined", text)
	}
	*f = Format(i)
	return nil
}

// AccessLog writes a line for each request when it has ended, and for each
// connection that is refused: also for those that no middleware sees. Nothing
// waits for the reader of the log: what does not fit in Out's queue is lost and
// counted. What clients say is escaped and bounded in length, and the query is
// left out, where secrets may be.
type AccessLog struct {
	Out    *logq.Writer // where lines go; required
	Format Format
	// Clients finds the client's address, if there are proxies.
	Clients *Clients
	// Skip is asked whether a request is left out: health checks, for instance.
	// It is called where the request ends, must not block, and may look only at
	// what no handler can change: method, path, pattern and addresses. nil
	// leaves none out.
	Skip func(r *weir.Request, status int) bool
}

// StatusDisconnected is the status by which logs show that a client
// disconnected before its response was complete, as in nginx. It is never sent.
const StatusDisconnected = 499

// entry is what the log knows of a request from its head on: the fields of the
// request are the handler's by its end.
type entry struct {
	since          time.Time
	addr           netip.Addr // of the client
	referer, agent string
	id             atomic.Pointer[string] // set by RequestIDs
}

// logged has the request's entry.
var logged = weir.NewKey[*entry]("access log")

// Trace returns the log as a hook of a server: set it as Server.Trace. It panics
// if Out is nil or Format is none.
func (c AccessLog) Trace() *weir.Trace {
	if c.Out == nil || c.Format > Combined {
		panic("middleware: AccessLog: want Out, and a Format from JSON to Combined")
	}
	l := &accessLog{AccessLog: c}
	if c.Format <= Text {
		l.handler = c.Out.Handler(c.Format == Text)
	}
	return &weir.Trace{Start: l.start, End: l.end, Refused: l.refused}
}

type accessLog struct {
	AccessLog
	handler slog.Handler // of the formats that are slog's
}

func (l *accessLog) start(r *weir.Request) any {
	e := &entry{since: time.Now(), addr: l.Clients.Addr(r)}
	if l.Format == Combined {
		e.referer, e.agent = Clip(r.Header().Get("Referer")), Clip(r.Header().Get("User-Agent"))
	}
	logged.Set(r, e)
	return e
}

func (l *accessLog) end(r *weir.Request, state any, sent weir.ResponseStats, cause error) {
	e, status := state.(*entry), LogStatus(sent, cause)
	if l.Skip != nil && l.Skip(r, status) {
		return
	}
	if l.handler == nil {
		l.common(r, e, status, sent.Bytes)
		return
	}
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	id := ""
	if p := e.id.Load(); p != nil {
		id = *p
	}
	line.AddAttrs(LogAttrs(r, id, nameOf(e.addr, r), status)...)
	line.AddAttrs(slog.Int64("bytes", sent.Bytes), slog.Float64("took_ms", float64(time.Since(e.since).Microseconds())/1e3))
	if cause != nil && status != StatusDisconnected {
		line.AddAttrs(slog.String("err", cause.Error()))
	}
	_ = l.handler.Handle(context.Background(), line) // there is nowhere to report a failure of the log
}

func (l *accessLog) refused(remote netip.AddrPort, listen net.Addr) {
	if l.handler == nil {
		l.write(appendCommon(nil, &commonLine{client: ClientName(remote, listen), at: time.Now(), status: 503}, l.Format))
		return
	}
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	line.AddAttrs(slog.String("client", ClientName(remote, listen)), slog.Int("status", 503), slog.String("err", "too many connections"))
	_ = l.handler.Handle(context.Background(), line) // as above
}

// LogStatus is the status of a response in a log: that of its head, or
// StatusDisconnected.
func LogStatus(sent weir.ResponseStats, cause error) int {
	if errors.Is(cause, weir.ErrClientGone) || errors.Is(cause, weir.ErrSlowClient) {
		return StatusDisconnected
	}
	return sent.Status
}

// LogAttrs are the attributes of a request in a log, for logs that have more of
// their own: id, client, method, path, proto and status.
func LogAttrs(r *weir.Request, id, client string, status int) []slog.Attr {
	return []slog.Attr{
		slog.String("id", id), slog.String("client", client),
		slog.String("method", Clip(r.Method())), slog.String("path", Clip(r.Path())), slog.String("proto", r.Proto()), slog.Int("status", status),
	}
}

// ClientName names a client in a log: its address, or the unix socket that it
// came in by.
func ClientName(remote netip.AddrPort, listen net.Addr) string {
	switch {
	case remote.IsValid():
		return remote.String()
	case listen != nil:
		return listen.Network() + ":" + listen.String()
	}
	return "unknown"
}

// Clip returns a client's text, truncated for a log; the log's format must
// escape it.
func Clip(said string) string {
	const most = 128
	if len(said) <= most {
		return said
	}
	return strings.ToValidUTF8(said[:most], "") + "…"
}

// lines has memory for lines of Common, which Out copies.
var lines = sync.Pool{New: func() any { return new([]byte) }}

func (l *accessLog) common(r *weir.Request, e *entry, status int, bytes int64) {
	client := "-"
	if e.addr.IsValid() {
		client = e.addr.String() // the format has no port
	}
	b := lines.Get().(*[]byte)
	*b = appendCommon((*b)[:0], &commonLine{
		client: client, at: e.since, method: r.Method(), path: r.Path(), proto: r.Proto(),
		status: status, bytes: bytes, referer: e.referer, agent: e.agent,
	}, l.Format)
	l.write(*b)
	lines.Put(b)
}

func (l *accessLog) write(line []byte) { _, _ = l.Out.Write(line) } // it never fails
