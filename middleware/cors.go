package middleware

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir"
	"weir/http1"
)

// CORS lets pages of other origins read responses, by the rules of the WHATWG's
// Fetch standard. It refuses nothing: a browser sends simple requests without
// asking, and only keeps the response from the page. So it is no protection
// against what a request does.
//
// Give it to [weir.Mux.Use]: preflights, which are OPTIONS, reach no route's own
// middleware.
type CORS struct {
	// Origins are those of the pages, exactly as browsers write them:
	// https://app.example, no path. "*" is all, and "null" is itself: any page
	// can have that origin.
	Origins []string
	// Allow is asked in place of Origins, if it is set. It must not block.
	Allow func(r *weir.Request, origin []byte) bool
	// Methods are those that pages may use: GET, HEAD, POST, PUT, PATCH and
	// DELETE by default.
	Methods []string
	// Fields are those that pages may send, in addition to those that need no
	// permission. An element "*" also allows whatever else a page asks for. nil
	// is that alone.
	Fields []string
	// Expose are the response's fields that pages may read. nil is all of them,
	// or with Credentials, where browsers have no word for all, none but those
	// that need no permission.
	Expose []string
	// Credentials lets pages send the user's cookies and read what is for the
	// user alone. The pages must then be named: neither "*", nor "null", nor an
	// Allow that says yes to every origin is safe, and the first two panic.
	Credentials bool
	// PrivateNetwork lets pages of public sites use a server in a private
	// network, if the browser asks.
	PrivateNetwork bool
	// MaxAge is how long browsers may remember a permission: an hour by default,
	// negative is not at all. They have limits of their own.
	MaxAge time.Duration
}

// Middleware returns the middleware. It panics for a configuration that makes
// no sense.
func (c CORS) Middleware() weir.Middleware {
	p := c.Policy()
	return func(next weir.Handler) weir.Handler {
		return weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			p.Mark(w, r)
			if !p.Preflight(w, r) {
				next.Serve(w, r)
			}
		})
	}
}

// A CORSPolicy is a [CORS] that was checked, for callers of Mark and Preflight
// elsewhere than in middleware. It is safe for concurrent use.
type CORSPolicy struct {
	any         bool // every origin is allowed
	allow       func(r *weir.Request, origin []byte) bool
	origins     []string // in lower case
	credentials bool
	private     bool
	methods     string
	fields      string
	others      bool // fields that are not in the list, too
	expose      string
	maxAge      string
}

// Policy checks the configuration. It panics where Middleware does.
func (c CORS) Policy() *CORSPolicy {
	p := &CORSPolicy{allow: c.Allow, credentials: c.Credentials, private: c.PrivateNetwork}
	for _, o := range c.Origins {
		switch err := CheckOrigin(o); {
		case o == "*":
			p.any = c.Allow == nil
		case o != "null" && err != nil:
			panic("middleware: CORS: " + err.Error())
		}
		if c.Credentials && (o == "*" || o == "null") {
			panic(fmt.Sprintf("middleware: CORS: Credentials for the origin %q would let every page act for its user; name the origins", o))
		}
		p.origins = append(p.origins, strings.ToLower(o))
	}
	p.methods = tokens("Methods", c.Methods, "GET, HEAD, POST, PUT, PATCH, DELETE")
	p.others = c.Fields == nil || slices.Contains(c.Fields, "*")
	p.fields = tokens("Fields", slices.DeleteFunc(slices.Clone(c.Fields), func(f string) bool { return f == "*" }), "")
	p.expose = tokens("Expose", c.Expose, "")
	if c.Expose == nil && !c.Credentials {
		p.expose = "*"
	}
	if c.MaxAge == 0 {
		c.MaxAge = time.Hour
	}
	p.maxAge = strconv.FormatInt(int64(max(0, c.MaxAge)/time.Second), 10)
	return p
}

