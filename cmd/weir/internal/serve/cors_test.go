package serve

import (
	"fmt"
	"io"
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
	// A page that may not ask gets 403, from the gateway alone.
	check := func(t *testing.T, origin, want string, varies bool) {
		before := up.Counts().Requests
		refused := origin != "" && want == ""
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				r := asked(t, tt.method, g.url+tt.path, tt.body, tt.fields...)
				if origin != "" {
					r.Header.Set("Origin", origin)
				}
				res, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				relayed, status := len(tt.fields) >= len(said) && !refused, tt.status
				if refused {
					status = 403
				}
				if got := res.Header.Values("Access-Control-Allow-Origin"); res.StatusCode != status || strings.Join(got, " ") != want {
					t.Errorf("got %d %v, want %d for the page %q", res.StatusCode, res.Header, status, want)
				}
				if got := res.Header.Get("Access-Control-Expose-Headers"); (got == "*") != (want != "") {
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
		if n := up.Counts().Requests - before; refused && n != 0 {
			t.Errorf("the upstream got %d requests, want none", n)
		}
	}
	reload := func(n int, text string) {
		g.write(t, text)
		g.signal(syscall.SIGHUP)
		g.log.wait(t, n, reloaded)
	}
	const local = "http://localhost:3000"
	t.Run("page", func(t *testing.T) { check(t, page, page, true) })
	t.Run("other", func(t *testing.T) { check(t, "https://other.example", "", true) })
	t.Run("local, when others are configured", func(t *testing.T) { check(t, local, "", true) })
	reload(1, config+"cors: {origins: ['*']}\n")
	t.Run("any", func(t *testing.T) { check(t, "https://other.example", "*", false) })
	reload(2, config)
	t.Run("default", func(t *testing.T) { check(t, page, "", true) })
	t.Run("default, local", func(t *testing.T) { check(t, local, local, true) })
	t.Run("default, no page", func(t *testing.T) { check(t, "", "", false) })
	reload(3, config+"cors: {origins: []}\n")
	t.Run("none, local", func(t *testing.T) { check(t, local, "", false) })
	t.Run("none, no page", func(t *testing.T) { check(t, "", "", false) })
	g.end()
}

// G19: what Chromium sends for a page that wants to use the gateway of the machine it is shown on, directly and after its
// name was rebound. Neither it nor the operator's key gets anywhere.
func TestPagesKeptOut(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, toMock(up)+`routes: [{path: "PUT /echo/{id}", native: test/echo}, {path: "GET /echo/{id}", native: test/echo}]
hosts: [gw.example]
`)
	chromium := []string{
		"Accept", "*/*", "Accept-Language", "en-US,en;q=0.9", "Content-Type", "text/plain;charset=UTF-8",
		"Sec-Fetch-Dest", "empty", "User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Safari/537.36",
	}
	from := func(fields ...string) []string { return append(slices.Clone(chromium), fields...) }
	own := strings.TrimPrefix(g.url, "http://")
	rebound := "evil.example:" + own[strings.LastIndexByte(own, ':')+1:]
	for _, tt := range []struct {
		name, host string
		fields     []string
		code       string // "" = it is served
	}{
		{"fetch", own, from("Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"), "origin_not_allowed"},
		{"fetch, no-cors", own, from("Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"), "origin_not_allowed"},
		{"a sandboxed frame", own, from("Origin", "null", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"), "origin_not_allowed"},
		{"an image", own, from("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"), "origin_not_allowed"},
		{"rebound", rebound, from("Origin", "http://"+rebound), "host_not_allowed"},
		{"rebound, GET", rebound, from(), "host_not_allowed"},
		{"a program", own, nil, ""},
		{"a program, localhost", "localhost", nil, ""},
		{"a program, another name", "gw.example:8080", nil, ""},
		{"a page of this machine", own, from("Origin", "http://localhost:5173", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"), ""},
		{"a desktop application", own, from("Origin", "app://obsidian.md", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"), ""},
		{"the gateway's own page", own, from("Origin", g.url, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := up.Counts().Requests
			for _, to := range []struct{ method, path, body string }{
				{"POST", chat, askStream}, {"POST", chat, askWhole}, {"GET", "/v1/models", ""}, {"GET", "/v1/models/m", ""},
				{"PUT", "/echo/7", "x"}, {"GET", "/echo/7", ""}, {"GET", "/nothing", ""}, {"DELETE", chat, ""}, {"OPTIONS", chat, ""},
			} {
				r := asked(t, to.method, g.url+to.path, to.body, append(tt.fields, "x-mock-header-access-control-allow-origin", "*", "x-mock-header-access-control-max-age", "9")...)
				r.Host = tt.host
				res, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(res.Body)
				_ = res.Body.Close() // read to its end
				switch {
				case err != nil:
					t.Errorf("%s %s: %v", to.method, to.path, err)
				case tt.code == "" && res.StatusCode == 403:
					t.Errorf("%s %s: got %d %s", to.method, to.path, res.StatusCode, body)
				case tt.code != "" && (res.StatusCode != 403 || errorOf(t, string(body)).Code != tt.code || strings.Contains(fmt.Sprint(res.Header), "Access-Control")):
					t.Errorf("%s %s: got %d %v %s, want 403 %s", to.method, to.path, res.StatusCode, res.Header, body, tt.code)
				}
				if allowed := res.Header.Get("Access-Control-Allow-Origin"); allowed == "*" || res.Header.Get("Access-Control-Max-Age") == "9" || tt.fields == nil && allowed != "" {
					t.Errorf("%s %s: got the upstream's word about pages: %v", to.method, to.path, res.Header)
				}
			}
			if n := up.Counts().Requests - before; (n != 0) != (tt.code == "") {
				t.Errorf("the upstream got %d requests", n)
			}
			for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
				r := asked(t, "GET", g.admin+path, "", tt.fields...)
				if r.Host = tt.host; strings.HasPrefix(r.Host, "127") {
					r.Host = ""
				}
				res, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close() // it is not read
				want := 403
				if tt.fields == nil || tt.name == "the gateway's own page" {
					want = 200
				}
				if res.StatusCode != want {
					t.Errorf("admin%s: got %d, want %d", path, res.StatusCode, want)
				}
			}
		})
	}
	g.end()
}
