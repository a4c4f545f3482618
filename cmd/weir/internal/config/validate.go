package config

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"weir/client"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/known"
	"weir/http1"
	"weir/middleware"
	"weir/reactor"
)

// validator checks what a single field's tag cannot express.
type validator struct {
	*Config
	doc      any
	env      environment
	refused  map[string]bool // the pointers at which the decoder found something
	problems Problems
}

// complain notes a problem. What the decoder has refused is not reported again:
// its value is a default or empty. A pointer to an absent value is replaced by
// the mapping that it is missing from.
func (v *validator) complain(pointer, format string, args ...any) {
	if v.refused[pointer] {
		return
	}
	for !resolves(v.doc, pointer) {
		pointer = parent(pointer)
	}
	v.problems = append(v.problems, Problem{Pointer: pointer, Message: v.env.hide(pointer, fmt.Sprintf(format, args...))})
}

func (v *validator) validate() {
	v.listeners()
	v.proxies()
	for _, name := range sorted(v.Upstreams) {
		v.upstream(at("upstreams", name), name, v.Upstreams[name])
	}
	if len(v.Models) == 0 && len(v.Routes) == 0 {
		v.complain(at("models"), "no model: at least one is needed")
	}
	for _, name := range sorted(v.Models) {
		v.model(at("models", name), name, v.Models[name])
	}
	v.circles()
	v.libraries()
	v.routes()
	for i, name := range v.Hosts {
		if err := checkName(name); err != nil {
			v.complain(at("hosts", i), "%v", err)
		}
	}
	v.strip()
	for i, origin := range v.CORS.Origins {
		if err := checkOrigin(origin); err != nil {
			v.complain(at("cors", "origins", i), "%v", err)
		}
	}
}

// longestParam is how long the name of a stripped query parameter may be.
const longestParam = 64

func (v *validator) strip() {
	for i, name := range v.Strip.Headers {
		switch here := at("strip", "headers", i); {
		case !http1.IsToken(name):
			v.complain(here, "%q is not the name of a header field", name)
		case http1.IsFraming(name), own.Has([]byte(name)):
			v.complain(here, "%s is written by weir itself", name)
		}
	}
	for i, name := range v.Strip.Query {
		if name == "" || len(name) > longestParam {
			v.complain(at("strip", "query", i), "want a name of 1 to %d bytes, decoded", longestParam)
		}
	}
}

func (v *validator) proxies() {
	for i, peer := range v.Log.Proxies {
		if _, err := middleware.ParsePeers(peer); err != nil {
			v.complain(at("log", "proxies", i), "%v", err)
		}
	}
}

// listeners checks all addresses: that they can be listened on, that none is
// given twice, and that none beyond this machine is open by accident.
func (v *validator) listeners() {
	if len(v.Listen) == 0 {
		v.complain(at("listen"), "no address to serve on")
	}
	v.certificate()
	seen := map[string]string{}
	for i, addr := range v.Listen {
		here := at("listen", i)
		if local, ok := v.address(here, addr, seen); ok && !local && !v.Open {
			v.complain(here, `%s can be reached from other machines and no key is required; set "open: true" to allow that`, addr)
		}
	}
	v.variable(at("admin", "token_env"), v.Admin.TokenEnv)
	if v.Admin.Listen == "" {
		return
	}
	here := at("admin", "listen")
	if rest, err := reactor.TrimProxy(v.Admin.Listen); err == nil && rest != v.Admin.Listen {
		v.complain(here, "the PROXY protocol is for addresses of listen only")
		return
	}
	if local, ok := v.address(here, v.Admin.Listen, seen); ok && !local && v.Admin.TokenEnv == "" {
		v.complain(here, "%s can be reached from other machines; that needs admin.token_env", v.Admin.Listen)
	}
}

// certificate checks that tls has both files. Whether they can be used is seen
// when their paths are known.
func (v *validator) certificate() {
	switch t := v.TLS; {
	case t == TLS{}:
	case t.Cert == "":
		v.complain(at("tls", "cert"), "the file with the certificate is missing")
	case t.Key == "":
		v.complain(at("tls", "key"), "the file with the certificate's private key is missing")
	}
}

func (v *validator) address(pointer, addr string, seen map[string]string) (local, ok bool) {
	l, err := parseListen(addr)
	if err != nil {
		v.complain(pointer, "%v", err)
		return false, false
	}
	if first, taken := seen[l.key]; taken && l.key != "" {
		v.complain(pointer, "%s is the address of both %s and %s", addr, first, pointer)
	}
	seen[l.key] = pointer
	return l.local, true
}

var (
	envName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	plainEnv = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
)

// variable checks that the variable is there and can be sent in a field.
func (v *validator) variable(pointer, name string) {
	if name == "" {
		return
	}
	value, set := os.LookupEnv(name)
	shown := shownEnv(name)
	switch {
	case !envName.MatchString(name):
		v.complain(pointer, "want the name of an environment variable, not its value")
	case !set:
		v.complain(pointer, "%s is not set", shown)
	case value == "":
		v.complain(pointer, "%s is empty", shown)
	case strings.TrimSpace(value) != value:
		v.complain(pointer, "the value of %s begins or ends with white space or a line break", shown)
	case http1.CheckField("authorization", value) != nil:
		v.complain(pointer, "the value of %s has a control character", shown)
	}
}

func (v *validator) upstream(here, name string, u Upstream) {
	if !http1.IsToken(name) || len(name) > 64 {
		v.complain(here, "want 1 to 64 letters, digits or any of -._; the name is sent in the X-Weir-Upstream header")
	}
	if u.URL != "" {
		switch e, err := client.ParseEndpoint(u.URL); {
		case err != nil:
			v.complain(join(here, "url"), "%v", unprefixed(err))
		case u.HTTP2 && !e.TLS:
			v.complain(join(here, "http2"), "needs an https:// URL: HTTP/2 is agreed upon in the TLS handshake")
		}
	}
	v.dialects(join(here, "dialects"), u.Dialects)
	v.variable(join(here, "key_env"), u.KeyEnv)
	v.headers(join(here, "headers"), u)
	if p := u.Health.Path; p != "" && !isPath(p) {
		v.complain(here+"/health/path", "want a path such as /health, got %q", p)
	}
}

func (v *validator) dialects(here string, all []string) {
	if len(all) == 0 {
		v.complain(here, "an upstream speaks one dialect or several, for instance [openai]")
	}
	for i, d := range all {
		if d != "" && slices.Index(all, d) < i {
			v.complain(join(here, i), "%q is there twice", d)
		}
	}
}

// own are the fields that the gateway writes itself, in addition to those that
// describe the framing.
var own = http1.NewFieldSet("host", "expect", "http2-settings", "accept-encoding", "content-encoding", "via")

func (v *validator) headers(here string, u Upstream) {
	seen := map[string]string{}
	for _, name := range sorted(u.Headers) {
		at, lower := join(here, name), strings.ToLower(name)
		switch {
		case !http1.IsToken(name):
			v.complain(at, "%q is not the name of a header field", name)
		case http1.IsFraming(name), own.Has([]byte(name)):
			v.complain(at, "%s is written by weir itself", name)
		case seen[lower] != "":
			v.complain(at, "is the same field as %s", seen[lower])
		case u.KeyEnv != "" && carriesKey(u, name):
			v.complain(at, "key_env sends %s already", name)
		case http1.CheckField(name, u.Headers[name]) != nil:
			v.complain(at, "the value has a control character")
		}
		seen[lower] = name
	}
}

// carriesKey reports whether an upstream gets its key in a field of that name.
func carriesKey(u Upstream, name string) bool {
	for _, spoken := range u.Dialects {
		d := known.Named(spoken)
		if d != nil && slices.ContainsFunc(d.Credentials("key"), func(f dialect.Field) bool { return !f.Default && strings.EqualFold(f.Name, name) }) {
			return true
		}
	}
	return false
}

func (v *validator) model(here, name string, m Model) {
	if name == "" || strings.TrimSpace(name) != name || !isPrintable(name) || len(name) > 256 {
		v.complain(here, "the name must be of 1 to 256 printable characters without white space around it")
	}
	switch {
	case m.Native != "" && len(m.Targets) > 0:
		v.complain(join(here, "native"), "a model has either targets or a native handler")
	case m.Native != "":
		v.native(here, m)
		return
	case len(m.Targets) == 0 && !v.refused[join(here, "targets")]:
		v.complain(here, "a model needs targets or a native handler")
	}
	for i, t := range m.Targets {
		_, ok := v.Upstreams[t.Upstream]
		if !ok && t.Upstream != "" && !v.refused["/upstreams"] {
			v.complain(join(join(here, "targets"), i)+"/upstream",
				"no upstream named %q; %s", t.Upstream, among(t.Upstream, sorted(v.Upstreams)))
		}
	}
	v.rules(here, m)
	v.session(join(here, "session"), name, m)
	v.fallbacks(join(here, "fallback"), name, m)
	if k := m.Keepalive.D(); k > 0 && k < 10*time.Millisecond {
		v.complain(join(here, "keepalive"), "must be 0s or 10ms and more, got %v", k)
	}
}

// session checks what identifies a session, and sets the default if nothing is
// given.
func (v *validator) session(here, name string, m Model) {
	given := m.Session != Session{}
	switch {
	case given && m.Policy != "session":
		v.complain(here, "only policy session has a session, and the policy is %s", m.Policy)
	case m.Session.Header != "" && !http1.IsToken(m.Session.Header):
		v.complain(join(here, "header"), "%q is not the name of a header field", m.Session.Header)
	case !given && m.Policy == "session":
		m.Session.User = true
		v.Models[name] = m
	}
}

func (v *validator) fallbacks(here, name string, m Model) {
	for i, other := range m.Fallback {
		at := join(here, i)
		if _, ok := v.Models[other]; !ok {
			v.complain(at, "no model named %q; %s", other, among(other, sorted(v.Models)))
		} else if v.Models[other].Native != "" {
			v.complain(at, "%q has a native handler and cannot be a fallback", other)
		} else if slices.Index(m.Fallback, other) < i {
			v.complain(at, "%q is a fallback of %q twice", other, name)
		}
	}
}

// circles finds fallbacks that lead back to where they began. Each cycle is
// reported once, at the fallback that closes it.
func (v *validator) circles() {
	done := map[string]bool{}
	var visit func(name string, path []string)
	visit = func(name string, path []string) {
		path = append(path, name)
		for i, next := range v.Models[name].Fallback {
			if from := slices.Index(path, next); from >= 0 {
				circle := append(slices.Clone(path[from:]), next)
				v.complain(at("models", name, "fallback", i), "is a cycle: %s", strings.Join(circle, " → "))
			} else if !done[next] {
				visit(next, path)
			}
		}
		done[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(v.Models)) {
		if !done[name] {
			visit(name, nil)
		}
	}
}