// CheckOrigin returns an error if no browser names an origin like that:
// with a path, the scheme's own port, or a name that is not ASCII.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	switch {
	case origin == "file://": // of pages that are files, in web views
	case err != nil, u.Host == "", !strings.EqualFold(origin, u.Scheme+"://"+u.Host):
		return fmt.Errorf("%q is not an origin such as https://app.example, without a path", origin)
	case strings.Contains(origin, "*"):
		return fmt.Errorf("%q: origins are compared as they are; for several, such as those of subdomains, list them or use a function", origin)
	case strings.IndexFunc(origin, func(c rune) bool { return c <= ' ' || c > '~' || c == ',' }) >= 0:
		return fmt.Errorf("%q is not as browsers write it; want a name in ASCII, such as https://xn--mnchen-3ya.example", origin)
	case strings.HasSuffix(origin, ":"), u.Scheme == "http" && u.Port() == "80", u.Scheme == "https" && u.Port() == "443":
		return fmt.Errorf("%q is not as browsers write it; want it without the port", origin)
	}
	return nil
}

// tokens joins a list for a field. It panics if one is not a token.
func tokens(what string, list []string, standard string) string {
	for _, s := range list {
		if !http1.IsToken(s) {
			panic(fmt.Sprintf("middleware: CORS: %s: %q is not a token", what, s))
		}
	}
	if len(list) == 0 {
		return standard
	}
	return strings.Join(list, ", ")
}

// Mark adds to a response the fields that let the requesting page read it, if
// it may. Call it before anything that responds, so that pages also see errors.
// Where every page may, they are in every response: a cache may keep that to a
// request that no page has sent, and use it for one.
func (c *CORSPolicy) Mark(w *weir.Response, r *weir.Request) {
	h := w.Header()
	if c.any {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		AddVary(h, "Origin")
		origin := r.Header().View("Origin")
		if !c.allows(r, origin) {
			return
		}
		h.Set("Access-Control-Allow-Origin", string(origin))
	}
	if c.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if c.expose != "" {
		h.Set("Access-Control-Expose-Headers", c.expose)
	}
}

// Preflight responds to a preflight of a page that Mark allows to read the
// response, and reports whether the request was one. One of another page is not
// answered here: what becomes of it does not matter, without the fields.
func (c *CORSPolicy) Preflight(w *weir.Response, r *weir.Request) bool {
	asked := r.Header()
	if r.Method() != "OPTIONS" || asked.View("Access-Control-Request-Method") == nil || !c.allows(r, asked.View("Origin")) {
		return false
	}
	w.SetStatus(204)
	h := w.Header()
	fields := c.fields
	if c.others {
		AddVary(h, "Access-Control-Request-Headers")
		fields = withOthers(fields, asked.Values("Access-Control-Request-Headers"))
	}
	h.Set("Access-Control-Allow-Methods", c.methods)
	if fields != "" {
		h.Set("Access-Control-Allow-Headers", fields)
	}
	h.Set("Access-Control-Max-Age", c.maxAge)
	if c.private {
		AddVary(h, "Access-Control-Request-Private-Network")
		if string(asked.View("Access-Control-Request-Private-Network")) == "true" {
			h.Set("Access-Control-Allow-Private-Network", "true")
		}
	}
	return true
}

// allows reports whether a request is one of a page that may read responses.
func (c *CORSPolicy) allows(r *weir.Request, origin []byte) bool {
	switch {
	case origin == nil: // of no page
		return false
	case c.allow != nil:
		return c.allow(r, origin)
	}
	return c.any || slices.ContainsFunc(c.origins, func(o string) bool { return o == string(origin) })
}

// withOthers appends to a list the elements of others that it does not have.
// They are the page's words: only tokens are repeated.
func withOthers(list string, others []string) string {
	var b strings.Builder
	b.WriteString(list)
	for _, line := range others {
		for element := range http1.Elements([]byte(line)) {
			if name := string(element); http1.IsToken(name) && !http1.HasToken([]byte(list), name) {
				if b.Len() > 0 {
					b.WriteString(", ")
				}
				b.WriteString(name)
			}
		}
	}
	return b.String()
}

// AddVary announces to caches that the response depends on a field of the
// request, unless that is announced already.
func AddVary(h *weir.Header, name string) {
	if !h.HasToken("Vary", name) && !h.HasToken("Vary", "*") {
		h.Add("Vary", name)
	}
}
