package weir_test

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/plugin"
	"weir/reactor"
	"weir/sse"
)

func init() {
	plugin.Register("test/two", plugin.Handler{Stream: func(_ plugin.Call, s plugin.Sink) error { return s.Send([]byte("two")) }})
}

// What was written before a response became a stream is its first chunk (L1), however the stream is fed.
func TestWriteBeforeStream(t *testing.T) {
	two := func(yield func([]byte, error) bool) { yield([]byte("two"), nil) }
	const chunks = "4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"
	for name, tt := range map[string]struct {
		serve func(w *weir.Response, r *weir.Request)
		want  string
	}{
		"Send":      {func(w *weir.Response, _ *weir.Request) { _ = w.Stream().Send([]byte("two")) }, chunks},
		"TrySend":   {func(w *weir.Response, _ *weir.Request) { _ = w.Stream().TrySend([]byte("two")) }, chunks},
		"Write":     {func(w *weir.Response, _ *weir.Request) { _, _ = w.Stream().Write([]byte("two")) }, chunks},
		"Commit":    {func(w *weir.Response, _ *weir.Request) { s := w.Stream(); _ = s.Commit(); _ = s.Send([]byte("two")) }, chunks},
		"nothing":   {func(w *weir.Response, _ *weir.Request) { w.Stream() }, "4\r\none \r\n0\r\n\r\n"},
		"Close":     {func(w *weir.Response, _ *weir.Request) { _ = w.Stream().Close() }, "4\r\none \r\n0\r\n\r\n"},
		"StreamSeq": {func(w *weir.Response, _ *weir.Request) { _ = w.StreamSeq(two) }, chunks},
		"StreamFrom": {func(w *weir.Response, _ *weir.Request) {
			w.StreamFrom(&script{next: func(dst []byte) ([]byte, error) { return append(dst, "two"...), io.EOF }})
		}, chunks},
		"SendEvent": {func(w *weir.Response, _ *weir.Request) { _ = w.Stream().SendEvent(sse.Data("two")) }, "4\r\none \r\nb\r\ndata: two\n\n\r\n0\r\n\r\n"},
		"StreamEvents": {func(w *weir.Response, _ *weir.Request) {
			_ = w.StreamEvents(func(yield func(*sse.Event, error) bool) { yield(sse.Data("two"), nil) })
		}, "4\r\none \r\nb\r\ndata: two\n\n\r\n0\r\n\r\n"},
		"native":               {weir.Native("test/two").Serve, chunks},
		"SetContentLength":     {func(w *weir.Response, _ *weir.Request) { w.SetContentLength(7); _ = w.Stream().Send([]byte("two")) }, "one two"},
		"a length that is met": {func(w *weir.Response, _ *weir.Request) { w.SetContentLength(4); w.Stream() }, "one "},
		"no body":              {func(w *weir.Response, _ *weir.Request) { w.SetStatus(204); w.Stream() }, ""},
	} {
		for _, inline := range []bool{false, true} {
			if inline && (name == "StreamSeq" || name == "StreamEvents" || name == "native") {
				continue // they would block the loop
			}
			t.Run(fmt.Sprintf("%s/inline=%v", name, inline), func(t *testing.T) {
				h := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
					fmt.Fprint(w, "one ")
					tt.serve(w, r)
				})
				m := new(weir.Mux)
				if inline {
					m.Handle("GET /s", h).Inline()
				} else {
					m.Handle("GET /s", h)
				}
				atDesk(t, m, nil, func(d *desk) {
					if status, body := d.exchange(getS); body != tt.want {
						t.Errorf("got %s, %q, want %q", status, body, tt.want)
					}
					if _, body := d.exchange("HEAD /s HTTP/1.1\r\nHost: a\r\n\r\n"); body != "" {
						t.Errorf("HEAD: got the body %q", body)
					}
				})
			})
		}
	}
}

// What was written counts for the announced length; one that does not fit is a 500, as nothing was sent.
func TestWriteBeforeStreamBeyondTheLength(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"GET /long": func(w *weir.Response, _ *weir.Request) {
			fmt.Fprint(w, "one ")
			w.SetContentLength(5)
			_ = w.Stream().Send([]byte("two"))
		},
		"GET /short": func(w *weir.Response, _ *weir.Request) { fmt.Fprint(w, "one "); w.SetContentLength(5); w.Stream() },
	})
	atDesk(t, m, nil, func(d *desk) {
		for _, path := range []string{"/long", "/short"} {
			if status, _ := d.exchange("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"); status != "500 Internal Server Error" {
				t.Errorf("%s: got %s, want 500", path, status)
			}
		}
	})
}

// A request that is handed over takes along what was written to its response.
func TestHandOverTakesTheBodyAlong(t *testing.T) {
	m := new(weir.Mux)
	m.HandleLoop("GET /{how}", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
		fmt.Fprint(x.Response(), "one ")
		x.HandOver(weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			if r.PathValue("how") == "stream" {
				w.Stream()
			}
			fmt.Fprint(w, "two")
		}))
		return nil
	}))
	atDesk(t, m, nil, func(d *desk) {
		if _, body := d.exchange("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"); body != "4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n" {
			t.Errorf("got %q", body)
		}
		if _, body := d.exchange("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"); body != "one two" {
			t.Errorf("got %q", body)
		}
	})
}

// Response.Error is the response while nothing was sent, also of a stream, and cuts it afterwards.
func TestErrorOfAStream(t *testing.T) {
	fail := func(w *weir.Response) { w.Error(502, "no upstream") }
	for name, tt := range map[string]struct {
		serve  func(w *weir.Response)
		status string // "" = cut
		body   string
	}{
		"Stream":          {func(w *weir.Response) { w.Stream(); fail(w) }, "502 Bad Gateway", "no upstream\n"},
		"and a late Send": {func(w *weir.Response) { s := w.Stream(); fail(w); _ = s.Send([]byte("x")) }, "502 Bad Gateway", "no upstream\n"},
		"and more":        {func(w *weir.Response) { w.Stream(); fail(w); fmt.Fprint(w, "more") }, "502 Bad Gateway", "no upstream\nmore"},
		"a length":        {func(w *weir.Response) { w.SetContentLength(100); w.Stream(); fail(w) }, "502 Bad Gateway", "no upstream\n"},
		"Heartbeat":       {func(w *weir.Response) { w.Stream().Heartbeat(time.Hour); fail(w) }, "502 Bad Gateway", "no upstream\n"},
		"StreamFrom": {func(w *weir.Response) {
			w.StreamFrom(&script{next: parked})
			fail(w)
		}, "502 Bad Gateway", "no upstream\n"},
		"detached": {func(w *weir.Response) {
			w.Stream().Detach()
			weir.LoopOf(w).Post(reactor.TaskFunc(func() { fail(w) }))
		}, "502 Bad Gateway", "no upstream\n"},
		"twice":       {func(w *weir.Response) { w.Stream(); w.Error(500, "x"); fail(w) }, "502 Bad Gateway", "no upstream\n"},
		"after Abort": {func(w *weir.Response) { w.Stream().Abort(errLuck); fail(w) }, "500 Internal Server Error", "Internal Server Error\n"},
		"after Close": {func(w *weir.Response) { _ = w.Stream().Close(); fail(w) }, "200 OK", "0\r\n\r\n"},
		"a chunk":     {func(w *weir.Response) { _ = w.Stream().Send([]byte("x")); fail(w) }, "", "1\r\nx\r\n"},
		"a head":      {func(w *weir.Response) { _ = w.Stream().Commit(); fail(w) }, "", ""},
	} {
		for _, inline := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/inline=%v", name, inline), func(t *testing.T) {
				m, ended := new(weir.Mux), new(tally)
				h := weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { r.OnClose(ended.tell); tt.serve(w) })
				if inline {
					m.Handle("GET /s", h).Inline()
				} else {
					m.Handle("GET /s", h)
				}
				atDesk(t, m, nil, func(d *desk) {
					if tt.status == "" {
						c := d.get("/s")
						if body := d.truncated(c); body != tt.body {
							t.Errorf("got %q, want %q", body, tt.body)
						}
						if got := ended.told(); len(got) != 1 || !errors.Is(got[0], weir.ErrHeadSent) {
							t.Errorf("got the end %v, want ErrHeadSent", got)
						}
						c.Close()
						return
					}
					if status, body := d.exchange(getS); status != tt.status || body != tt.body {
						t.Errorf("got %s, %q, want %s, %q", status, body, tt.status, tt.body)
					}
					if st := d.srv.Stats(); st.StreamsActive != 0 {
						t.Errorf("got %d active streams, want none", st.StreamsActive)
					}
				})
			})
		}
	}
}

