package serve

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weir/cmd/weir/internal/gateway"
	"weir/cmd/weir/internal/mock"
)

// hostsFile is set in the environment of a weir serve that looks names up in a
// file: lines of an address and a name.
const hostsFile = "WEIR_TEST_HOSTS"

func lookIn(path, host string) (addrs []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == host {
			addrs = append(addrs, f[0])
		}
	}
	if addrs == nil {
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addrs, err
}

// hosts is a hosts file that weir serve, started by this test, looks names up in.
func hosts(t *testing.T, lines ...string) (change func(lines ...string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts")
	t.Setenv(hostsFile, path)
	change = func(lines ...string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	change(lines...)
	return change
}

// portOf is the port of a server's URL.
func portOf(url string) string { return url[strings.LastIndex(url, ":")+1:] }

// view is what GET /upstreams says of one.
func (g *instance) view(name string) (v gateway.UpstreamView) {
	g.t.Helper()
	_, text := do(g.t, "GET", g.admin+"/upstreams", "")
	var all []gateway.UpstreamView
	decode(g.t, text, &all)
	for _, v := range all {
		if v.Name == name {
			return v
		}
	}
	g.t.Fatalf("got %s, want %s in it", text, name)
	return v
}

// mockOver starts a mock, and lets weir serve, started by this test, trust it.
func mockOver(t *testing.T, scheme string) *mock.Server {
	t.Helper()
	up := mock.Start(t, mock.Config{TLS: scheme == "https"})
	if scheme == "https" {
		trust := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(trust, up.Certificate(), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("SSL_CERT_FILE", trust)
	}
	return up
}

// G21: all addresses of a name are used in turn within one attempt.
func TestSecondAddress(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			up := mockOver(t, scheme)
			hosts(t, "127.0.0.9 localhost", "127.0.0.1 localhost")
			g := serve(t, "upstreams: {up: {url: '"+scheme+"://localhost:"+portOf(up.URL())+"'}}\nmodels: {m: {targets: [{upstream: up}], retries: 0}}\n")
			for range 3 {
				res, body := do(t, "POST", g.url+chat, askWhole)
				if res.StatusCode != 200 || res.Header.Get("x-weir-attempts") != "1" {
					t.Errorf("got %d %s after %s attempts, want the response from the second address in one", res.StatusCode, body, res.Header.Get("x-weir-attempts"))
				}
			}
			if v := g.view("up"); len(v.Addresses) != 2 || !v.Available || len(v.Failures) > 0 {
				t.Errorf("got %+v, want two addresses and no failure", v)
			}
			g.end()
		})
	}
}

// G21: a name that does not resolve takes its upstream out, says so, and takes
// nothing else; the upstream is back as soon as a look-up works.
func TestUnresolvedName(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) { unresolvedName(t, scheme) })
	}
}

func unresolvedName(t *testing.T, scheme string) {
	up := mockOver(t, scheme)
	change := hosts(t)
	config := toMock(up) + "  lost: {targets: [{upstream: lost}]}\n"
	config = strings.Replace(config, "upstreams: {", "upstreams: {lost: {url: '"+scheme+"://localhost:"+portOf(up.URL())+"'}, ", 1)
	config = strings.Replace(config, "models: {m: {targets: [{upstream: up}]}}", "models:\n  m: {targets: [{upstream: up}]}", 1)
	g := serve(t, config)
	g.log.wait(t, 1, `"level":"WARN","msg":"upstream has no address.*"upstream":"lost","reason":"no such host"`)
	if res, body := do(t, "POST", g.url+chat, askWhole); res.StatusCode != 200 {
		t.Errorf("got %d %s from the other upstream", res.StatusCode, body)
	}
	res, body := do(t, "POST", g.url+chat, `{"model":"lost"}`)
	if res.StatusCode != 503 || !strings.Contains(body, `"upstreams_unresolved"`) || res.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %v %s, want 503 with its reason", res.StatusCode, res.Header, body)
	}
	if v := g.view("lost"); v.Available || v.Lookup != "no such host" || v.Because != "its name does not resolve" {
		t.Errorf("got %+v", v)
	}
	if _, metrics := do(t, "GET", g.admin+"/metrics", ""); !strings.Contains(metrics, `weir_upstream_up{upstream="lost"} 0`) {
		t.Error("the metrics say that the upstream is up")
	}
	change("127.0.0.1 localhost")
	g.log.wait(t, 1, `"level":"INFO","msg":"upstream has an address again","upstream":"lost"`)
	if res, body := do(t, "POST", g.url+chat, `{"model":"lost"}`); res.StatusCode != 200 {
		t.Errorf("got %d %s from the upstream that is back", res.StatusCode, body)
	}
	g.end()
}

