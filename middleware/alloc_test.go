//go:build !race && !invariants

package middleware_test

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	"weir"
	"weir/internal/memloop"
	"weir/logq"
	"weir/middleware"
)

// M11: what an inline request allocates for each piece (one for each address that
// a proxy has named and that is looked at), and that a route beside them pays
// nothing.
func TestAllocs(t *testing.T) {
	m := new(weir.Mux)
	route := func(name string, mw ...weir.Middleware) {
		m.HandleFunc("GET /"+name, func(w *weir.Response, _ *weir.Request) { _, _ = w.WriteString("hello") }, mw...).Inline()
	}
	ids, security := middleware.RequestIDs{}.Middleware(), middleware.Security{}.Middleware()
	cors := middleware.CORS{Origins: []string{"https://app.example"}}.Middleware()
	limit := middleware.RateLimit{Limit: 1_000_000_000, Quiet: true}
	quiet := limit.Middleware()
	limit.Quiet = false
	loud := limit.Middleware()
	proxied := middleware.RateLimit{Limit: 1_000_000_000, Quiet: true, Clients: &middleware.Clients{Proxies: middleware.MustPeers("*")}}.Middleware()
	route("none")
	route("proxied", proxied)
	route("ids", ids)
	route("security", security)
	route("cors", cors)
	route("quiet", quiet)
	route("loud", loud)
	route("all", ids, security, cors, loud)
	const pipelined = 64
	measure := func(srv *weir.Server, kernel *memloop.Kernel, name, fields string) float64 {
		c := kernel.Dial(srv.Reactor(), 0)
		defer c.Close()
		batch := []byte(strings.Repeat("GET /"+name+" HTTP/1.1\r\nHost: a\r\n"+fields+"\r\n", pipelined))
		answer := make([]byte, 64<<10)
		run := func() {
			if _, err := c.Write(batch); err != nil {
				t.Fatal(err)
			}
			for heads := 0; heads < pipelined; {
				n, err := c.Read(answer)
				if err != nil {
					t.Fatal(err)
				}
				heads += strings.Count(string(answer[:n]), "HTTP/1.1 200")
			}
		}
		run()
		return testing.AllocsPerRun(100, run) / pipelined
	}
	for _, log := range []bool{false, true} {
		kernel := memloop.New()
		srv := &weir.Server{Handler: m, Loops: 1, System: kernel, Logger: slog.New(slog.DiscardHandler)}
		if log {
			srv.Trace = middleware.AccessLog{Out: logq.NewWriter(io.Discard, false), Format: middleware.Common}.Trace()
		}
		if err := srv.Start(); err != nil {
			t.Fatal(err)
		}
		for name, most := range map[string]float64{"none": 0, "ids": 1, "security": 0, "cors": 1, "quiet": 0, "proxied": 2, "loud": 1, "all": 3} {
			fields := "X-Forwarded-For: 203.0.113.9, 2001:db8::1\r\n"
			if name == "cors" || name == "all" {
				fields = "Origin: https://app.example\r\n"
			}
			if log {
				most += 4
			}
			if got := measure(srv, kernel, name, fields); got > most+0.2 { // the test's own, spread over a batch
				t.Errorf("%s, with a log: %v: got %.2f allocations, want at most %v", name, log, got, most)
			}
		}
		if _, err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
