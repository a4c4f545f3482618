package serve

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"weir/cmd/weir/internal/mock"
	"weir/internal/patience"
	"weir/ws"
)

// A native model is asked as any other, and stands beside those that are relayed.
func TestNativeModel(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, "upstreams: {up: {url: '"+up.URL()+"'}}\nmodels: {m: {targets: [{upstream: up}]}, org/babble: {native: demo/babble}}\n")
	if _, got := do(t, "GET", g.url+"/v1/models", ""); !strings.Contains(got, `"id":"m"`) || !strings.Contains(got, `"id":"org/babble"`) {
		t.Errorf("got %s, want both models", got)
	}
	res, whole := do(t, "POST", g.url+chat, talk("org/babble", 5, false), "x-request-id", "whole")
	if res.StatusCode != 200 || !strings.Contains(whole, `"model":"org/babble"`) || res.ContentLength != -1 || res.Header.Get("x-request-id") != "whole" {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, whole)
	}
	res, stream := do(t, "POST", g.url+chat, talk("org/babble", 5, true), "x-request-id", "stream")
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") || strings.Count(stream, "data: ") != 8 || !strings.HasSuffix(stream, "data: [DONE]\n\n") {
		t.Errorf("got %v %q, want the role, 5 tokens, the finish and [DONE]", res.Header, stream)
	}
	if res, got := do(t, "POST", g.url+chat, askWhole); res.StatusCode != 200 || up.Counts().Requests != 1 {
		t.Errorf("the relayed model: got %d %s", res.StatusCode, got)
	}
	if res, got := do(t, "POST", g.url+"/v1/completions", talk("org/babble", 5, false)); res.StatusCode != 200 || !strings.Contains(got, `"object":"text_completion"`) {
		t.Errorf("/v1/completions: got %d %s", res.StatusCode, got)
	}
	if res, got := do(t, "POST", g.url+"/v1/embeddings", talk("org/babble", 5, false)); res.StatusCode != 404 || !strings.Contains(errorOf(t, got).Message, "/v1/embeddings") {
		t.Errorf("/v1/embeddings: got %d %s, want what the handler says", res.StatusCode, got)
	}
	var line map[string]any
	decode(t, g.out.wait(t, 1, `"id":"stream"`)[0], &line)
	for field, want := range map[string]any{
		"model": "org/babble", "upstream": "demo/babble", "attempts": 1.0, "status": 200.0, "stream": true, "path": chat,
		"events": 6.0, "bytes": float64(len(stream)), // the finish and [DONE] are sent at once
	} {
		if line[field] != want {
			t.Errorf("logged %s: got %v, want %v", field, line[field], want)
		}
	}
	if line["first_ms"].(float64) <= 0 || line["took_ms"].(float64) < line["first_ms"].(float64) || line["err"] != nil {
		t.Errorf("got %v", line)
	}
	_, metrics := do(t, "GET", g.admin+"/metrics", "")
	for _, want := range []string{`weir_requests_total{model="org/babble",outcome="ok"} 3`, `weir_requests_total{model="org/babble",outcome="refused"} 1`,
		`weir_time_to_first_event_seconds_count{model="org/babble"} 4`, "\nweir_streams 0\n"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("got %s, want %q in it", metrics, want)
		}
	}
	g.end()
}

