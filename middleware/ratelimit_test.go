package middleware_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/middleware"
	"weir/weirtest"
)

// M5: what passes, what a refusal says, and when there is room again.
func TestRateLimit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limit  middleware.RateLimit
		passed int
		fields string // of the first response
		refuse string // Retry-After, RateLimit
		wait   time.Duration
	}{
		{"bucket", middleware.RateLimit{Limit: 10, Per: 10 * time.Second}, 10, `"default";q=10;w=10 "default";r=9;t=1`, `1 "default";r=0;t=1`, time.Second},
		{"bucket with a burst", middleware.RateLimit{Limit: 60, Per: time.Minute, Burst: 5, Name: "fast"}, 5, `"fast";q=5;w=5 "fast";r=4;t=1`, `1 "fast";r=0;t=1`, time.Second},
		{"one a minute", middleware.RateLimit{Limit: 1, Per: time.Minute}, 1, `"default";q=1;w=60 "default";r=0;t=60`, `60 "default";r=0;t=60`, time.Minute},
		{"fixed", middleware.RateLimit{Limit: 3, Per: time.Minute, Kind: middleware.FixedWindow}, 3, `"default";q=3;w=60 "default";r=2;t=60`, `60 "default";r=0;t=60`, time.Minute},
		{"sliding", middleware.RateLimit{Limit: 3, Per: time.Minute, Kind: middleware.SlidingWindow}, 3, `"default";q=3;w=60 "default";r=2;t=120`, `80 "default";r=0;t=80`, 80 * time.Second},
		{"a million a day", middleware.RateLimit{Limit: 1_000_000, Per: 24 * time.Hour, Burst: 2}, 2, `"default";q=2;w=1 "default";r=1;t=1`, `1 "default";r=0;t=1`, 86400 * time.Microsecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at(t, around(hello, tt.limit.Middleware()), func(s *weirtest.Server) {
				for i := range tt.passed {
					res := ask(s, "GET "+[]string{"/", "/inline", "/nowhere"}[i%3])
					if got := res.Header.Get("RateLimit-Policy") + " " + res.Header.Get("RateLimit"); res.Status == 429 || i == 0 && got != tt.fields {
						t.Errorf("request %d: got %d and %s, want %s", i, res.Status, got, tt.fields)
					}
				}
				for range 3 { // what is refused does not count
					res := ask(s, "GET /inline")
					if got := res.Header.Get("Retry-After") + " " + res.Header.Get("RateLimit"); res.Status != 429 || got != tt.refuse {
						t.Errorf("one too many: got %d and %s, want 429 and %s", res.Status, got, tt.refuse)
					}
				}
				s.Tick(tt.wait - time.Nanosecond)
				if res := ask(s, "GET /"); res.Status != 429 {
					t.Errorf("too early: got %d", res.Status)
				}
				s.Tick(time.Nanosecond)
				if res := ask(s, "GET /"); res.Status != 200 {
					t.Errorf("after the wait: got %d", res.Status)
				}
			})
		})
	}
}

// M5: who counts as one client.
func TestRateLimitKeys(t *testing.T) {
	proxies := &middleware.Clients{Proxies: middleware.MustPeers("192.0.2.0/24")}
	user := weir.NewKey[string]("user")
	for _, tt := range []struct {
		name     string
		limit    middleware.RateLimit
		requests []string // pairs: the second has to pass, or not, behind the first
		together bool
	}{
		{"by address", middleware.RateLimit{}, []string{"GET /", "GET /inline"}, true},
		{"what a client says of itself", middleware.RateLimit{}, []string{"GET /|X-Forwarded-For: 203.0.113.9", "GET /|X-Forwarded-For: 203.0.113.10"}, true},
		{"what a proxy says", middleware.RateLimit{Clients: proxies}, []string{"GET /|X-Forwarded-For: 203.0.113.9", "GET /|X-Forwarded-For: 203.0.113.10"}, false},
		{"what is before that", middleware.RateLimit{Clients: proxies}, []string{"GET /|X-Forwarded-For: 1.1.1.1, 203.0.113.9", "GET /|X-Forwarded-For: 2.2.2.2, 203.0.113.9"}, true},
		{"a network of IPv6", middleware.RateLimit{Clients: proxies}, []string{"GET /|X-Forwarded-For: 2001:4860::1", "GET /|X-Forwarded-For: 2001:4860::ffff:2"}, true},
		{"two of them", middleware.RateLimit{Clients: proxies}, []string{"GET /|X-Forwarded-For: 2001:4860::1", "GET /|X-Forwarded-For: 2001:4860:0:1::1"}, false},
		{"IPv4 in IPv6", middleware.RateLimit{Clients: proxies}, []string{"GET /|X-Forwarded-For: 203.0.113.9", "GET /|X-Forwarded-For: ::ffff:203.0.113.9"}, true},
		{"by route", middleware.RateLimit{Key: middleware.ByAll(middleware.ByRoute, middleware.ByAddr(nil))}, []string{"GET /", "GET /inline"}, false},
		{"by the same route", middleware.RateLimit{Key: middleware.ByAll(middleware.ByRoute, middleware.ByAddr(nil))}, []string{"GET /?a", "GET /?b"}, true},
		{"by route and value, of nobody", middleware.RateLimit{Key: middleware.ByAll(middleware.ByRoute, middleware.ByValue(user)), Clients: proxies}, []string{"GET /|X-Forwarded-For: 203.0.113.9", "GET /|X-Forwarded-For: 203.0.113.10"}, false},
		{"by route and value, of one address", middleware.RateLimit{Key: middleware.ByAll(middleware.ByRoute, middleware.ByValue(user)), Clients: proxies}, []string{"GET /|X-Forwarded-For: 203.0.113.9", "GET /inline|X-Forwarded-For: 203.0.113.9"}, true},
		{"by field", middleware.RateLimit{Key: middleware.ByField("X-Api-Key")}, []string{"GET /|X-Api-Key: a", "GET /|x-api-key: b"}, false},
		{"by the same field", middleware.RateLimit{Key: middleware.ByField("X-Api-Key")}, []string{"GET /|X-Api-Key: a", "GET /|x-api-key: a"}, true},
		{"without the field", middleware.RateLimit{Key: middleware.ByField("X-Api-Key")}, []string{"GET /", "GET /inline"}, true},
		{"by a value", middleware.RateLimit{Key: middleware.ByValue(user)}, []string{"GET /|User: a", "GET /|User: b"}, false},
		{"by no value", middleware.RateLimit{Key: middleware.ByValue(user)}, []string{"GET /|User:", "GET /|User:"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.limit.Limit, tt.limit.Per = 1, time.Minute
			who := func(next weir.Handler) weir.Handler {
				return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
					if name := r.Header().Get("User"); name != "" {
						user.Set(r, name)
					}
					next.Serve(w, r)
				})
			}
			at(t, around(hello, who, tt.limit.Middleware()), func(s *weirtest.Server) {
				first, second := ask(s, tt.requests[0]).Status, ask(s, tt.requests[1]).Status
				if first != 200 || (second == 429) != tt.together {
					t.Errorf("got %d and %d, want one client: %v", first, second, tt.together)
				}
			})
		})
	}
}

