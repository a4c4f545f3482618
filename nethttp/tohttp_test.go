package nethttp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/nethttp"
	"weir/reactor"
	"weir/sse"
)

// diary is what the handlers of one server note.
type diary struct {
	mu    sync.Mutex
	lines []string
	noted chan struct{}
}

func newDiary() *diary { return &diary{noted: make(chan struct{}, 100)} }

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
	d.mu.Unlock()
	d.noted <- struct{}{}
}

// after waits for n notes and returns them, sorted, as goroutines made them.
func (d *diary) after(t *testing.T, n int) string {
	t.Helper()
	for range n {
		soon(t, "a note", d.noted)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(d.lines)), "; ")
}

// register registers a handler of the table at any path and method.
type register func(m *weir.Mux, d *diary)

func handle(f func(w *weir.Response, r *weir.Request), change ...func(*weir.Route)) register {
	return func(m *weir.Mux, _ *diary) {
		rt := m.HandleFunc("/x", f)
		for _, c := range change {
			c(rt)
		}
	}
}

func inline(rt *weir.Route)  { rt.Inline() }
func arrive(rt *weir.Route)  { rt.StreamBody() }
func limited(rt *weir.Route) { rt.MaxBody(3) }

func noted(f func(w *weir.Response, r *weir.Request, d *diary), change ...func(*weir.Route)) register {
	return func(m *weir.Mux, d *diary) {
		handle(func(w *weir.Response, r *weir.Request) { f(w, r, d) }, change...)(m, d)
	}
}

// numbers is a source of three numbers.
type numbers struct {
	d    *diary
	at   int
	fail error
}

func (n *numbers) Next(dst []byte) ([]byte, error) {
	n.at++
	if n.at > 3 && n.fail != nil {
		return dst, n.fail
	}
	dst = strconv.AppendInt(dst, int64(n.at), 10)
	if n.at == 3 && n.fail == nil {
		return dst, io.EOF
	}
	return dst, nil
}

func (n *numbers) Close(cause error) { n.d.note("source closed: %v", cause) }

var errLuck = errors.New("no luck")

var (
	ofHead   = []instead{{" OK\n", " OK\nTransfer-Encoding: chunked\n", "net/http does not say to HEAD what it would to GET"}, {"event-stream\n", "event-stream\nTransfer-Encoding: chunked\n", "likewise"}}
	tooLarge = []instead{{"413 Request Entity Too Large", "413 Content Too Large", "the words of RFC 9110"}}
)