// An event that the encoder refuses fails the stream: 500 before the head, a cut after it; counted and reported.
func TestEventThatCannotBeWritten(t *testing.T) {
	bad := map[string]*sse.Event{
		"LF in the name":  {Name: "a\nb", Data: []byte("x")},
		"CR in the id":    {ID: "a\rb", Data: []byte("x")},
		"NUL in the id":   {ID: "a\x00b", Data: []byte("x")},
		"NUL in the name": {Name: "\x00", Data: []byte("x")},
	}
	for name, event := range bad {
		for _, after := range []int{0, 1} {
			gen := func(yield func(*sse.Event, error) bool) {
				for range after {
					yield(sse.Data("good"), nil)
				}
				if yield(event, nil) {
					yield(sse.Data("never"), nil)
				}
			}
			for how, h := range map[string]weir.Handler{
				"Events":       weir.Events(func(*weir.Request) iter.Seq2[*sse.Event, error] { return gen }),
				"no heartbeat": weir.Events(func(*weir.Request) iter.Seq2[*sse.Event, error] { return gen }, weir.EventOptions{Heartbeat: -1}),
				"StreamEvents": weir.HandlerFunc(func(w *weir.Response, _ *weir.Request) {
					if err := w.StreamEvents(gen); err == nil {
						t.Error("StreamEvents: got no error")
					}
				}),
			} {
				t.Run(fmt.Sprintf("%s, %s after %d", name, how, after), func(t *testing.T) {
					m, ended, reported := new(weir.Mux), new(tally), new(tally)
					m.Handle("GET /s", h, func(next weir.Handler) weir.Handler {
						return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) { r.OnClose(ended.tell); next.Serve(w, r) })
					})
					atDesk(t, m, func(s *weir.Server) {
						s.OnError = func(_ *weir.Response, _ *weir.Request, err error) { reported.tell(err) }
					}, func(d *desk) {
						c := d.get("/s")
						if after == 0 {
							if got := d.seen(c); !strings.HasPrefix(got, "HTTP/1.1 500 ") || len(reported.told()) != 1 {
								t.Errorf("got %q, %v reported, want 500", got, reported.told())
							}
						} else if body := d.truncated(c); body != "c\r\ndata: good\n\n\r\n" {
							t.Errorf("got %q, want the event before", body)
						}
						if st := d.srv.Stats(); st.StreamsFailed != 1 {
							t.Errorf("got %d failed streams, want 1", st.StreamsFailed)
						}
						if got := ended.told(); len(got) != 1 || !errors.Is(got[0], sse.ErrName) && !errors.Is(got[0], sse.ErrID) {
							t.Errorf("got the end %v, want the encoder's error", got)
						}
						c.Close()
					})
				})
			}
		}
	}
}

// The fields of an event stream are set by whatever is first, or it is an error that they are not.
func TestCommitBeforeEvents(t *testing.T) {
	event := sse.Data("x")
	var sent chan error // of the bubble
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"GET /event-stream": func(w *weir.Response, _ *weir.Request) {
			s := w.EventStream()
			_ = s.Commit()
			sent <- s.SendEvent(event)
		},
		"GET /heartbeat": func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			s.Heartbeat(time.Hour)
			_ = s.Commit()
			sent <- s.SendEvent(event)
		},
		"GET /beat-first": func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			s.Heartbeat(time.Second)
			time.Sleep(time.Minute)
			sent <- s.SendEvent(event)
		},
		"GET /event": func(w *weir.Response, _ *weir.Request) { sent <- w.Stream().SendEvent(event) },
		"GET /own": func(w *weir.Response, _ *weir.Request) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			s := w.Stream()
			_ = s.Commit()
			sent <- s.SendEvent(event)
		},
		"GET /none": func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			_ = s.Commit()
			if err := s.SendEvent(event); err == nil || !strings.Contains(err.Error(), "Content-Type") {
				t.Errorf("got %v, want an error that says what is missing", err)
			}
			sent <- s.SendEvent(event)
		},
	})
	atDesk(t, m, nil, func(d *desk) {
		sent = make(chan error, 1)
		for path, ok := range map[string]bool{"/event-stream": true, "/heartbeat": true, "/beat-first": true, "/event": true, "/own": true, "/none": false} {
			c := d.get(path)
			err := <-sent
			got := d.seen(c)
			if typed := strings.Contains(got, "\r\nContent-Type: text/event-stream"); typed != ok || (err == nil) != ok || strings.Contains(got, "data: x") != ok {
				t.Errorf("%s: got %v, %q", path, err, got)
			}
			c.Close()
		}
	})
}

// A change of the head that comes too late is an error, or logged once.
func TestHeadIsSent(t *testing.T) {
	log := new(lines)
	late := func(w *weir.Response) {
		for name, err := range map[string]error{
			"TrySet": w.Header().TrySet("X-Late", "1"), "TryAdd": w.Header().TryAdd("X-Late", "1"),
			"the same again": w.Header().TrySet("X-Early", "1"), "SetDate": w.SetDate("Sun, 06 Nov 1994 08:49:37 GMT"),
		} {
			if !errors.Is(err, weir.ErrHeadSent) {
				t.Errorf("%s: got %v, want ErrHeadSent", name, err)
			}
		}
		w.SetStatus(500)
		w.SetStatus(500)
		w.SetContentLength(3)
		w.Redirect(303, "/late")
		w.SetCookie(&http.Cookie{Name: "late", Value: "1"})
		w.Header().Set("X-Late", "1")
		w.Header().Add("X-Late", "1")
		w.Header().Del("X-Early")
		w.Header().Clear()
		if w.Status() != 202 || w.Header().Get("X-Early") != "1" {
			t.Errorf("got status %d and %q, want what was sent", w.Status(), w.Header().Get("X-Early"))
		}
	}
	begin := func(w *weir.Response) *weir.Stream {
		w.SetStatus(202)
		w.Header().Set("X-Early", "1")
		return w.Stream()
	}
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"GET /sent":      func(w *weir.Response, _ *weir.Request) { _ = begin(w).Send([]byte("x")); late(w) },
		"GET /committed": func(w *weir.Response, _ *weir.Request) { _ = begin(w).Commit(); late(w) },
		"GET /beating":   func(w *weir.Response, _ *weir.Request) { begin(w).Heartbeat(time.Hour); late(w) },
		"GET /ended":     func(w *weir.Response, _ *weir.Request) { _ = begin(w).Close(); late(w) },
	})
	atDesk(t, m, func(s *weir.Server) { s.Logger = slog.New(slog.NewTextHandler(log, nil)) }, func(d *desk) {
		for i, path := range []string{"/sent", "/committed", "/beating", "/ended"} {
			if status, _ := d.exchange("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"); status != "202 Accepted" {
				t.Errorf("%s: got %s, want 202", path, status)
			}
			if got := log.String(); strings.Count(got, "level=WARN") != i+1 || !strings.Contains(got, `pattern="GET `+path) {
				t.Errorf("%s: got the log %q, want one line more with the pattern", path, got)
			}
		}
	})
}

// An error response is made apart from the handler's, which others may end while the handler still makes it: the race
// detector's test.
func TestAbortWhileTheHandlerSetsFields(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		go s.Abort(errLuck)
		for !s.Ended() {
			w.SetStatus(201)
			w.Header().Set("X-Field", "1")
		}
	}})
	srv := &weir.Server{Handler: m, Loops: 1, Logger: slog.New(slog.DiscardHandler)}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, srv)
	for range 200 {
		if got := ask(t, srv.Addrs()[0].String(), getS); !strings.HasPrefix(got, "500 ") || strings.Contains(got, "201") {
			t.Fatalf("got %q, want 500", got)
		}
	}
}

// A heartbeat commits only what is fixed: the race detector's test.
func TestHeartbeatWhileTheHandlerSetsFields(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("X-Field", "early")
		s := w.Stream()
		s.Heartbeat(time.Millisecond)
		for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
			w.SetStatus(201)
			w.Header().Set("X-Field", "late")
		}
		_ = s.SendEvent(sse.Data("x"))
	}})
	srv := &weir.Server{Handler: m, Loops: 1, Logger: slog.New(slog.DiscardHandler)}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, srv)
	c := dialServer(t, srv)
	defer c.Close()
	_, _ = io.WriteString(c, "GET /s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	got, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 ") || !strings.Contains(string(got), "X-Field: early") || !strings.HasSuffix(string(got), "0\r\n\r\n") {
		t.Errorf("got %q, %v", got, err)
	}
}

// A stream that fails ends with what was accepted and FIN, where its framing shows that this is not all; else with RST.
func TestHowFailuresEnd(t *testing.T) {
	const events = 300
	m := mux(map[string]func(*weir.Response, *weir.Request){
		"GET /events": func(w *weir.Response, _ *weir.Request) {
			s := w.EventStream()
			for i := range events {
				if err := s.SendEvent(sse.Data(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			}
			s.Abort(errLuck)
		},
		"GET /length": func(w *weir.Response, _ *weir.Request) {
			w.SetContentLength(100)
			s := w.Stream()
			_ = s.Send([]byte("part"))
			s.Abort(errLuck)
		},
		"GET /whole": func(w *weir.Response, _ *weir.Request) {
			w.SetContentLength(4)
			s := w.Stream()
			_ = s.Send([]byte("part"))
			s.Abort(errLuck)
		},
		"GET /endless": func(w *weir.Response, _ *weir.Request) {
			s := w.Stream()
			for s.TrySend(make([]byte, 1<<10)) == nil {
			}
			s.Abort(errLuck)
		},
	})
	srv := &weir.Server{Handler: m, Loops: 1, Logger: slog.New(slog.DiscardHandler)}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, srv)
	request := func(path, version string) (string, error) {
		c := dialServer(t, srv)
		defer c.Close()
		_, _ = io.WriteString(c, "GET "+path+" HTTP/"+version+"\r\nHost: a\r\n\r\n")
		got, err := io.ReadAll(c)
		return string(got), err
	}
	for range 20 {
		if got, err := request("/events", "1.1"); err != nil || strings.Count(got, "data: ") != events || strings.HasSuffix(got, "0\r\n\r\n") {
			t.Fatalf("got %d of %d events, %v", strings.Count(got, "data: "), events, err)
		}
	}
	if got, err := request("/length", "1.1"); err != nil || !strings.HasSuffix(got, "part") {
		t.Errorf("a length that is not reached: got %q, %v, want FIN", got, err)
	}
	var reset *net.OpError
	for path, version := range map[string]string{"/events": "1.0", "/whole": "1.1"} {
		if _, err := request(path, version); !errors.As(err, &reset) {
			t.Errorf("%s in HTTP/%s: got %v, want a reset", path, version, err)
		}
	}
}

// A failed stream whose client does not take what is pending is reset after the stall time.
func TestFailureOfAStalledClient(t *testing.T) {
	m := mux(map[string]func(*weir.Response, *weir.Request){"GET /s": func(w *weir.Response, _ *weir.Request) {
		s := w.Stream()
		for s.TrySend(make([]byte, 1<<10)) == nil {
		}
		s.Abort(errLuck)
	}})
	atDesk(t, m, smallMarks, func(d *desk) {
		c := d.Dial()
		c.SetWindow(1)
		d.write(c, getS)
		synctest.Wait()
		time.Sleep(d.srv.Timeouts.WriteStall - time.Second)
		if n := d.kernel().Open(); n == 0 {
			t.Error("it was closed before the stall time")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := d.srv.Stats().Connections; n != 0 {
			t.Errorf("got %d connections after the stall time, want none", n)
		}
		c.Close()
	})
}
