package middleware_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"weir"
	"weir/internal/tlstest"
	"weir/middleware"
	"weir/weirtest"
)

// M4: the fields, with what a handler sets itself, and what is left out.
func TestSecurity(t *testing.T) {
	const names = "X-Content-Type-Options X-Frame-Options Referrer-Policy Content-Security-Policy Cross-Origin-Opener-Policy Strict-Transport-Security"
	proxied := &middleware.Clients{Proxies: middleware.MustPeers("192.0.2.0/24")}
	for _, tt := range []struct {
		name     string
		security middleware.Security
		request  string
		want     string
	}{
		{"defaults", middleware.Security{}, "GET /", "nosniff;DENY;strict-origin-when-cross-origin;;same-origin;"},
		{"a 404", middleware.Security{}, "GET /inline/nothing", "nosniff;DENY;strict-origin-when-cross-origin;;same-origin;"},
		{"set", middleware.Security{Frame: "SAMEORIGIN", Referrer: "no-referrer", Content: "default-src 'self'", Opener: "unsafe-none"}, "GET /", "nosniff;SAMEORIGIN;no-referrer;default-src 'self';unsafe-none;"},
		{"omitted", middleware.Security{Frame: middleware.Omit, Referrer: middleware.Omit, Content: middleware.Omit, Opener: middleware.Omit}, "GET /", "nosniff;;;;;"},
		{"https, says a client", middleware.Security{}, "GET /|X-Forwarded-Proto: https", "nosniff;DENY;strict-origin-when-cross-origin;;same-origin;"},
		{"https, says a proxy", middleware.Security{Clients: proxied}, "GET /|X-Forwarded-Proto: https", "nosniff;DENY;strict-origin-when-cross-origin;;same-origin;max-age=31536000"},
		{"http, says a proxy", middleware.Security{Clients: proxied}, "GET /|X-Forwarded-Proto: https|X-Forwarded-Proto: http", "nosniff;DENY;strict-origin-when-cross-origin;;same-origin;"},
		{"no HSTS", middleware.Security{Clients: proxied, HSTS: -1}, "GET /|X-Forwarded-Proto: https", "nosniff;DENY;strict-origin-when-cross-origin;;same-origin;"},
		{"subdomains", middleware.Security{Clients: proxied, HSTS: 60e9, Subdomains: true}, "GET /|X-Forwarded-Proto: HTTPS", "nosniff;DENY;strict-origin-when-cross-origin;;same-origin;max-age=60; includeSubDomains"},
		{"a handler's own", middleware.Security{}, "GET /own", "nosniff;ALLOWALL;strict-origin-when-cross-origin;;same-origin;"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := around(hello, tt.security.Middleware())
			srv.Handler.(*weir.Mux).HandleFunc("GET /own", func(w *weir.Response, _ *weir.Request) { w.Header().Set("X-Frame-Options", "ALLOWALL") })
			at(t, srv, func(s *weirtest.Server) {
				res := ask(s, tt.request)
				var got []string
				for _, name := range strings.Fields(names) {
					got = append(got, strings.Join(res.Header.Values(name), "+"))
				}
				if got := strings.Join(got, ";"); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			})
		})
	}
	for _, c := range []middleware.Security{{Frame: "a\nb"}, {Content: "\x00"}, {HSTS: 500}} {
		if !panics(func() { c.Middleware() }) {
			t.Errorf("%+v: does not panic", c)
		}
	}
}

// M4: browsers are told to stay with https over TLS.
func TestSecurityOverTLS(t *testing.T) {
	identity := tlstest.New(t, "127.0.0.1")
	srv := around(hello, middleware.Security{}.Middleware())
	srv.TLS = &weir.TLS{Config: identity.Server()}
	if err := srv.Start("tls:127.0.0.1:0", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	transport := &http.Transport{TLSClientConfig: identity.Client(), DisableKeepAlives: true}
	for _, addr := range srv.Addrs() {
		scheme, want := "http", ""
		if addr.String() == srv.TLSAddrs()[0].String() {
			scheme, want = "https", "max-age=31536000"
		}
		res, err := (&http.Client{Transport: transport}).Get(scheme + "://" + addr.String() + "/")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if got := res.Header.Get("Strict-Transport-Security"); got != want {
			t.Errorf("%s: got %q, want %q", scheme, got, want)
		}
	}
}