// guests are handlers that respond alike on weir's loops and under net/http.
var guests = []struct {
	name     string
	register register
	requests []string
	notes    int // for each request
	differs  []instead
}{
	{"buffered", handle(func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteString("hello")
	}), []string{get, headOf, post, chunky}, 0, nil},
	{"inline", handle(func(w *weir.Response, _ *weir.Request) { w.WriteString("hello") }, inline), []string{get, headOf, post}, 0, nil},
	{"nothing", handle(func(*weir.Response, *weir.Request) {}), []string{get, headOf}, 0, nil},
	{"large", handle(func(w *weir.Response, _ *weir.Request) { w.WriteString(strings.Repeat("0123456789", 100_000)) }), []string{get}, 0, nil},
	{"statuses", handle(func(w *weir.Response, r *weir.Request) {
		code, _ := strconv.Atoi(string(r.Query().Get("code")))
		w.SetStatus(code)
		w.WriteString("body")
	}), []string{query("code=201"), query("code=204"), query("code=205"), query("code=304"), query("code=404"), query("code=500")}, 0, []instead{
		{"Not Modified\n", "Not Modified\nContent-Length: 4\n", "net/http does not announce the length of a 304"},
	}},
	{"fields", handle(func(w *weir.Response, _ *weir.Request) {
		w.Header().Add("X-Many", "1")
		w.Header().Add("X-Many", "2")
		w.Header().Set("Set-Cookie", "a=b")
	}), []string{get}, 0, nil},
	{"connection closed", handle(func(w *weir.Response, _ *weir.Request) { w.Header().Set("Connection", "close") }), []string{get}, 0, nil},
	{"request", handle(func(w *weir.Response, r *weir.Request) {
		fmt.Fprintf(w, "%s %s ?%s %s %s %q %d", r.Method(), r.Path(), r.RawQuery(), r.Host(), r.Header().Get("Accept"), r.Body(), r.ContentLength())
	}), []string{get, post, chunky, query("a=b%20c&d"), "GET /x HTTP/1.0\r\nAccept: text/html\r\n\r\n", "GET http://b.example/x HTTP/1.1\r\nHost: a\r\n\r\n"}, 0, []instead{
		{"HTTP/1.0 200 OK\n", "HTTP/1.1 200 OK\nConnection: close\n", "net/http responds with the client's version"},
	}},
	{"path value", func(m *weir.Mux, _ *diary) {
		m.HandleFunc("GET /v/{id}", func(w *weir.Response, r *weir.Request) { w.WriteString(r.PathValue("id") + " " + r.Pattern()) })
	}, []string{"GET /v/a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n", get, "POST /v/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "OPTIONS /v/1 HTTP/1.1\r\nHost: a\r\n\r\n"}, 0, nil},
	{"pushed", noted(func(w *weir.Response, r *weir.Request, d *diary) {
		r.OnClose(func(cause error) { d.note("closed: %v", cause) })
		s := w.Stream()
		_ = s.Send([]byte("one"))
		_ = s.Send([]byte("two"))
	}), []string{get, headOf}, 1, ofHead[:1]},
	{"pushed, detached", noted(func(w *weir.Response, _ *weir.Request, d *diary) {
		s := w.Stream()
		s.Detach()
		s.OnClose(func(cause error) { d.note("closed: %v", cause) })
		go func() {
			_ = s.Send([]byte("after"))
			_ = s.Close()
			d.note("send: %v", s.Send([]byte("too late")))
		}()
	}), []string{get}, 2, nil},
	{"with a length", handle(func(w *weir.Response, _ *weir.Request) {
		w.SetContentLength(10)
		_ = w.Stream().Send([]byte("0123456789"))
	}), []string{get, headOf}, 0, nil},
	{"short of its length", handle(func(w *weir.Response, _ *weir.Request) {
		w.SetContentLength(10)
		_ = w.Stream().Send([]byte("01234"))
	}), []string{get}, 0, nil},
	{"trailers", handle(func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		_ = s.SetTrailer("X-Sum", "?")
		_ = s.Send([]byte("body"))
		_ = s.SetTrailer("X-Sum", "42")
		_ = s.SetTrailer("X-Late", "1")
	}), []string{get}, 0, []instead{{"X-Late: 1\nX-Sum: 42", "X-Sum: 42\nX-Late: 1", "net/http sorts trailers"}}},
	{"pumped", noted(func(w *weir.Response, _ *weir.Request, d *diary) { w.StreamFrom(&numbers{d: d}) }), []string{get, headOf}, 1, ofHead[:1]},
	{"pumped, inline", noted(func(w *weir.Response, _ *weir.Request, d *diary) { w.StreamFrom(&numbers{d: d}) }, inline), []string{get, headOf}, 1, ofHead[:1]},
	{"paced", noted(func(w *weir.Response, _ *weir.Request, d *diary) {
		w.StreamFrom(weir.Paced(&numbers{d: d}, time.Millisecond))
	}), []string{get}, 1, nil},
	{"pump fails", noted(func(w *weir.Response, _ *weir.Request, d *diary) { w.StreamFrom(&numbers{d: d, fail: errLuck}) }), []string{get}, 1, nil},
	{"generated", noted(func(w *weir.Response, r *weir.Request, d *diary) {
		d.note("%v", w.StreamSeq(func(yield func([]byte, error) bool) {
			_ = yield([]byte("a"), nil) && yield([]byte("b"), nil)
		}))
	}), []string{get}, 1, nil},
	{"events", func(m *weir.Mux, _ *diary) {
		m.Handle("GET /x", weir.Events(func(*weir.Request) iter.Seq2[*sse.Event, error] {
			return func(yield func(*sse.Event, error) bool) {
				_ = yield(sse.Data("one"), nil) && yield(sse.Data("two"), nil)
			}
		}))
	}, []string{get, headOf}, 0, ofHead[1:]},
	{"fails before the head", handle(func(w *weir.Response, _ *weir.Request) { w.Stream().Abort(errLuck) }), []string{get}, 0, nil},
	{"fails behind the head", noted(func(w *weir.Response, r *weir.Request, d *diary) {
		r.OnClose(func(cause error) { d.note("closed: %v", cause) })
		s := w.Stream()
		_ = s.Send([]byte("part"))
		s.Abort(errLuck)
	}), []string{get}, 1, nil},
	{"panics before the head", handle(func(*weir.Response, *weir.Request) { panic("on purpose") }), []string{get}, 0, nil},
	{"panics before the head, inline", handle(func(*weir.Response, *weir.Request) { panic("on purpose") }, inline), []string{get}, 0, nil},
	{"panics behind the head", handle(func(w *weir.Response, _ *weir.Request) {
		_ = w.Stream().Send([]byte("part"))
		panic("on purpose")
	}), []string{get}, 0, nil},
	{"error", handle(func(w *weir.Response, _ *weir.Request) { w.Error(418, "teapot") }), []string{get, headOf}, 0, nil},
	{"upload", handle(func(w *weir.Response, r *weir.Request) {
		n, err := io.Copy(io.Discard, r.BodyReader())
		fmt.Fprintf(w, "%d %v", n, err)
	}, arrive), []string{post, chunky, get, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100_000)}, 0, nil},
	{"too large", handle(func(w *weir.Response, r *weir.Request) { w.WriteString("never") }, limited), []string{post, chunky}, 0, tooLarge},
	{"too large while read", handle(func(w *weir.Response, r *weir.Request) {
		_, err := io.ReadAll(r.BodyReader())
		fmt.Fprint(w, "never sent", err)
	}, arrive, limited), []string{chunky}, 0, tooLarge},
	{"middleware refuses", func(m *weir.Mux, _ *diary) {
		m.HandleFunc("/x", func(w *weir.Response, r *weir.Request) { w.Write(r.Body()) }, func(next weir.Handler) weir.Handler {
			return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
				if r.Method() == "GET" {
					w.Error(401, "not you")
					return
				}
				next.Serve(w, r)
			})
		})
	}, []string{get, post, chunky}, 0, nil},
}

func query(q string) string { return "GET /x?" + q + " HTTP/1.1\r\nHost: a\r\n\r\n" }

// chunkSizes are where writes meet, which depends on who is faster.
var chunkSizes = regexp.MustCompile(`<[1-9][0-9]*>`)

func TestToHTTPAlike(t *testing.T) {
	for _, tt := range guests {
		t.Run(tt.name, func(t *testing.T) {
			type side struct {
				addr string
				d    *diary
			}
			newSide := func(serve func(m *weir.Mux) string) side {
				m, d := new(weir.Mux), newDiary()
				tt.register(m, d)
				m.HandleFunc("/probe", func(*weir.Response, *weir.Request) {}).Inline()
				return side{serve(m), d}
			}
			loops := newSide(func(m *weir.Mux) string { return serve(t, m) })
			std := newSide(func(m *weir.Mux) string { return onStd(t, nethttp.ToHTTP(m)) })
			unused := slices.Clone(tt.differs)
			for _, request := range tt.requests {
				want := chunkSizes.ReplaceAllString(exchange(t, loops.addr, request), "")
				got := chunkSizes.ReplaceAllString(exchange(t, std.addr, request), "")
				for _, d := range tt.differs {
					if got != want && strings.Contains(want, d.weir) {
						want = strings.Replace(want, d.weir, d.std, 1)
						unused = slices.DeleteFunc(unused, func(u instead) bool { return u == d })
					}
				}
				if got != want {
					t.Errorf("%.60q:\nToHTTP %.1000q\nloops  %.1000q", request, got, want)
				}
				if n := tt.notes; n > 0 {
					if got, want := std.d.after(t, n), loops.d.after(t, n); got != want {
						t.Errorf("%.60q: notes:\nToHTTP %s\nloops  %s", request, got, want)
					}
				}
			}
			for _, d := range unused {
				t.Errorf("no response of weir's has %q any more", d.weir)
			}
		})
	}
}

// A client that disconnects ends the stream, with the cause.
func TestToHTTPDisconnect(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(proto, func(t *testing.T) {
			causes := make(chan error, 2)
			m := new(weir.Mux)
			m.HandleFunc("GET /x", func(w *weir.Response, r *weir.Request) {
				r.OnClose(func(cause error) { causes <- cause })
				s := w.Stream()
				if r.TLS() == nil {
					s.Abort(errors.New("Request.TLS is nil"))
				}
				_ = s.Send([]byte("first"))
				<-r.Context().Done()
				causes <- s.Send([]byte("second"))
			})
			srv := httptest.NewUnstartedServer(nethttp.ToHTTP(m))
			srv.EnableHTTP2 = proto == "HTTP/2.0"
			srv.StartTLS()
			t.Cleanup(srv.Close)
			res, err := srv.Client().Get(srv.URL + "/x")
			if err != nil {
				t.Fatal(err)
			}
			want(t, "protocol", res.Proto, proto)
			if _, err := io.ReadFull(res.Body, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			for range 2 {
				wantIs(t, "cause", soon(t, "the end", causes), weir.ErrClientGone)
			}
		})
	}
}

