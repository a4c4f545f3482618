package middleware_test

import (
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/logq"
	"weir/middleware"
	"weir/weirtest"
)

// logging is a server with a log in that format, and what it has written.
func logging(log middleware.AccessLog) (*weir.Server, func() string) {
	out := new(buffer)
	log.Out = logq.NewWriter(out, log.Format != middleware.JSON)
	srv := around(hello, middleware.RequestIDs{Proxies: middleware.MustPeers("*")}.Middleware())
	srv.Trace = log.Trace()
	return srv, func() string {
		synctest.Wait()
		return out.take()
	}
}

// M2: a line of each format.
func TestAccessLogFormats(t *testing.T) {
	const request = "GET /?key=secret|X-Request-Id: id-1|User-Agent: test \"1\"|Referer: https://a/?b"
	for _, tt := range []struct {
		format middleware.Format
		want   string
	}{
		{middleware.JSON, `^\{"time":"2000-[^"]+","level":"INFO","msg":"request","id":"id-1","client":"192\.0\.2\.1:\d+","method":"GET","path":"/","proto":"HTTP/1\.1","status":200,"bytes":5,"took_ms":0\}\n$`},
		{middleware.Text, `^time=2000-\S+ level=INFO msg=request id=id-1 client=192\.0\.2\.1:\d+ method=GET path=/ proto=HTTP/1\.1 status=200 bytes=5 took_ms=0\n$`},
		{middleware.Common, `^192\.0\.2\.1 - - \[01/Jan/2000:00:00:00 \+0000\] "GET / HTTP/1\.1" 200 5\n$`},
		{middleware.Combined, `^192\.0\.2\.1 - - \[01/Jan/2000:00:00:00 \+0000\] "GET / HTTP/1\.1" 200 5 "https://a/\?b" "test \\"1\\""\n$`},
	} {
		srv, said := logging(middleware.AccessLog{Format: tt.format})
		at(t, srv, func(s *weirtest.Server) {
			time.Local = time.UTC
			ask(s, request)
			if got := said(); !regexp.MustCompile(tt.want).MatchString(got) {
				t.Errorf("%v: got %q, want %s", tt.format, got, tt.want)
			}
		})
	}
}

// M2: attempts to forge lines, to break out of quotes, and to send a terminal
// something. Each request is one line, of bounded length.
func TestAccessLogInjection(t *testing.T) {
	for _, request := range []string{
		`GET /%0a192.0.2.9 - - "GET`, // no path with a space gets here
		"GET /%0A%0D%1b[2J",
		"GET /\"|User-Agent: x\" 200 5 \"|Referer: \\\" \\",
		"GET /|User-Agent: \x80\xff\u202e|Referer: \u2028",
		"GET /" + strings.Repeat("a", 7_000) + "|User-Agent: " + strings.Repeat("\"", 7_000) + "|Referer: " + strings.Repeat("\x80", 7_000),
		"GET /|X-Request-Id: \"}",
	} {
		for format := middleware.JSON; format <= middleware.Combined; format++ {
			srv, said := logging(middleware.AccessLog{Format: format})
			at(t, srv, func(s *weirtest.Server) {
				ask(s, request)
				got := said()
				if strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") || len(got) > 10<<10 {
					t.Errorf("%v, %.60q: got %.300q, want one line", format, request, got)
				}
				for _, c := range []byte(strings.TrimSuffix(got, "\n")) {
					if c < ' ' || format >= middleware.Common && c > '~' {
						t.Errorf("%v, %.60q: got the byte %#x in %.300q", format, request, c, got)
						break
					}
				}
				if format == middleware.JSON && !json.Valid([]byte(got)) {
					t.Errorf("%.60q: got %q, want JSON", request, got)
				}
				if quotes := regexp.MustCompile(`\\.`).ReplaceAllString(got, ""); format == middleware.Combined && strings.Count(quotes, `"`) != 6 {
					t.Errorf("%.60q: got the quotes of %q", request, got)
				}
			})
		}
	}
}