// G21, G16: a reload with a name that is not known just now is done all the
// same, and what was resolved before keeps its addresses.
func TestReloadWithUnresolvedName(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	change := hosts(t, "127.0.0.1 m")
	config := "upstreams:\n  up: {url: 'http://m:" + portOf(up.URL()) + "'%s}\n%s\nmodels:\n  m: {targets: [{upstream: up}]}\n%s"
	g := serve(t, fmt.Sprintf(config, "", "", ""))
	change()
	g.write(t, fmt.Sprintf(config, ", max_streams: 5", "  new: {url: 'http://nobody:1'}", "  n: {targets: [{upstream: new}, {upstream: up}]}"))
	g.signal(syscall.SIGHUP)
	g.log.wait(t, 1, reloaded)
	for _, model := range []string{"m", "n"} {
		if res, body := do(t, "POST", g.url+chat, `{"model":"`+model+`"}`); res.StatusCode != 200 {
			t.Errorf("%s: got %d %s, want 200 from the address that was known", model, res.StatusCode, body)
		}
	}
	if v := g.view("up"); !v.Available || v.Lookup != "no such host" || len(v.Addresses) != 1 || v.Max != 5 {
		t.Errorf("got %+v, want the new limit and the old address", v)
	}
	if v := g.view("new"); v.Available {
		t.Errorf("got %+v, want it out", v)
	}
	g.log.wait(t, 1, `"level":"WARN","msg":"upstream name does not resolve any more, the addresses that are known stay in use","upstream":"up"`)
	g.log.wait(t, 1, `"msg":"upstream has no address.*"upstream":"new"`)
	g.end()
}

// G21: a name that has moved is looked up again, though the old server still
// responds.
func TestMovedName(t *testing.T) {
	old := mock.Start(t, mock.Config{})
	l, err := net.Listen("tcp", "127.0.0.2:"+portOf(old.URL()))
	if err != nil {
		t.Skip("no second loopback address here: ", err)
	}
	uris(t, func(srv *httptest.Server) {
		srv.Listener.Close()
		srv.Listener = l
	})
	change := hosts(t, "127.0.0.1 m")
	g := serve(t, "upstreams: {up: {url: 'http://m:"+portOf(old.URL())+"', resolve: 1ms}}\nmodels: {m: {targets: [{upstream: up}]}}\n")
	if _, body := do(t, "POST", g.url+chat, askWhole); strings.Contains(body, `"uri"`) {
		t.Fatalf("got %s, want the old server's response", body)
	}
	change("127.0.0.2 m")
	eventually(t, "a response of the new server", func() bool {
		_, body := do(t, "POST", g.url+chat, askWhole)
		return strings.Contains(body, `"uri"`)
	})
	if v := g.view("up"); len(v.Addresses) != 1 || v.Addresses[0] != l.Addr().String() {
		t.Errorf("got %+v, want the new address", v)
	}
	g.end()
}

// --check warns of names that do not resolve, and that is all.
func TestCheckWarnsOfNames(t *testing.T) {
	lookupHost = func(context.Context, string) ([]string, error) {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	defer func() { lookupHost = nil }()
	path := file(t, "upstreams:\n  up: {url: 'http://127.0.0.1:1'}\n  lost: {url: 'http://lost:1'}\nmodels: {m: {targets: [{upstream: up}]}}\n")
	code, stdout, stderr := call("--check", "--config", path)
	if want := path + ":3: /upstreams/lost/url: warning: the name does not resolve here and now: no such host; the upstream gets no requests until it does\n"; code != 0 || stderr != want || !strings.Contains(stdout, "no problems") {
		t.Errorf("got %d, %q and %q, want 0 and %q", code, stdout, stderr, want)
	}
}

// uris is an upstream that returns the target of each request line.
func uris(t *testing.T, listen func(*httptest.Server)) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"uri":%q}`, r.RequestURI)
	}))
	if listen != nil {
		listen(srv)
	}
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL
}

// G21: the path of an upstream's URL is the base of its API, and takes the place
// of the client's /v1; without one it is /v1. A slash at its end means nothing,
// and health paths begin at the host.
func TestBasePath(t *testing.T) {
	url := uris(t, nil)
	v6 := uris(t, func(srv *httptest.Server) {
		l, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			t.Skip("no IPv6 here: ", err)
		}
		srv.Listener.Close()
		srv.Listener = l
	})
	socket := filepath.Join(t.TempDir(), "s")
	uris(t, func(srv *httptest.Server) {
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		srv.Listener.Close()
		srv.Listener = l
	})
	tests := []struct{ url, want string }{
		{url, "/v1/chat/completions?a=b"},
		{url + "/", "/v1/chat/completions?a=b"},
		{url + "/v1", "/v1/chat/completions?a=b"},
		{url + "/v1/", "/v1/chat/completions?a=b"},
		{url + "/openai/v1", "/openai/v1/chat/completions?a=b"},
		{url + "/api/paas/v4/", "/api/paas/v4/chat/completions?a=b"},
		{url + "/v1beta/openai", "/v1beta/openai/chat/completions?a=b"},
		{v6 + "/api/v1", "/api/v1/chat/completions?a=b"},
		{"unix:" + socket, "/v1/chat/completions?a=b"},
	}
	var config strings.Builder
	config.WriteString("upstreams:\n")
	for i, tt := range tests {
		fmt.Fprintf(&config, "  u%d: {url: %q}\n", i, tt.url)
	}
	config.WriteString("models:\n")
	for i := range tests {
		fmt.Fprintf(&config, "  m%d: {targets: [{upstream: u%d}]}\n", i, i)
	}
	g := serve(t, config.String())
	for i, tt := range tests {
		res, got := do(t, "POST", g.url+chat+"?a=b", fmt.Sprintf(`{"model":"m%d"}`, i))
		if want := fmt.Sprintf(`{"uri":%q}`, tt.want); res.StatusCode != 200 || got != want {
			t.Errorf("%s: got %d %s, want %s", tt.url, res.StatusCode, got, want)
		}
	}
	g.end()
}

// No path leads out of the base of an upstream's API, where its key is not meant
// for.
func TestPathsStayBelowTheBase(t *testing.T) {
	url := uris(t, nil)
	g := serve(t, "upstreams: {up: {url: '"+url+"/openai/v1'}}\nmodels: {m: {targets: [{upstream: up}]}}\n")
	for path, want := range map[string]int{
		"/v1/audio/speech": 200, "/v1/a%2Fb": 200,
		"/v1/%2e%2e/admin": 404, "/v1/..%2fadmin": 404, "/v1/a/%2E%2e/%2e%2e/admin": 404, "/v1/..%5cadmin": 404,
	} {
		res, got := do(t, "POST", g.url+path, askWhole)
		if res.StatusCode != want || want == 200 && got != `{"uri":"/openai`+path+`"}` {
			t.Errorf("%s: got %d %s, want %d", path, res.StatusCode, got, want)
		}
	}
	g.end()
}

// A name of a model in which * stands for any text: an exact name precedes it,
// the longest pattern wins, and upstreams get the name that the client used
// unless the target has one. Only exact names are listed.
func TestModelPatterns(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, "upstreams: {up: {url: '"+up.URL()+"'}}\n"+`models:
  gpt-4o: {targets: [{upstream: up, model: exact}]}
  "gpt-*": {targets: [{upstream: up}]}
  "gpt-4*": {targets: [{upstream: up, model: four}]}
  "babble/*": {native: demo/babble}
`)
	for asked, want := range map[string]string{"gpt-4o": "exact", "gpt-4o-mini": "four", "gpt-5": "gpt-5", "gpt-": "gpt-"} {
		n := len(up.Log().Requests)
		res, body := do(t, "POST", g.url+chat, `{"model":"`+asked+`"}`)
		if res.StatusCode != 200 {
			t.Errorf("%s: got %d %s", asked, res.StatusCode, body)
			continue
		}
		if got := up.Log().Requests[n].Model; got != want {
			t.Errorf("%s: the upstream got %q, want %q", asked, got, want)
		}
	}
	if res, body := do(t, "POST", g.url+chat, talk("babble/me", 5, false)); res.StatusCode != 200 || !strings.Contains(body, `"model":"babble/me"`) {
		t.Errorf("got %d %s, want the native handler's response under the client's name", res.StatusCode, body)
	}
	if res, body := do(t, "POST", g.url+chat, `{"model":"o3"}`); res.StatusCode != 404 {
		t.Errorf("got %d %s, want 404 for what nothing matches", res.StatusCode, body)
	}
	if _, body := do(t, "GET", g.url+"/v1/models", ""); strings.Contains(body, "*") || !strings.Contains(body, `"id":"gpt-4o"`) || strings.Count(body, `"id"`) != 1 {
		t.Errorf("got %s, want gpt-4o alone", body)
	}
	for name, want := range map[string]int{"gpt-4o": 200, "gpt-9": 200, "o3": 404} {
		if res, body := do(t, "GET", g.url+"/v1/models/"+name, ""); res.StatusCode != want || want == 200 && !strings.Contains(body, `"id":"`+name+`"`) {
			t.Errorf("%s: got %d %s, want %d", name, res.StatusCode, body, want)
		}
	}
	// Labels of metrics are names of the configuration, never a client's text.
	_, metrics := do(t, "GET", g.admin+"/metrics", "")
	if !strings.Contains(metrics, `weir_requests_total{model="gpt-*",outcome="ok"} 2`) || strings.Contains(metrics, `"gpt-5"`) {
		t.Errorf("got %s, want the pattern as the model's label", metrics)
	}
	g.end()
}

// GET /config and --print show the configuration in force without its secrets,
// and --schema the schema; none of them needs what they show to work.
func TestShownConfig(t *testing.T) {
	t.Setenv("WEIR_TEST_KEY", "sk-secret")
	up := mock.Start(t, mock.Config{})
	config := strings.Replace(toMock(up), "up: {", "up: {key_env: WEIR_TEST_KEY, headers: {x-secret: \"${WEIR_TEST_KEY}\", x-token: sk-secret}, ", 1)
	g := serve(t, config)
	res, text := do(t, "GET", g.admin+"/config", "")
	tag := res.Header.Get("ETag")
	if res.StatusCode != 200 || tag == "" || strings.Contains(text, "sk-secret") || !strings.Contains(text, "${WEIR_TEST_KEY}") || !strings.Contains(text, `"keepalive":"10s"`) {
		t.Errorf("got %d, ETag %s, %s", res.StatusCode, tag, text)
	}
	if res, text := do(t, "GET", g.admin+"/config", "", "If-None-Match", tag); res.StatusCode != 304 || text != "" {
		t.Errorf("got %d %q for the same ETag, want 304", res.StatusCode, text)
	}
	g.write(t, config+"drain: 2s\n")
	g.signal(syscall.SIGHUP)
	g.log.wait(t, 1, reloaded)
	if res, text := do(t, "GET", g.admin+"/config", "", "If-None-Match", tag); res.StatusCode != 200 || !strings.Contains(text, `"drain":"2s"`) {
		t.Errorf("got %d %s after a reload, want the new one", res.StatusCode, text)
	}
	g.end()

	code, stdout, stderr := call("--print", "--config", g.file)
	if code != 0 || stderr != "" || strings.Contains(stdout, "sk-secret") || !strings.Contains(stdout, "x-secret: ${WEIR_TEST_KEY}\n") || !strings.Contains(stdout, "drain: 2s\n") {
		t.Errorf("got %d, %q and %q", code, stdout, stderr)
	}
	again := file(t, stdout)
	if code, _, stderr := call("--check", "--config", again); code != 0 {
		t.Errorf("what was printed has problems: %s", stderr)
	}
	if code, stdout, _ := call("--schema"); code != 0 || !strings.Contains(stdout, `"$schema"`) || !strings.Contains(stdout, `"retry_on"`) {
		t.Errorf("got %d and %s, want the schema, without a configuration", code, stdout)
	}
}

// Without --config it is weir.yaml in the current folder.
func TestDefaultFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("weir.yaml", []byte("models: {m: {native: demo/babble}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := call("--check"); code != 0 || stdout != "weir.yaml: no problems\n" {
		t.Errorf("got %d, %q and %q, want no problems", code, stdout, stderr)
	}
}
