package tour

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir"
	"weir/internal/patience"
	"weir/sse"
)

// L2: event streams say what proxies and browsers want to hear.
func TestEventStreamFields(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/sse", "/tokens?n=1&interval=0s"} {
		r := s.get(path)
		if r.Header.Get("Cache-Control") != "no-cache" || r.Header.Get("X-Accel-Buffering") != "no" || !slices.Equal(r.TransferEncoding, []string{"chunked"}) {
			t.Errorf("%s: got %v %v", path, r.TransferEncoding, r.Header)
		}
	}
}

// L17: a client that reconnects gets what it lacks; one that has it all, 204.
func TestLastEventID(t *testing.T) {
	s := start(t)
	for _, tt := range []struct {
		last   string
		status int
		ids    string
	}{
		{"", 200, "1 2 3"},
		{"0", 200, "1 2 3"},
		{"2", 200, "3"},
		{"3", 204, ""},
		{"4", 204, ""},
		{"-1", 200, "1 2 3"},
		{"not ours", 200, "1 2 3"},
		{"99999999999999999999", 200, "1 2 3"},
	} {
		r := s.get("/sse?n=3&interval=0s", "Last-Event-ID: "+tt.last)
		var ids []string
		for ev, err := range sse.Read(strings.NewReader(r.body)) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, ev.ID)
		}
		if got := strings.Join(ids, " "); r.StatusCode != tt.status || got != tt.ids {
			t.Errorf("Last-Event-ID %q: got %d with %q, want %d with %q", tt.last, r.StatusCode, got, tt.status, tt.ids)
		}
	}
}

// E16: comments fill the silence between two events.
func TestClock(t *testing.T) {
	s := start(t)
	for _, tt := range []struct{ query, want string }{
		{"interval=1h&heartbeat=5ms", `^data: \S+\n\n:\n\n:\n\n$`},
		{"interval=1ms&heartbeat=0s", `^data: \S+\n\ndata: \S+\n\ndata: \S+\n\n$`},
	} {
		res := s.open("/clock?" + tt.query)
		var got strings.Builder
		for lines := bufio.NewReader(res.Body); strings.Count(got.String(), "\n\n") < 3; {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("%s: got %q, then %v", tt.query, got.String(), err)
			}
			got.WriteString(line)
		}
		if !regexp.MustCompile(tt.want).MatchString(got.String()) {
			t.Errorf("%s: got %q, want %s", tt.query, got.String(), tt.want)
		}
	}
}

// open makes a GET and leaves the body to be read, until the test ends.
func (s *server) open(path string) *http.Response {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { res.Body.Close() })
	return res
}

// C3: a stream that failed never looks finished.
func TestFail(t *testing.T) {
	s := start(t)
	for _, query := range []string{"", "?after=1", "?panic=1"} {
		r := s.do("GET", "/fail"+query, nil)
		if r.StatusCode != 200 || !strings.HasPrefix(r.body, "chunk 1\n") || !errors.Is(r.err, io.ErrUnexpectedEOF) && !isReset(r.err) {
			t.Errorf("/fail%s: got %d %q, then %v, want a body that is cut", query, r.StatusCode, r.body, r.err)
		}
	}
	if st := s.Stats(); st.StreamsFailed != 3 || st.StreamsActive != 0 {
		t.Errorf("got %d failed and %d active streams, want 3 and 0", st.StreamsFailed, st.StreamsActive)
	}
}

func TestTrailers(t *testing.T) {
	r := start(t).get("/trailers")
	got, announced := r.Trailer["Server-Timing"]
	if !announced || len(got) != 1 || !regexp.MustCompile(`^total;dur=\d+\.\d{3}$`).MatchString(got[0]) {
		t.Errorf("got the trailers %q, want one Server-Timing", r.Trailer)
	}
}

// L4: whoever serves a stream learns that the client has left: while it waits
// for its first chunk, between two chunks, and while the client takes nothing.
func TestCancellation(t *testing.T) {
	for _, path := range []string{
		"/sse?n=1000000&interval=1h", "/tokens?n=1000000&interval=1h", "/clock?interval=1h&heartbeat=1h",
		"/slow-head?delay=1h", "/burst?n=1000000000", "/numbers?n=1000000000000000000", "/ndjson?n=1000000000",
	} {
		t.Run(path, func(t *testing.T) {
			ends := make(chan error, 10)
			s := start(t, func(srv *weir.Server) {
				srv.Trace = &weir.Trace{End: func(_ *weir.Request, _ any, _ weir.ResponseStats, cause error) { ends <- cause }}
			})
			c := s.raw("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
			for s.Stats().StreamsActive == 0 {
				runtime.Gosched()
			}
			c.Close()
			select {
			case cause := <-ends:
				if !errors.Is(cause, weir.ErrClientGone) {
					t.Errorf("got the cause %v, want %v", cause, weir.ErrClientGone)
				}
			case <-time.After(patience.Limit):
				t.Fatal("the request goes on without its client")
			}
			if _, err := s.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			if st := s.Stats(); st.StreamsActive != 0 || st.StreamsCancelled != 1 || st.StreamsTotal != 1 || len(ends) > 0 {
				t.Errorf("got %d active, %d cancelled of %d streams, %d more ends, want one that was cancelled, once",
					st.StreamsActive, st.StreamsCancelled, st.StreamsTotal, len(ends))
			}
		})
	}
}

// isReset reports whether the connection was reset: with RST, as it should be
// for a body that is not whole.
func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }
