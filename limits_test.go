package weir_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/memloop"
	"weir/sse"
)

// none are the fields of which a negative value means that there is no such
// limit, or no such time; each has a case below.
var none = []string{
	"Body", "Bodies", "Handlers", "Streams", "Conns", "BodyRate", "Handshakes", "PerConn",
	"Handshake", "Head", "BodyGrace", "Idle", "WriteStall", "Linger", "DrainGrace", "Drain", "Mercy",
}

// Zero is the default in every field of Limits and Timeouts, and the defaults
// are those that are exported. Negative is either none or an error that names
// the field.
func TestEveryLimit(t *testing.T) {
	isNone := map[string]bool{}
	for _, name := range none {
		isNone[name] = true
	}
	for _, group := range []struct {
		name     string
		of       func(*weir.Server) any
		standard any
	}{
		{"Limits", func(s *weir.Server) any { return &s.Limits }, weir.DefaultLimits()},
		{"Timeouts", func(s *weir.Server) any { return &s.Timeouts }, weir.DefaultTimeouts()},
	} {
		standard := reflect.ValueOf(group.standard)
		for i := range standard.NumField() {
			name := standard.Type().Field(i).Name
			t.Run(group.name+"."+name, func(t *testing.T) {
				start := func(value int64) (int64, error) {
					srv := &weir.Server{Handler: says(""), Loops: 1, System: memloop.New(), Logger: slog.New(slog.DiscardHandler)}
					field := reflect.ValueOf(group.of(srv)).Elem().Field(i)
					field.SetInt(value)
					err := srv.Start()
					if err == nil {
						defer shutdown(t, srv)
					}
					return field.Int(), err
				}
				if got, err := start(0); err != nil || got != standard.Field(i).Int() {
					t.Errorf("zero: got %d, %v, want the default %d", got, err, standard.Field(i).Int())
				}
				if _, err := start(1 << 20); err != nil && name != "LowMark" {
					t.Errorf("a value: got %v", err)
				}
				_, err := start(-1)
				if isNone[name] != (err == nil) || err != nil && !strings.Contains(err.Error(), group.name+"."+name+" is -1") {
					t.Errorf("negative: got %v, want an error that names the field: %v", err, !isNone[name])
				}
			})
		}
	}
}

// What makes no sense is an error at Start, or a panic where it is registered.
func TestNonsenseIsRefused(t *testing.T) {
	var noMux *weir.Mux
	var noSwitch *weir.SwapMux
	var noFunc weir.HandlerFunc
	for name, srv := range map[string]*weir.Server{
		"no handler":               {},
		"a Mux that is nil":        {Handler: noMux},
		"a SwapMux that is nil":    {Handler: noSwitch},
		"a function that is nil":   {Handler: noFunc},
		"negative loops":           {Handler: says(""), Loops: -1},
		"an unknown HalfClose":     {Handler: says(""), HalfClose: 7},
		"a low mark at the high":   {Handler: says(""), Limits: weir.Limits{HighMark: 10, LowMark: 10}},
		"a low mark above it":      {Handler: says(""), Limits: weir.Limits{LowMark: 1 << 20}},
		"a limit beyond any sense": {Handler: says(""), Limits: weir.Limits{Line: -1}},
	} {
		srv.System = memloop.New()
		if err := srv.Start(); err == nil || !strings.HasPrefix(err.Error(), "weir: ") {
			t.Errorf("%s: got %v, want an error", name, err)
		}
	}
	if err := (&weir.Server{Handler: says("")}).Start(); err == nil || !strings.Contains(err.Error(), "address") {
		t.Errorf("no address: got %v, want an error", err)
	}
	for name, register := range map[string]func(m *weir.Mux){
		"HandleFunc":       func(m *weir.Mux) { m.HandleFunc("/a", nil) },
		"Handle":           func(m *weir.Mux) { m.Handle("/a", noFunc) },
		"HandleLoop":       func(m *weir.Mux) { m.HandleLoop("/a", nil) },
		"LoopHandlerFunc":  func(m *weir.Mux) { m.HandleLoop("/a", weir.LoopHandlerFunc(nil)) },
		"NotFound":         func(m *weir.Mux) { m.NotFound(nil) },
		"MethodNotAllowed": func(m *weir.Mux) { m.MethodNotAllowed(noFunc) },
		"Use":              func(m *weir.Mux) { m.Use(nil) },
		"a late Use":       func(m *weir.Mux) { m.Handle("/a", says("")); m.Use(bearer) },
		"Inline of Native": func(m *weir.Mux) { m.Handle("/a", weir.Native("test/unary"), bearer).Inline() },
		"Inline of Events": func(m *weir.Mux) {
			m.Handle("/a", weir.Events(func(*weir.Request) iter.Seq2[*sse.Event, error] { return nil })).Inline()
		},
		"Inline twice":         func(m *weir.Mux) { m.Handle("/a", says("")).Inline().Inline() },
		"Inline of StreamBody": func(m *weir.Mux) { m.Handle("/a", says("")).StreamBody().Inline() },
		"StreamBody of Inline": func(m *weir.Mux) { m.Handle("/a", says("")).Inline().StreamBody() },
		"Inline of HandleLoop": func(m *weir.Mux) { m.HandleLoop("/a", atOnce(says(""))).Inline() },
		"middleware":           func(m *weir.Mux) { m.Handle("/a", says(""), func(weir.Handler) weir.Handler { return nil }) },
	} {
		if got := panics(func() { register(new(weir.Mux)) }); !regexp.MustCompile(`^weir: .*limits_test\.go:\d+`).MatchString(got) {
			t.Errorf("%s: got the panic %q, want one that names the place", name, got)
		}
	}
	if got := panics(func() { weir.Events(nil) }); !strings.HasPrefix(got, "weir: ") {
		t.Errorf("Events: got the panic %q", got)
	}
}

