// Package guard keeps web pages away from servers that are not theirs (G19).
//
// A browser sends a request wherever a page wants it to, also to this machine
// and to the networks behind it, and such a request can cost money or do harm
// although the page may not read the response. Two things identify it. Origin
// and the Sec-Fetch fields, which no page can set, name the page that sends it.
// Host is the name by which the browser got here: a page whose own name was
// rebound to this server's address is of the same origin as the server, but it
// still has its own name.
package guard

import (
	"bytes"
	"net"
	"net/http"
	"strings"

	"weir"
	"weir/middleware"
)

// Config is which pages may send requests. Programs that are not browsers
// always may.
type Config struct {
	// Origins are those whose pages may send requests, as browsers write them;
	// "*" is all. nil is the default: on loopback listeners the pages and
	// desktop applications of this machine, elsewhere none. An empty list is
	// none.
	Origins []string
	// Hosts are names of the server in Host, without ports; "*" is any name.
	// Loopback listeners also have loopback names. All others have every name
	// while the list is empty, and otherwise also their addresses.
	Hosts []string
	// Links lets pages of any origin link to the server's own.
	Links bool
	// Reads lets pages of any origin send requests with safe methods, which
	// change nothing. What they may read of the responses, CORS says.
	Reads bool
}

// NoPages is the Config of servers that are not for web pages at all.
var NoPages = Config{Origins: []string{}}

// A Policy checks requests by a Config. It is safe for concurrent use.
type Policy struct {
	Config
	anyOrigin, anyHost bool
	pages              *middleware.CORSPolicy
}

// New returns the policy of a configuration.
func New(c Config) *Policy {
	p := &Policy{Config: c}
	p.Origins = lowered(c.Origins, &p.anyOrigin)
	p.Hosts = lowered(c.Hosts, &p.anyHost)
	for i, name := range p.Hosts {
		p.Hosts[i] = strings.TrimSuffix(strings.Trim(name, "[]"), ".") // as hostname has them
	}
	p.pages = p.cors()
	return p
}

// lowered returns the list in lower case, and sets star if it has one.
func lowered(list []string, star *bool) []string {
	var all []string
	if list != nil {
		all = []string{}
	}
	for _, s := range list {
		*star = *star || s == "*"
		all = append(all, strings.ToLower(s))
	}
	return all
}

// Refusal is why a request is not served. The response has status 403.
type Refusal struct{ Code, Message string }

var (
	foreignHost = &Refusal{"host_not_allowed",
		"This server does not have the name in Host. Use localhost, or add the name to hosts in the server's configuration."}
	foreignOrigin = &Refusal{"origin_not_allowed",
		"Web pages of other origins may not do this here. In the configuration of a gateway, cors.origins allows them."}
)

// fields are the header fields of a request.
type fields interface {
	View(name string) []byte
	Values(name string) []string
}

// Check returns why a request must not be served; nil = it may be.
func (p *Policy) Check(r *weir.Request) *Refusal {
	return p.check(r.ListenAddr(), r.HostBytes(), r.Method(), r.Header())
}

// Handler guards a handler of net/http that serves what lis accepts.
func (p *Policy) Handler(lis net.Listener, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if no := p.check(lis.Addr(), []byte(r.Host), r.Method, httpFields{r.Header}); no != nil {
			http.Error(w, no.Message, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// httpFields is net/http's fields.
type httpFields struct{ http.Header }

func (f httpFields) View(name string) []byte {
	if values := f.Values(name); len(values) > 0 {
		return []byte(values[0])
	}
	return nil
}

func (p *Policy) check(listened net.Addr, host []byte, method string, f fields) *Refusal {
	if !p.knows(listened, host) {
		return foreignHost
	}
	if p.anyOrigin || p.Reads && isSafe(method) {
		return nil
	}
	origin, site := f.View("Origin"), f.View("Sec-Fetch-Site")
	if origin == nil && site == nil {
		return nil // not a browser
	}
	if len(f.Values("Origin")) > 1 || len(f.Values("Sec-Fetch-Site")) > 1 {
		return foreignOrigin // browsers send one of each
	}
	if p.allows(listened, origin) || p.ours(listened, host, origin, site) || p.Links && isLink(method, f) {
		return nil
	}
	return foreignOrigin
}

// knows reports whether the server has that name.
func (p *Policy) knows(listened net.Addr, host []byte) bool {
	tcp, ok := listened.(*net.TCPAddr)
	if !ok || host == nil || p.anyHost {
		return true // a browser connects by TCP and sends Host
	}
	loopback := tcp.IP.IsLoopback()
	if !loopback && len(p.Hosts) == 0 {
		return true
	}
	name, ok := hostname(host)
	switch {
	case !ok:
		return false
	case loopback && isLoopback(name), !loopback && isAddress(name): // an address cannot be rebound
		return true
	}
	for _, h := range p.Hosts {
		if string(name) == h || bytes.EqualFold(name, []byte(h)) {
			return true
		}
	}
	return false
}

// allows reports whether pages of that origin, which is not the server's, may
// send requests.
func (p *Policy) allows(listened net.Addr, origin []byte) bool {
	switch {
	case p.anyOrigin:
		return true
	case origin == nil:
		return false
	case p.Origins == nil:
		return onLoopback(listened) && isLocal(origin)
	}
	for _, o := range p.Origins {
		if string(origin) == o {
			return true
		}
	}
	return false
}

// ours reports whether a browser sends a request on behalf of a page of the
// server itself, or of its user. Fetch Metadata (W3C) names the site; older
// browsers, and those that got here without TLS from elsewhere, send only
// Origin.
//
// same-site is not enough: sites share a domain, not their trust. It suffices
// if the site is this machine, which is allowed anyway.
func (p *Policy) ours(listened net.Addr, host, origin, site []byte) bool {
	switch string(site) {
	case "same-origin": // also behind a proxy that has changed Host
		return true
	case "same-site":
		return origin == nil && p.Origins == nil && onLoopback(listened)
	case "none", "":
		return origin == nil || isHost(origin, host)
	}
	return false
}

// isLink reports whether a browser follows a link, or something similar, so
// that the page is shown instead of the one that has sent it.
func isLink(method string, f fields) bool {
	return (method == "GET" || method == "HEAD") &&
		string(f.View("Sec-Fetch-Mode")) == "navigate" && string(f.View("Sec-Fetch-Dest")) == "document"
}

// isSafe reports whether a method is one that changes nothing (RFC 9110 9.2.1).
// TRACE is not served.
func isSafe(method string) bool { return method == "GET" || method == "HEAD" || method == "OPTIONS" }

func onLoopback(listened net.Addr) bool {
	tcp, ok := listened.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