// What the gateway says for a native handler has OpenAI's shape, too (G17).
func TestNativeRefusals(t *testing.T) {
	g := serve(t, `
limits: {body: 2MiB}
models: {echo: {native: test/echo}, hold: {native: test/hold}, panic: {native: test/panic}, late: {native: test/late}}
routes: [{path: "POST /hold", native: test/hold}, {path: "PUT /echo/{id}", native: test/echo}]
`)
	ask := func(model, more string) string { return `{"model":"` + model + `","more":"` + more + `"}` }
	res, err := client.Do(asked(t, "POST", g.url+chat, ask("hold", ""))) // takes the one place
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	long := strings.Repeat("x", 2<<20)
	tests := []struct {
		name, method, path, body string
		status                   int
		kind, code               string
	}{
		{"beyond its limit", "POST", chat, ask("hold", ""), 503, "server_error", "overloaded"},
		{"beyond its limit on another way", "POST", "/hold", "", 503, "server_error", "overloaded"},
		{"panic", "POST", chat, ask("panic", ""), 500, "server_error", ""},
		{"too long", "POST", chat, ask("echo", long), 413, "invalid_request_error", "request_too_large"},
		{"too long for a route", "PUT", "/echo/1", long + "x", 413, "invalid_request_error", "request_too_large"},
		{"no JSON", "POST", chat, `{"model":"echo"`, 400, "invalid_request_error", ""},
		{"two models", "POST", chat, `{"model":"echo","model":"panic"}`, 400, "invalid_request_error", "duplicate_parameter"},
		{"method of a route", "POST", "/echo/1", "", 405, "invalid_request_error", "method_not_supported"},
		{"no route", "PUT", "/echo/1/2", "", 404, "invalid_request_error", "unknown_url"},
	}
	for _, tt := range tests {
		for _, framing := range []string{"length", "chunks"} {
			t.Run(tt.name+" "+framing, func(t *testing.T) {
				id := strings.ReplaceAll(tt.name, " ", "-")
				req := asked(t, tt.method, g.url+tt.path, tt.body, "x-request-id", id)
				if framing == "chunks" && tt.body != "" {
					req.ContentLength = -1
				}
				res, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				text, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				e := errorOf(t, string(text))
				if res.StatusCode != tt.status || e.Type != tt.kind || e.Code != tt.code || res.Header.Get("x-request-id") != id {
					t.Errorf("got %d %v %s, want %d %s %s", res.StatusCode, res.Header, text, tt.status, tt.kind, tt.code)
				}
				if got := res.Header.Get("Retry-After"); (got != "") != (tt.status == 503) {
					t.Errorf("got Retry-After %q", got)
				}
				if got := res.Header.Get("Allow"); (got == "PUT") != (tt.status == 405) {
					t.Errorf("got Allow %q", got)
				}
			})
		}
	}
	if _, err := readAll(client.Do(asked(t, "POST", g.url+chat, ask("late", "")))); err == nil {
		t.Error("a handler that fails late: got a proper end, want the stream cut")
	}
	g.log.wait(t, 2, `weir: handler panicked.*ouch`)
	g.out.wait(t, 2, `"id":"panic".*"status":500,"model":"panic".*"events":0,.*"first_ms":0,.*"err":"weir: handler panicked: ouch"`)
	g.out.wait(t, 2, `"id":"beyond-its-limit","client":.*"status":503,"model":"hold"`)
	g.out.wait(t, 2, `"status":503,"model":"test/hold","upstream":"test/hold"`) // the route
	g.out.wait(t, 1, `"model":"late".*"err":"ran out of luck"`)
	g.signal(syscall.SIGTERM)
	g.log.wait(t, 1, `draining`)
	res.Body.Close()
	if code := g.code(); code != 0 {
		t.Errorf("got exit code %d", code)
	}
}

// A handler of WebSockets on a route is seen and limited as others are.
func TestNativeWebSocket(t *testing.T) {
	g := serve(t, "routes: [{path: 'GET /talk/{id}', native: test/talk}]\n")
	at := "ws" + strings.TrimPrefix(g.url, "http") + "/talk/"
	dial := func(path string) (*ws.Conn, error) {
		return ws.Dial(t.Context(), path, &ws.DialOptions{Timeout: patience.Limit})
	}
	c, err := dial(at + "7")
	if err != nil {
		t.Fatal(err)
	}
	_, err = dial(at + "8")
	var refused *ws.HandshakeError
	if !errors.As(err, &refused) || refused.Status != 503 || errorOf(t, string(refused.Body)).Code != "overloaded" {
		t.Errorf("beyond its limit: got %v, want 503 in OpenAI's shape", err)
	}
	if err := c.Send(ws.Text, []byte("hello")); err != nil {
		t.Error(err)
	}
	if kind, p, err := c.Read(); err != nil || kind != ws.Text || string(p) != "7: hello" {
		t.Errorf("got %v %q, %v", kind, p, err)
	}
	if err := c.Close(ws.Normal, ""); err != nil {
		t.Error(err)
	}
	<-c.Done()
	if _, err = dial("ws" + strings.TrimPrefix(g.url, "http") + chat); !errors.As(err, &refused) || refused.Status != 426 {
		t.Errorf("another path: got %v, want 426", err)
	}
	g.out.wait(t, 1, `"status":101,"model":"test/talk","upstream":"test/talk"`)
	g.end()
}