// M2: what no handler sees has its line, too; so has a client that disconnects.
func TestAccessLogOfEverything(t *testing.T) {
	srv, said := logging(middleware.AccessLog{Clients: &middleware.Clients{Proxies: middleware.MustPeers("192.0.2.0/24")}, Skip: func(r *weir.Request, status int) bool { return status == 200 }})
	srv.Handler.(*weir.Mux).HandleFunc("GET /stream", func(w *weir.Response, r *weir.Request) {
		stream := w.Stream()
		_ = stream.Send([]byte("part"))
		<-stream.Done()
	})
	at(t, srv, func(s *weirtest.Server) {
		for _, tt := range []struct{ request, want string }{
			{"GET /|X-Forwarded-For: 203.0.113.9", ""},
			{"GET /nowhere|X-Forwarded-For: 203.0.113.9", `"client":"203.0.113.9","method":"GET","path":"/nowhere","proto":"HTTP/1.1","status":404`},
			{"GET /nowhere", `"client":"192.0.2.1:`},
			{"PUT /", `"status":405`},
			{"GET /|Content-Length: x", `"status":400`},
		} {
			ask(s, tt.request)
			if got := said(); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("%s: got %q, want %s", tt.request, got, tt.want)
			}
		}
		c := s.Get("/stream")
		s.Settle()
		c.Reset()
		if got := said(); !strings.Contains(got, `"status":499,"bytes":4`) || strings.Contains(got, "err") {
			t.Errorf("a disconnect: got %q", got)
		}
	})
}

// M2: a connection that is refused has a line.
func TestAccessLogRefused(t *testing.T) {
	for format, want := range map[middleware.Format]string{middleware.JSON: `"status":503,"err":"too many connections"`, middleware.Common: `] "-" 503 -`} {
		srv, said := logging(middleware.AccessLog{Format: format})
		srv.Limits.Conns = 1
		at(t, srv, func(s *weirtest.Server) {
			busy := s.Dial()
			busy.Send("GET / HTTP/1.1\r\n")
			s.Settle()
			refused := s.Get("/")
			if got := said(); !strings.Contains(got, want) {
				t.Errorf("got %q, want %s", got, want)
			}
			_ = busy.Close()
			_ = refused.Close()
		})
	}
}

// M2: nothing waits for a log that nobody reads.
func TestAccessLogIsNeverWaitedFor(t *testing.T) {
	log, srv := middleware.AccessLog{Format: middleware.Common}, around(hello)
	srv.Trace = &weir.Trace{ // the pipe is the bubble's
		Start: func(r *weir.Request) any { return log.Trace().Start(r) },
		End: func(r *weir.Request, state any, sent weir.ResponseStats, cause error) {
			log.Trace().End(r, state, sent, cause)
		},
	}
	at(t, srv, func(s *weirtest.Server) {
		r, w := io.Pipe()
		log.Out = logq.NewWriter(w, false)
		c := s.Dial()
		batch := strings.Repeat("GET /"+strings.Repeat("a", 1000)+" HTTP/1.1\r\nHost: a\r\n\r\n", 50)
		for range 30 { // together more than the queue takes
			c.Send(batch)
			for range 50 {
				if got := c.Response(); got.Status != 404 {
					t.Fatalf("got %d", got.Status)
				}
			}
		}
		if log.Out.Lost() == 0 {
			t.Error("got no lost lines, want some: the queue is bounded")
		}
		_ = r.Close()
		_ = c.Close()
		s.Settle()
	})
}

func TestAccessLogConfig(t *testing.T) {
	for _, c := range []middleware.AccessLog{{}, {Out: logq.NewWriter(io.Discard, false), Format: 9}} {
		if !panics(func() { c.Trace() }) {
			t.Errorf("%+v: does not panic", c)
		}
	}
}