// heartbeats is how many comments a silent stream of events gets in two minutes.
func heartbeats(t *testing.T, opts ...weir.EventOptions) (n int) {
	quiet := func(r *weir.Request) iter.Seq2[*sse.Event, error] {
		return func(func(*sse.Event, error) bool) { <-r.Context().Done() }
	}
	m := new(weir.Mux)
	m.Handle("GET /", weir.Events(quiet, opts...))
	atDesk(t, m, nil, func(d *desk) {
		c := d.get("/")
		time.Sleep(2*time.Minute + time.Second)
		n = strings.Count(d.seen(c), ":\n\n")
		c.Close()
	})
	return n
}

func TestHeartbeatDefault(t *testing.T) {
	for _, test := range []struct {
		opts []weir.EventOptions
		want int
	}{
		{nil, 4},
		{[]weir.EventOptions{{}}, 4},
		{[]weir.EventOptions{{Heartbeat: time.Minute}}, 2},
		{[]weir.EventOptions{{Heartbeat: -1}}, 0},
	} {
		if got := heartbeats(t, test.opts...); got != test.want {
			t.Errorf("%+v: got %d heartbeats in two minutes, want %d", test.opts, got, test.want)
		}
	}
}

// A limit that is switched off does not hold, however long one waits.
func TestNegativeIsNone(t *testing.T) {
	m := failing()
	m.HandleFunc("POST /len", func(w *weir.Response, r *weir.Request) { fmt.Fprint(w, len(r.Body())) })
	m.HandleFunc("POST /len-of-route", func(w *weir.Response, r *weir.Request) { fmt.Fprint(w, len(r.Body())) }).MaxBody(-1).MaxStreams(-1)
	negative := func(s *weir.Server) {
		s.Limits = weir.Limits{Body: -1, Bodies: -1, Handlers: -1, Streams: -1, Conns: -1, BodyRate: -1}
		s.Timeouts = weir.Timeouts{Head: -1, BodyGrace: -1, Idle: -1, WriteStall: -1, Linger: -1, DrainGrace: -1, Drain: -1, Mercy: -1}
	}
	const long = 1000 * time.Hour // beyond the horizon of the timing wheel
	t.Run("requests", func(t *testing.T) {
		atDesk(t, m, negative, func(d *desk) {
			c := d.dial("")
			time.Sleep(long) // idle
			d.write(c, "POST /len HTTP/1.1\r\n")
			time.Sleep(long) // in the head
			body := strings.Repeat("x", 9<<20)
			d.write(c, fmt.Sprintf("Host: a\r\nContent-Length: %d\r\n\r\n", len(body)+1))
			time.Sleep(long) // in the body
			d.write(c, "x")
			time.Sleep(long)
			go func() { _, _ = io.WriteString(c, body) }()
			if got := d.seen(c); !strings.HasSuffix(got, "\r\n\r\n9437185") {
				t.Errorf("got %q, want the length of a body of 9 MiB that took its time", got)
			}
			c.Close()
		})
		atDesk(t, m, nil, func(d *desk) {
			c := d.dial(fmt.Sprintf("POST /len-of-route HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 9<<20))
			go func() { _, _ = io.WriteString(c, strings.Repeat("x", 9<<20)) }()
			if got := d.seen(c); !strings.HasSuffix(got, "\r\n\r\n9437184") {
				t.Errorf("got %q, want the length of a body of 9 MiB on a route without limit", got)
			}
			c.Close()
		})
	})
	t.Run("a client that reads nothing", func(t *testing.T) {
		atDesk(t, m, negative, func(d *desk) {
			c := d.get("/flood")
			time.Sleep(long)
			if n := d.srv.Stats().StreamsActive; n != 1 {
				t.Errorf("got %d streams, want the one that waits for its client", n)
			}
			c.Close()
		})
	})
	t.Run("shutdown", func(t *testing.T) {
		atDesk(t, m, negative, func(d *desk) {
			c := d.get("/hold")
			d.seen(c)
			reports := make(chan weir.DrainReport, 1)
			go func() {
				report, _ := d.srv.Shutdown(context.Background())
				reports <- report
			}()
			time.Sleep(long) // Drain has no limit
			if len(reports) > 0 {
				t.Fatal("the shutdown has ended, want it to wait for the stream")
			}
			d.cut() // ends the first call, too
			synctest.Wait()
			if report := <-reports; report.Cut != 1 {
				t.Errorf("got %+v, want one cut", report)
			}
			c.Close()
		})
	})
	// With a limit on Drain, negative Mercy cuts what is left at once.
	t.Run("mercy", func(t *testing.T) {
		atDesk(t, m, func(s *weir.Server) { s.Timeouts.Mercy, s.Timeouts.Linger = -1, -1 }, func(d *desk) {
			c := d.get("/hold")
			d.seen(c)
			report, err := d.srv.Shutdown(context.Background())
			if err != nil || report.Cut != 1 || report.Took < 30*time.Second || report.Took > 31*time.Second {
				t.Errorf("got %+v, %v, want one cut after 30 s", report, err)
			}
			c.Close()
		})
	})
}