// M5: several limits are several elements, and a refused body is not read.
func TestRateLimits(t *testing.T) {
	small := middleware.RateLimit{Limit: 2, Name: "second"}
	large := middleware.RateLimit{Limit: 100, Per: time.Hour, Name: "hour"}
	at(t, around(hello, small.Middleware(), large.Middleware()), func(s *weirtest.Server) {
		res := ask(s, "GET /")
		if got := strings.Join(res.Header.Values("RateLimit"), ", "); got != `"second";r=1;t=1, "hour";r=99;t=36` {
			t.Errorf("got %s", got)
		}
		ask(s, "GET /")
		c := s.Dial()
		c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
		if got := c.Received(); !strings.HasPrefix(got, "HTTP/1.1 429 ") || !strings.Contains(got, "\r\nConnection: close\r\n") {
			t.Errorf("got %q, want 429 that closes", got)
		}
		_ = c.Close()
	})
	large = middleware.RateLimit{Limit: 1_000_000, Per: 24 * time.Hour} // whose product is more than 63 bits
	at(t, around(hello, large.Middleware()), func(s *weirtest.Server) {
		if got := ask(s, "GET /").Header.Get("RateLimit-Policy"); got != `"default";q=1000000;w=86400` {
			t.Errorf("got %s", got)
		}
	})
	quiet := middleware.RateLimit{Limit: 1, Per: time.Hour, Quiet: true}
	at(t, around(hello, quiet.Middleware()), func(s *weirtest.Server) {
		if res := ask(s, "GET /"); res.Header.Get("RateLimit") != "" {
			t.Errorf("got %v", res.Header)
		}
		if res := ask(s, "GET /"); res.Header.Get("RateLimit") == "" || res.Header.Get("Retry-After") != strconv.Itoa(3600) {
			t.Errorf("got %v", res.Header)
		}
	})
}

func TestRateLimitConfig(t *testing.T) {
	for _, c := range []middleware.RateLimit{
		{}, {Limit: -1}, {Limit: 1, Per: -1}, {Limit: 1, Burst: -1}, {Limit: 1, Name: "a\"b"}, {Limit: 1, Name: "a\r\nb"},
		{Limit: 2_000_000_000}, {Limit: 1, Kind: 9}, {Limit: 1, Burst: 5, Kind: middleware.SlidingWindow}, {Limit: 1, Per: 365 * 24 * time.Hour, Burst: 1 << 30}, {Limit: 1, Per: 1000 * 24 * time.Hour},
	} {
		if !panics(func() { c.Middleware() }) {
			t.Errorf("%+v: does not panic", c)
		}
	}
}

func ExampleRateLimit() {
	mux := new(weir.Mux)
	mux.Use(
		middleware.RateLimit{Limit: 20, Name: "second"}.Middleware(),
		middleware.RateLimit{Limit: 1000, Per: time.Hour, Kind: middleware.SlidingWindow, Name: "hour"}.Middleware(),
	)
	login := middleware.RateLimit{Limit: 5, Per: time.Minute, Name: "login"}.Middleware()
	mux.HandleFunc("POST /login", func(w *weir.Response, r *weir.Request) {}, login)
	fmt.Println("limits: 20 a second and 1000 an hour for each address, 5 logins a minute")
	// Output: limits: 20 a second and 1000 an hour for each address, 5 logins a minute
}
