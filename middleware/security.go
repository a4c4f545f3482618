package middleware

import (
	"fmt"
	"strconv"
	"time"

	"weir"
)

// Omit, as a value of [Security], leaves a field out.
const Omit = "-"

// Security sets the fields by which browsers protect the users of a page. What
// a handler sets itself wins.
type Security struct {
	// Frame is X-Frame-Options, who may show the page in a frame: DENY by
	// default.
	Frame string
	// Referrer is Referrer-Policy, what other sites learn of the page's address:
	// strict-origin-when-cross-origin by default.
	Referrer string
	// Content is Content-Security-Policy, where the page may have scripts and
	// the like from. There is none by default, since it depends on the page.
	Content string
	// Opener is Cross-Origin-Opener-Policy: same-origin by default.
	Opener string
	// HSTS is how long browsers use only https for the host: a year by default,
	// negative leaves Strict-Transport-Security out. It is sent over TLS only,
	// or where a proxy of Clients says that the client uses it.
	HSTS time.Duration
	// Subdomains extends HSTS to the host's subdomains.
	Subdomains bool
	// Clients knows which requests came by TLS to a proxy.
	Clients *Clients
}

// field is a field of a response.
type field struct{ name, value string }

// Middleware returns the middleware. It panics if a value cannot be a field's,
// and for HSTS below a second.
//
// X-Content-Type-Options is always nosniff: a response is what its Content-Type
// says.
func (c Security) Middleware() weir.Middleware {
	fields := []field{{"X-Content-Type-Options", "nosniff"}}
	for _, f := range []struct{ name, value, standard string }{
		{"X-Frame-Options", c.Frame, "DENY"},
		{"Referrer-Policy", c.Referrer, "strict-origin-when-cross-origin"},
		{"Content-Security-Policy", c.Content, Omit},
		{"Cross-Origin-Opener-Policy", c.Opener, "same-origin"},
	} {
		if f.value == "" {
			f.value = f.standard
		}
		if f.value != Omit {
			fields = append(fields, field{f.name, f.value})
		}
	}
	for _, f := range fields {
		if err := new(weir.Header).TrySet(f.name, f.value); err != nil {
			panic(fmt.Sprintf("middleware: Security: %s: %v", f.name, err))
		}
	}
	hsts := c.hsts()
	return func(next weir.Handler) weir.Handler {
		return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			h := w.Header()
			for i := range fields {
				h.Set(fields[i].name, fields[i].value)
			}
			if hsts != "" && c.Clients.Secure(r) {
				h.Set("Strict-Transport-Security", hsts)
			}
			next.Serve(w, r)
		})
	}
}

// hsts is the value of Strict-Transport-Security; "" if there is none.
func (c *Security) hsts() string {
	age := c.HSTS
	if age == 0 {
		age = 365 * 24 * time.Hour
	}
	if age < 0 {
		return ""
	}
	if age < time.Second { // which would be zero: it ends what browsers have remembered
		panic(fmt.Sprintf("middleware: Security: HSTS is %v: want seconds; negative leaves the field out", age))
	}
	value := "max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
	if c.Subdomains {
		value += "; includeSubDomains"
	}
	return value
}