func readAll(res *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

// Bodies of any length and framing reach a native handler whole.
func TestNativeBodies(t *testing.T) {
	g := serve(t, "models: {echo: {native: test/echo}}\nroutes: [{path: 'PUT /echo/{id}', native: test/echo}]\nlimits: {body: 20MiB}\n")
	for _, n := range []int{0, 1, 64 << 10, 64<<10 + 1, 200_000, 16 << 20} {
		body := `{"more":"` + strings.Repeat("x", n) + `","model":"echo"}` // known only at the end
		for _, framing := range []string{"length", "chunks"} {
			for _, way := range []struct{ method, path string }{{"POST", "/v1/embeddings"}, {"PUT", "/echo/7"}} {
				req := asked(t, way.method, g.url+way.path+"?q=1", body, "x-test", "yes")
				if framing == "chunks" {
					req.ContentLength = -1
				}
				got, err := readAll(client.Do(req))
				id := strings.TrimPrefix(way.path, "/echo/")
				if way.method == "POST" {
					id = ""
				}
				want := way.method + " " + way.path + "?q=1 id=" + id + " " + strconv.Itoa(len(body)) + " bytes yes"
				if err != nil || got != want {
					t.Errorf("%d bytes by %s: got %q, %v, want %q", n, framing, got, err, want)
				}
			}
		}
	}
	g.end()
}

// G3 for native handlers: the client leaves in the middle, the handler learns of it, the log says 499.
func TestNativeCancelled(t *testing.T) {
	g := serve(t, "models: {hold: {native: test/hold}}\nroutes: [{path: 'POST /hold', native: test/hold}, {path: 'GET /held', native: test/held}]\n")
	for i, path := range []string{chat, "/hold", chat} {
		res, err := client.Do(asked(t, "POST", g.url+path, `{"model":"hold","stream":true}`, "x-request-id", "left"))
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || !strings.Contains(line, "held") {
			t.Fatalf("got %q, %v", line, err)
		}
		res.Body.Close()
		eventually(t, "the handler is told", func() bool {
			_, got := do(t, "GET", g.url+"/held", "")
			return got == strings.TrimPrefix(strings.Repeat(",true true", i+1), ",")
		})
		g.out.wait(t, i+1, `"id":"left".*"status":499.*"events":1`)
	}
	_, metrics := do(t, "GET", g.admin+"/metrics", "")
	for _, want := range []string{`weir_cancelled_total{model="hold"} 2`, `weir_cancelled_total{model="test/hold"} 1`, "\nweir_streams 0\n"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("got %s, want %q in it", metrics, want)
		}
	}
	g.end()
}

// A native stream that runs at SIGTERM comes to its end.
func TestNativeDrain(t *testing.T) {
	g := serve(t, "models: {m: {native: demo/babble}}\n")
	res, err := client.Do(asked(t, "POST", g.url+chat, talk("m", 30, true)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	g.signal(syscall.SIGTERM)
	g.log.wait(t, 1, `weir serve: draining`)
	got, err := io.ReadAll(res.Body)
	if err != nil || bytes.Count(got, []byte("data: ")) != 33 || !bytes.HasSuffix(got, []byte("data: [DONE]\n\n")) {
		t.Errorf("got %q, %v, want 30 tokens and the end", got, err)
	}
	if code := g.code(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	g.log.wait(t, 1, `"msg":"weir serve: drained","drained":1,"cut":0`)
}

// A reload brings routes and native models, and takes them away; what runs goes on.
func TestReloadRoutes(t *testing.T) {
	const first = "models: {m: {native: test/echo}}\n"
	g := serve(t, first)
	reload := func(n int, config string) {
		t.Helper()
		g.write(t, config)
		g.signal(syscall.SIGHUP)
		g.log.wait(t, n, reloaded)
	}
	status := func(method, path, body string) int {
		t.Helper()
		res, _ := do(t, method, g.url+path, body)
		return res.StatusCode
	}
	if got := status("POST", "/hold", ""); got != 404 {
		t.Errorf("before: got %d, want 404", got)
	}
	reload(1, first+"routes: [{path: 'POST /hold', native: test/hold}, {path: 'GET /{id}', native: test/echo}, {path: 'GET /held', native: test/held}]\n")
	res, err := client.Do(asked(t, "POST", g.url+"/hold", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, got := do(t, "GET", g.url+"/seven", ""); got != "GET /seven? id=seven 0 bytes -" {
		t.Errorf("got %q, want the path's value", got)
	}
	if res, got := do(t, "PUT", g.url+"/hold", ""); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, got)
	}
	reload(2, "models: {other: {native: test/echo}}\nroutes: [{path: 'GET /held', native: test/held}]\n")
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{{"POST", "/hold", "", 404}, {"GET", "/seven", "", 404}, {"POST", chat, `{"model":"m"}`, 404}, {"POST", chat, `{"model":"other"}`, 200}} {
		if got := status(tt.method, tt.path, tt.body); got != tt.want {
			t.Errorf("%s %s %s: got %d, want %d", tt.method, tt.path, tt.body, got, tt.want)
		}
	}
	if _, got := do(t, "GET", g.url+"/held", ""); got != "" {
		t.Errorf("got %q, want the stream of a route that is no more to go on", got)
	}
	res.Body.Close()
	eventually(t, "the handler is told", func() bool {
		_, got := do(t, "GET", g.url+"/held", "")
		return got == "true true"
	})
	g.end()
}
