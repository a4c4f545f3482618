package middleware

import (
	"fmt"
	"net/http"
	"net/url"

	"weir"
)

// CrossOrigin refuses with 403 what pages of other origins send to change
// something (cross-site request forgery). A browser sends such requests for any
// page, with the user's cookies, also to servers on the user's own machine and
// network; CORS only keeps the responses from the page.
//
// It is net/http's CrossOriginProtection: GET, HEAD and OPTIONS pass, so they
// must change nothing. Others pass if Sec-Fetch-Site says that the page is of
// the same origin or that there is none; without that field if Origin is the
// host itself, or missing, as from programs. Handshakes of WebSockets are GETs:
// package ws checks their Origin.
type CrossOrigin struct {
	// Origins are those whose pages may send such requests nevertheless, as
	// browsers write them: https://app.example.
	Origins []string
}

// Middleware returns the middleware. It panics for an origin that no browser
// sends.
func (c CrossOrigin) Middleware() weir.Middleware {
	var protection http.CrossOriginProtection
	for _, origin := range c.Origins {
		err := CheckOrigin(origin)
		if err == nil {
			err = protection.AddTrustedOrigin(origin)
		}
		if err != nil {
			panic(fmt.Sprintf("middleware: CrossOrigin: %v", err))
		}
	}
	return func(next weir.Handler) weir.Handler {
		return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			if err := checkPage(&protection, r); err != nil {
				w.Error(http.StatusForbidden, "pages of other origins may not do this")
				return
			}
			next.Serve(w, r)
		})
	}
}

// checkPage returns why a request is refused. What has neither field, or
// changes nothing, costs nothing.
func checkPage(p *http.CrossOriginProtection, r *weir.Request) error {
	switch r.Method() {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	fields := make(http.Header)
	for _, name := range [...]string{"Sec-Fetch-Site", "Origin"} {
		if values := r.Header().Values(name); len(values) > 0 {
			fields[name] = values
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return p.Check(&http.Request{Method: r.Method(), Host: r.Host(), URL: &url.URL{Path: r.Path()}, Header: fields})
}
