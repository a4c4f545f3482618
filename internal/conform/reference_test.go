package conform

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// reference is the tour's routes on net/http: the half of HTTP on which net/http and
// the rules agree shows that the cases ask for the right thing.
type reference struct {
	timeout                  time.Duration
	conns, active, cancelled atomic.Int64
	mux                      http.ServeMux
}

// refTimeout is each time-out of the reference that cases wait for; the other one is
// patient.
const refTimeout = 500 * time.Millisecond

// referenceTarget starts two references, a patient one and one with short time-outs.
func referenceTarget(t *testing.T) Target {
	return Target{
		Dial:        startReference(t, 30*time.Second),
		DialTimed:   startReference(t, refTimeout),
		HeadTimeout: refTimeout, IdleTimeout: refTimeout, BodyTimeout: refTimeout, StallTimeout: refTimeout,
	}
}

func startReference(t *testing.T, timeout time.Duration) func() (net.Conn, error) {
	ref := &reference{timeout: timeout}
	ref.routes()
	server := httptest.NewUnstartedServer(http.HandlerFunc(ref.serve))
	server.Config.ReadHeaderTimeout = timeout
	server.Config.IdleTimeout = timeout
	server.Config.MaxHeaderBytes = 28 << 10 // net/http adds 4 KiB of slop
	server.Config.ErrorLog = discardLog
	server.Config.ConnState = ref.count
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	addr := server.Listener.Addr().String()
	return func() (net.Conn, error) { return net.Dial("tcp", addr) }
}

func (ref *reference) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		ref.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		ref.conns.Add(-1)
	}
}

// serve answers what net/http leaves to its user: expectations, and bodies over the limit.
func (ref *reference) serve(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<20)
	if r.Method == http.MethodOptions && r.URL.Path == "/plaintext" { // to net/http a method like any other
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	ref.mux.ServeHTTP(w, r)
}

