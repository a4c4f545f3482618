package serve

import (
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"weir/cmd/weir/internal/mock"
)

const page = "https://app.example"

// fieldsOf are the elements of a field that is a list, in lower case.
func fieldsOf(res *http.Response, name string) (list []string) {
	for _, value := range res.Header.Values(name) {
		for element := range strings.SplitSeq(value, ",") {
			list = append(list, strings.ToLower(strings.TrimSpace(element)))
		}
	}
	return list
}

// G19: what a page may do is told before it asks, on every path of the gateway and of routes.
func TestPreflight(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, toMock(up)+"routes: [{path: 'PUT /echo/{id}', native: test/echo}]\ncors: {origins: ['"+page+"', 'http://Localhost:3000']}\n")
	sdk := []string{"authorization", "content-type", "x-api-key", "anthropic-version", "last-event-id", "x-stainless-lang", "x-stainless-retry-count", "x-stainless-new"}
	for _, tt := range []struct{ method, path string }{
		{"POST", chat}, {"POST", "/v1/completions"}, {"POST", "/v1/embeddings"}, {"GET", "/v1/models"}, {"GET", "/v1/models/m"}, {"PUT", "/echo/7"},
	} {
		res, body := do(t, "OPTIONS", g.url+tt.path, "", "Origin", page, "Access-Control-Request-Method", tt.method,
			"Access-Control-Request-Headers", strings.Join(sdk, ",")+",X-Mine, authorization,not a field,,")
		if res.StatusCode != 204 || body != "" || res.Header.Get("Access-Control-Allow-Origin") != page || res.Header.Get("Access-Control-Max-Age") != "3600" {
			t.Errorf("%s: got %d %v %q, want 204", tt.path, res.StatusCode, res.Header, body)
		}
		if got := fieldsOf(res, "Access-Control-Allow-Methods"); !slices.Contains(got, strings.ToLower(tt.method)) {
			t.Errorf("%s: got the methods %q, want %s", tt.path, got, tt.method)
		}
		got := fieldsOf(res, "Access-Control-Allow-Headers")
		for _, want := range append(sdk, "x-mine") {
			if i := slices.Index(got, want); i < 0 || slices.Contains(got[i+1:], want) {
				t.Errorf("%s: got the fields %q, want %s once", tt.path, got, want)
			}
		}
		if slices.Contains(got, "not a field") || slices.Contains(got, "") {
			t.Errorf("%s: got the fields %q", tt.path, got)
		}
		if got := fieldsOf(res, "Vary"); !slices.Contains(got, "origin") || res.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: got %v", tt.path, res.Header)
		}
	}
	if res, _ := do(t, "OPTIONS", g.url+chat, "", "Origin", "http://localhost:3000", "Access-Control-Request-Method", "POST"); res.StatusCode != 204 {
		t.Errorf("an origin that is written in another case: got %d %v", res.StatusCode, res.Header)
	}
	for _, origin := range []string{"https://app.example.evil", "http://app.example", "https://app.example:8443", "null", "*"} {
		res, body := do(t, "OPTIONS", g.url+chat, "", "Origin", origin, "Access-Control-Request-Method", "POST")
		if res.StatusCode != 403 || errorOf(t, body).Code != "origin_not_allowed" || res.Header.Get("Access-Control-Allow-Origin") != "" || !slices.Contains(fieldsOf(res, "Vary"), "origin") {
			t.Errorf("origin %s: got %d %v %s, want 403", origin, res.StatusCode, res.Header, body)
		}
	}
	// OPTIONS that is not a preflight asks for the methods.
	if res, _ := do(t, "OPTIONS", g.url+chat, "", "Origin", page); res.StatusCode != 204 || res.Header.Get("Allow") != "POST" || res.Header.Get("Access-Control-Allow-Origin") != page {
		t.Errorf("not a preflight: got %d %v, want 204", res.StatusCode, res.Header)
	}
	if n := up.Counts().Requests; n != 0 {
		t.Errorf("the upstream got %d requests, want none", n)
	}
	g.end()
}

// Every answer that a page gets can be read by it: relayed, native, and errors of each kind. What the upstream says
// about pages is not passed on.
func TestCORSAnswers(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	config := "upstreams: {up: {url: '" + up.URL() + `', breaker: {share: 0}}}
models:
  m: {targets: [{upstream: up}]}
  babble: {native: demo/babble}
  panic: {native: test/panic}
routes: [{path: "PUT /echo/{id}", native: test/echo}]
limits: {body: 64KiB}
`
	said := []string{"x-mock-header-access-control-allow-origin", "https://upstream.example", "x-mock-header-vary", "accept-encoding, Origin"}
	g := serve(t, config+"cors: {origins: ['"+page+"']}\n")
	long := `{"model":"m","x":"` + strings.Repeat("x", 70_000) + `"}`
	tests := []struct {
		name, method, path, body string
		fields                   []string
		status                   int
	}{
		{"relayed stream", "POST", chat, askStream, said, 200},
		{"relayed whole", "POST", chat, askWhole, said, 200},
		{"relayed refusal", "POST", chat, askWhole, append(said, "x-mock-fault", "status=400"), 400},
		{"upstream down", "POST", chat, askWhole, append(said, "x-mock-fault", "status=503"), 503},
		{"upstream breaks", "POST", chat, askWhole, []string{"x-mock-fault", "reset-before-head"}, 502},
		{"native stream", "POST", chat, talk("babble", 2, true), nil, 200},
		{"native panic", "POST", chat, `{"model":"panic"}`, nil, 500},
		{"route", "PUT", "/echo/1", "x", nil, 200},
		{"too long", "POST", chat, long, nil, 413},
		{"too long for a route", "PUT", "/echo/1", long, nil, 413},
		{"no such model", "POST", chat, `{"model":"n"}`, nil, 404},
		{"no such path", "GET", "/nothing", "", nil, 404},
		{"method", "GET", chat, "", nil, 405},
		{"models", "GET", "/v1/models", "", nil, 200},
		{"unclean path", "GET", "/v1/%00", "", nil, 400},
	}
	// With CORS off, what the upstream says passes.
	check := func(t *testing.T, origin, want string, varies bool) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				res, err := client.Do(asked(t, tt.method, g.url+tt.path, tt.body, append(tt.fields, "Origin", origin)...))
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				relayed := len(tt.fields) >= len(said)
				want := want
				if relayed && want == "off" {
					want = "https://upstream.example"
				} else if want == "off" {
					want = ""
				}
				if got := res.Header.Values("Access-Control-Allow-Origin"); res.StatusCode != tt.status || strings.Join(got, " ") != want {
					t.Errorf("got %d %v, want %d for the page %q", res.StatusCode, res.Header, tt.status, want)
				}
				if got := res.Header.Get("Access-Control-Expose-Headers"); (got == "*") != (want == page || want == "*") {
					t.Errorf("got exposed %q", got)
				}
				if got := strings.Count(strings.Join(fieldsOf(res, "Vary"), " "), "origin"); (got == 1) != (varies || relayed) || got > 1 {
					t.Errorf("got Vary %q", res.Header.Values("Vary"))
				}
				if res.Header.Get("x-request-id") == "" && tt.name != "unclean path" {
					t.Errorf("got %v", res.Header)
				}
			})
		}
	}
	t.Run("page", func(t *testing.T) { check(t, page, page, true) })
	t.Run("other", func(t *testing.T) { check(t, "https://other.example", "", true) })
	reload := func(n int, text string) {
		g.write(t, text)
		g.signal(syscall.SIGHUP)
		g.log.wait(t, n, reloaded)
	}
	reload(1, config+"cors: {origins: ['*']}\n")
	t.Run("any", func(t *testing.T) { check(t, "https://other.example", "*", false) })
	reload(2, config)
	t.Run("off", func(t *testing.T) { check(t, page, "off", false) })
	if res, _ := do(t, "OPTIONS", g.url+chat, "", "Origin", page, "Access-Control-Request-Method", "POST"); res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a preflight without CORS: got %d %v, want 204 that allows nothing", res.StatusCode, res.Header)
	}
	g.end()
}