// A client that reads nothing makes the producer wait, and is cut after the
// stall time; one that reads again lets it continue.
func TestToHTTPBackPressure(t *testing.T) {
	sent := make(chan int, 1)
	m := new(weir.Mux)
	m.HandleFunc("GET /x", func(w *weir.Response, _ *weir.Request) {
		s, n := w.Stream(), 0
		for p := make([]byte, 32<<10); ; n++ {
			if err := s.TrySend(p); errors.Is(err, weir.ErrBacklog) {
				break
			}
		}
		sent <- n
		_ = s.Send([]byte("end")) // waits for room
	})
	c := dial(t, onStd(t, nethttp.ToHTTP(m)))
	c.send(get)
	n := soon(t, "a backlog", sent)
	got := c.response("GET")
	if !strings.Contains(got, "end<0>") && !strings.HasSuffix(chunkSizes.ReplaceAllString(got, ""), "end<0>") {
		t.Errorf("got %.100q, want the whole of %d pieces", got, n)
	}
	if zeros := strings.Count(got, "\x00"); zeros != n*32<<10 {
		t.Errorf("got %d bytes, want %d", zeros, n*32<<10)
	}
}

// A response may begin before its request has arrived.
func TestToHTTPFullDuplex(t *testing.T) {
	m := new(weir.Mux)
	handle(func(w *weir.Response, r *weir.Request) {
		_ = w.Stream().Send([]byte("begun "))
		b, err := io.ReadAll(r.BodyReader())
		fmt.Fprintf(w, "%s %v", b, err)
	}, arrive)(m, nil)
	addr := onStd(t, nethttp.ToHTTP(m))
	for _, request := range []string{post, chunky} {
		c := dial(t, addr)
		c.send(request[:len(request)-3])
		head, err := c.head()
		if err != nil {
			t.Fatal(err)
		}
		c.send(request[len(request)-3:])
		var body strings.Builder
		if err := c.body(&body, head); err != nil {
			t.Error(err)
		}
		want(t, "body", chunkSizes.ReplaceAllString(body.String(), ""), "begun hello <nil><0>")
	}
}

// Without a connection, as in most tests of handlers.
func TestToHTTPRecorder(t *testing.T) {
	m := new(weir.Mux)
	m.HandleFunc("POST /x", func(w *weir.Response, r *weir.Request) {
		w.Header().Set("X-A", "1")
		_ = w.Stream().Send(r.Body())
	})
	rec := httptest.NewRecorder()
	nethttp.ToHTTP(m).ServeHTTP(rec, httptest.NewRequest("POST", "/x", strings.NewReader("hello")))
	want(t, "response", fmt.Sprintf("%d %s %s", rec.Code, rec.Header().Get("X-A"), rec.Body), "200 1 hello")
}

// Requests for handlers on the loop are spread over several loops, which end
// when the http.Handler is not used any more: the package's TestMain sees it.
func TestToHTTPLoops(t *testing.T) {
	m, seen := new(weir.Mux), map[*reactor.Loop]bool{}
	m.HandleLoop("GET /x", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
		x.Loop().Check()
		x.Response().WriteString("x")
		seen[x.Loop()] = true
		return nil
	}))
	h := nethttp.ToHTTP(m)
	for range 2 * runtime.GOMAXPROCS(0) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "/x", nil))
		want(t, "response", fmt.Sprint(rec.Code, " ", rec.Body), "200 x")
	}
	want(t, "loops", len(seen), runtime.GOMAXPROCS(0))
}

// Stream.Draining is closed when the http.Server shuts down.
func TestToHTTPDraining(t *testing.T) {
	m, begun := new(weir.Mux), make(chan bool, 1)
	m.HandleFunc("GET /x", func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		_ = s.Send([]byte("first"))
		begun <- true
		<-s.Draining()
		_, known := s.Deadline()
		_ = s.Send(fmt.Append(nil, ", last, ", known))
	})
	host := httptest.NewServer(nethttp.ToHTTP(m))
	defer host.Close()
	res, err := http.Get(host.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	soon(t, "a stream", begun)
	over := make(chan error, 1)
	go func() { over <- host.Config.Shutdown(context.Background()) }()
	body, err := io.ReadAll(res.Body)
	want(t, "body", string(body), "first, last, false")
	want(t, "error", err, nil)
	want(t, "shutdown", soon(t, "the end of the shutdown", over), nil)
	want(t, "a second shutdown", host.Config.Shutdown(context.Background()), nil)
}

// There and back again: a handler of net/http's inside one of weir's, under
// net/http.
func TestToHTTPOfFromHTTP(t *testing.T) {
	addr := onStd(t, nethttp.ToHTTP(nethttp.FromHTTP(http.HandlerFunc(echo))))
	want(t, "response", strings.HasSuffix(exchange(t, addr, post), "hello\n[open: HTTP/1.1 200 OK]"), true)
}

// A field of the response is sent instead of one that a handler of net/http has
// set around it, and beside it where both are a list.
func TestToHTTPFieldsAround(t *testing.T) {
	inner := nethttp.ToHTTP(weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
		for _, f := range [...][2]string{{"x-frame-options", "SAMEORIGIN"}, {"Vary", "Accept"}, {"Set-Cookie", "b=2"}, {"Link", "</1>"}, {"Link", "</2>"}} {
			w.Header().Add(f[0], f[1])
		}
	}))
	addr := onStd(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, f := range [...][2]string{{"X-Frame-Options", "DENY"}, {"Vary", "Origin"}, {"Set-Cookie", "a=1"}, {"Link", "</0>"}, {"X-Request-Id", "7"}} {
			w.Header().Add(f[0], f[1])
		}
		inner.ServeHTTP(w, r)
	}))
	c := dial(t, addr)
	c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	const fields = "Content-Length: 0|Link: </1>|Link: </2>|Set-Cookie: a=1|Set-Cookie: b=2|Vary: Accept|Vary: Origin|X-Frame-Options: SAMEORIGIN|X-Request-Id: 7"
	if got := strings.ReplaceAll(strings.TrimSpace(c.response("GET")), "\n", "|"); got != "HTTP/1.1 200 OK|"+fields {
		t.Errorf("got %q, want %s", got, fields)
	}
}

// A server's own settings hold for what comes by way of net/http, too.
func TestOfServer(t *testing.T) {
	failures := make(chan error, 1)
	m := new(weir.Mux)
	m.HandleFunc("/x", func(w *weir.Response, r *weir.Request) { _, _ = w.Write(r.Body()) })
	srv := &weir.Server{
		Handler: m, Loops: 1, Limits: weir.Limits{Body: 3}, Logger: slog.New(slog.DiscardHandler),
		OnError: func(_ *weir.Response, _ *weir.Request, err error) { failures <- err },
		OnHeaders: func(w *weir.Response, r *weir.Request) bool {
			if r.Header().Has("Authorization") {
				return true
			}
			w.Error(401, "not you")
			return false
		},
	}
	h := nethttp.OfServer(srv)
	status := func(authorization, body string) int {
		r := httptest.NewRequest("POST", "/x", strings.NewReader(body))
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec.Code
	}
	want(t, "before Start", status("a", "x"), 503)
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	want(t, "not admitted", status("", "x"), 401)
	want(t, "admitted", status("a", "x"), 200)
	want(t, "too large", status("a", "xxxx"), 413)
	wantIs(t, "OnError", soon(t, "a failure", failures), weir.ErrBodyTooLarge)
	want(t, "requests", srv.Stats().Requests, 3)
	if _, err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, "after Shutdown", status("a", "x"), 503)
}

// HTTP/2 and HTTP/1.1 on one port of weir's get the same from the same handlers.
func TestOfServerOverTLS(t *testing.T) {
	m := new(weir.Mux)
	m.Handle("GET /x", weir.Events(func(r *weir.Request) iter.Seq2[*sse.Event, error] {
		return func(yield func(*sse.Event, error) bool) {
			_ = yield(sse.Data("path "+r.Path()), nil) && yield(sse.Data("tls "+strconv.FormatBool(r.TLS() != nil)), nil)
		}
	}))
	borrowed := httptest.NewUnstartedServer(nil) // its certificate, and a client that trusts it
	borrowed.EnableHTTP2 = true
	borrowed.StartTLS()
	defer borrowed.Close()
	srv := &weir.Server{Handler: m, Loops: 1, Logger: slog.New(slog.DiscardHandler)}
	srv.TLS = &weir.TLS{Config: &tls.Config{Certificates: borrowed.TLS.Certificates}, HTTP2: nethttp.OfServer(srv)}
	if err := srv.Start("tls:127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, proto := range []string{"HTTP/2.0", "HTTP/1.1"} {
		client := borrowed.Client()
		if proto == "HTTP/1.1" {
			transport := client.Transport.(*http.Transport).Clone()
			transport.ForceAttemptHTTP2, transport.TLSClientConfig.NextProtos = false, []string{"http/1.1"}
			client = &http.Client{Transport: transport}
		}
		res, err := client.Get("https://" + srv.Addrs()[0].String() + "/x")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		res.Body.Close()
		client.CloseIdleConnections()
		want(t, "protocol", res.Proto, proto)
		want(t, proto, string(body), "data: path /x\n\ndata: tls true\n\n")
	}
}