func (ref *reference) routes() {
	ref.mux.HandleFunc("GET /plaintext", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, hello) })
	ref.mux.HandleFunc("GET /json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"message":"Hello, World!"}`)
	})
	ref.mux.HandleFunc("POST /echo", ref.echo)
	ref.mux.HandleFunc("PUT /upload", ref.upload)
	ref.mux.HandleFunc("GET /params/{id}/{slug}", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"id": r.PathValue("id"), "slug": r.PathValue("slug"), "query": r.URL.Query(), "headers": r.Header})
	})
	ref.mux.HandleFunc("GET /stats", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"connections":%d,"streams_active":%d,"streams_cancelled":%d,"goroutines":%d}`,
			ref.conns.Load(), ref.active.Load(), ref.cancelled.Load(), runtime.NumGoroutine())
	})
	ref.stream("/numbers", "text/plain", refNumbers)
	ref.stream("/sse", "text/event-stream", refSSE)
	ref.stream("/tokens", "text/event-stream", refTokens)
	ref.stream("/burst", "text/plain", refBurst)
	ref.stream("/ndjson", "application/x-ndjson", refNDJSON)
	ref.stream("/clock", "text/event-stream", refClock)
	ref.stream("/slow-head", "text/plain", refSlowHead)
	ref.stream("/fail", "text/plain", refFail)
	ref.stream("/trailers", "text/plain", refTrailers)
}

// out is a stream being written: put sends one chunk, wait sleeps unless the client goes.
type out struct {
	http.ResponseWriter
	r       *http.Request
	timeout time.Duration
}

func (o out) put(format string, args ...any) error {
	_ = http.NewResponseController(o.ResponseWriter).SetWriteDeadline(time.Now().Add(o.timeout))
	if err := o.r.Context().Err(); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(o, format, args...); err != nil {
		return err
	}
	return http.NewResponseController(o.ResponseWriter).Flush()
}

func (o out) wait(d time.Duration) error {
	select {
	case <-o.r.Context().Done():
		return context.Cause(o.r.Context())
	case <-time.After(d):
		return nil
	}
}

func (o out) number(name string, fallback int) int {
	if n, err := strconv.Atoi(o.r.FormValue(name)); err == nil {
		return n
	}
	return fallback
}

func (o out) duration(name string, fallback time.Duration) time.Duration {
	if d, err := time.ParseDuration(o.r.FormValue(name)); err == nil {
		return d
	}
	return fallback
}

// stream registers a streaming route and counts it for /stats.
func (ref *reference) stream(path, kind string, body func(out) error) {
	ref.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		if kind == "text/event-stream" {
			w.Header().Set("Cache-Control", "no-cache")
			w.Header().Set("X-Accel-Buffering", "no")
		}
		if r.Method == http.MethodHead {
			return
		}
		// A write that is blocked does not see the client go; net/http needs help here.
		defer context.AfterFunc(r.Context(), func() {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
		})()
		ref.active.Add(1)
		err := body(out{w, r, ref.timeout})
		if r.Context().Err() != nil {
			ref.cancelled.Add(1)
		}
		ref.active.Add(-1)
		if err != nil {
			refAbort(w)
		}
	})
}

// refAbort resets the connection, so that no client takes the stream for finished.
func refAbort(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// pacedBody fails when it is read in drips: a read must bring some bytes in time.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	timeout time.Duration
}

func (b pacedBody) Read(p []byte) (int, error) {
	const drip = 256
	_ = b.control.SetReadDeadline(time.Now().Add(b.timeout))
	n := 0
	for n < min(drip, len(p)) {
		m, err := b.ReadCloser.Read(p[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (ref *reference) echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(pacedBody{r.Body, http.NewResponseController(w), ref.timeout})
	if err != nil {
		refBodyError(w, err)
		return
	}
	if kind, ok := r.Header["Content-Type"]; ok {
		w.Header()["Content-Type"] = kind
	}
	w.Write(body)
}

func (ref *reference) upload(w http.ResponseWriter, r *http.Request) {
	body := pacedBody{r.Body, http.NewResponseController(w), ref.timeout}
	_ = body.control.SetReadDeadline(time.Now().Add(refTimeout)) // net/http reads what we do not
	most := int64(out{w, r, 0}.number("max", 1<<20))
	switch {
	case r.FormValue("auth") == "1" && r.Header.Get("Authorization") == "":
		http.Error(w, "who are you", http.StatusUnauthorized)
		return
	case r.ContentLength > most:
		refBodyError(w, &http.MaxBytesError{})
		return
	}
	sum := sha256.New()
	n, err := io.Copy(sum, http.MaxBytesReader(w, body, most))
	if err != nil {
		refBodyError(w, err)
		return
	}
	fmt.Fprintf(w, `{"bytes":%d,"sha256":"%x"}`, n, sum.Sum(nil))
}

func refBodyError(w http.ResponseWriter, err error) {
	w.Header().Set("Connection", "close")
	status := http.StatusBadRequest
	if errors.As(err, new(*http.MaxBytesError)) {
		status = http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		status = http.StatusRequestTimeout
	}
	http.Error(w, "body refused", status)
}

func refNumbers(o out) error {
	for i := range o.number("n", 10) {
		if _, err := fmt.Fprintf(o, "%d\n", i+1); err != nil {
			return err
		}
	}
	return http.NewResponseController(o.ResponseWriter).Flush()
}

func refSSE(o out) error {
	from, _ := strconv.Atoi(o.r.Header.Get("Last-Event-ID"))
	for i := from + 1; i <= max(from, 0)+o.number("n", 5); i++ {
		if err := o.put("id: %d\ndata: tick %d\n\n", i, i); err != nil {
			return err
		}
		if err := o.wait(o.duration("interval", 10*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

func refTokens(o out) error {
	frame := strings.Repeat("t", o.number("size", 8))
	for range o.number("n", 64) {
		if err := o.put("data: %s\n\n", frame); err != nil {
			return err
		}
		if err := o.wait(o.duration("interval", 20*time.Millisecond)); err != nil {
			return err
		}
	}
	return o.put("data: [DONE]\n\n")
}

func refBurst(o out) error {
	chunk := strings.Repeat("b", o.number("size", 64))
	for range o.number("n", 1000) {
		if err := o.put("%s", chunk); err != nil {
			return err
		}
	}
	return nil
}

func refNDJSON(o out) error {
	for i := range o.number("n", 10) {
		if err := o.put(`{"n":%d,"text":"a\nb"}`+"\n", i); err != nil {
			return err
		}
	}
	return nil
}

func refClock(o out) error {
	if err := o.put("data: tick\n\n"); err != nil {
		return err
	}
	every, beat := o.duration("interval", time.Second), o.duration("heartbeat", 5*time.Second)
	for {
		text := "data: tick\n\n"
		if beat < every {
			text = ":\n\n"
		}
		if err := o.wait(min(every, beat)); err != nil {
			return err
		}
		if err := o.put("%s", text); err != nil {
			return err
		}
	}
}

func refSlowHead(o out) error {
	if err := o.wait(o.duration("delay", 500*time.Millisecond)); err != nil {
		return err
	}
	o.WriteHeader(o.number("status", 202))
	if o.number("status", 202) != http.StatusResetContent { // where net/http lets content through (RFC 9110 15.3.6)
		_ = o.put("late\n") // a 204 and a 304 refuse it, as they should
	}
	return nil
}

func refFail(o out) error {
	after := o.number("after", 2)
	if after == 0 {
		if o.r.FormValue("panic") != "" {
			o.Header().Set("Connection", "close")
		}
		http.Error(o, "failed", http.StatusInternalServerError)
		return nil
	}
	for range after {
		if err := o.put("chunk\n"); err != nil {
			return err
		}
	}
	return errors.New("failed")
}

func refTrailers(o out) error {
	o.Header().Set("Trailer", "Server-Timing")
	if err := errors.Join(o.put("one\n"), o.put("two\n")); err != nil {
		return err
	}
	o.Header().Set("Server-Timing", "total;dur=1")
	return nil
}
