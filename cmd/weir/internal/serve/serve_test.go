package serve

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/cmd/weir/internal/command"
	"weir/cmd/weir/internal/mock"
)

// file writes a configuration and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// --check lists ten mistakes out of ten, each with its JSON pointer.
func TestCheckTellsAll(t *testing.T) {
	code, stdout, stderr := call("--check", "--config", file(t, `listen: ["127.0.0.1:8080", "127.0.0.1:99999"]
admin: {listen: "0.0.0.0:9090"}
upstreams:
  a:
    url: 127.0.0.1:8001
    key_env: WEIR_TEST_NOT_SET
    timeouts: {connect: 2}
    headers: {Content-Length: "5"}
models:
  small:
    targets: [{upstream: b, weight: 0}]
    polcy: p2c
  big:
    targets: [{upstream: a}]
    fallback: [big]
`))
	want := []string{
		"/listen/1", "/admin/listen", "/upstreams/a/url", "/upstreams/a/key_env", "/upstreams/a/timeouts/connect",
		"/upstreams/a/headers/Content-Length", "/models/small/targets/0/upstream", "/models/small/targets/0/weight",
		"/models/small/polcy", "/models/big/fallback/0",
	}
	if code != command.Usage || stdout != "" || strings.Count(stderr, "\n") != len(want) {
		t.Errorf("got exit code %d, %q and %q, want 2 and ten lines", code, stdout, stderr)
	}
	for _, pointer := range want {
		if !regexp.MustCompile(`(?m)^\S*weir\.yaml:\d+: ` + regexp.QuoteMeta(pointer) + `: .`).MatchString(stderr) {
			t.Errorf("got %s without file, line and %s", stderr, pointer)
		}
	}
}

// What is wrong before anything runs is exit code 2 and a line that says where.
func TestCannotBeConfigured(t *testing.T) {
	const least = "upstreams: {u: {url: 'http://127.0.0.1:1'}}\n"
	tests := []struct {
		name, text, want string
		args             []string
	}{
		{"no flag", "", `there is no weir.yaml here: name another file with --config FILE`, nil},
		{"no file", "", `weir.yaml: cannot be read: no such file`, []string{"--config", filepath.Join(t.TempDir(), "weir.yaml")}},
		{"garbage", "\x00\xff{[", `weir.yaml`, nil},
		{"unclosed", "models: [", `weir.yaml:1: `, nil},
		{"empty", "", `weir.yaml`, nil},
		{"unknown flag", least, `flag provided but not defined`, []string{"--what"}},
		{"loops", least, `-loops: want a number`, []string{"--loops", "x"}},
		{"native", least + "models: {m: {native: demo/bable}}", `weir.yaml:2: /models/m/native: no native handler named "demo/bable"; there are "demo/babble", `, nil},
		{"routes", "routes: [\n{path: 'POST /x', native: a/b}]", `weir.yaml:2: /routes/0/native: no native handler named "a/b"`, nil},
		{"taken", "routes: [{path: 'POST /v1/completions', native: demo/babble}]", `weir.yaml:1: /routes/0/path: `, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args
			if tt.name != "no flag" && (len(args) == 0 || args[0] != "--config") {
				args = append(args, "--config", file(t, tt.text))
			}
			code, stdout, stderr := call(args...)
			if code != command.Usage || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("got exit code %d, %q and %q, want 2 and %q", code, stdout, stderr, tt.want)
			}
		})
	}
}

// Overlays are applied in order (RFC 7396), and --check checks what comes out.
func TestOverlays(t *testing.T) {
	base := file(t, "upstreams: {u: {url: 'http://127.0.0.1:1'}}\nmodels: {m: {targets: [{upstream: u}], retries: 1}}\n")
	worse, better := file(t, "models: {m: {retries: 99}}\n"), file(t, "models: {m: {retries: 2}}\n")
	if code, stdout, stderr := call("--check", "--config", base, "--overlay", worse, "--overlay", better); code != 0 || stderr != "" || !strings.Contains(stdout, "no problems") {
		t.Errorf("got %d, %q, %q, want no problems", code, stdout, stderr)
	}
	code, _, stderr := call("--check", "--config", base, "--overlay", better, "--overlay", worse)
	if code != command.Usage || !strings.Contains(stderr, worse+":1: /models/m/retries: ") {
		t.Errorf("got %d, %q, want the overlay blamed", code, stderr)
	}
}

func TestHelp(t *testing.T) {
	code, stdout, stderr := call("--help")
	if code != 0 || stderr != "" {
		t.Errorf("got %d, %q", code, stderr)
	}
	for _, want := range []string{"usage: weir serve [flags]\n", "POST /v1/chat/completions", "--config FILE", "--overlay FILE", "--check ", "--loops N", "--stall DURATION", "SIGHUP", "SIGTERM"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("got %s, want %q in it", stdout, want)
		}
	}
}

// The configurations in the help are such.
func TestHelpIsRight(t *testing.T) {
	for begin, end := range map[string]string{"The smallest configuration:\n": "\n\nNative", "adds more:\n": "\n\nSIGHUP"} {
		_, text, _ := strings.Cut(help, begin)
		text, _, ok := strings.Cut(text, end)
		if code, _, stderr := call("--check", "--config", file(t, text)); code != 0 || !ok {
			t.Errorf("%s: got %d, %q", text, code, stderr)
		}
	}
}

// Ports that are taken are an error that says which, with exit code 1 and no
// ready line.
func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	const rest = "\nupstreams: {u: {url: 'http://127.0.0.1:1'}}\nmodels: {m: {targets: [{upstream: u}]}}\n"
	for name, text := range map[string]string{
		"listen": "admin: {listen: ''}\nlisten: ['" + taken.Addr().String() + "']",
		"admin":  "listen: ['127.0.0.1:0']\nadmin: {listen: '" + taken.Addr().String() + "'}",
	} {
		code, stdout, stderr := call("--config", file(t, text+rest))
		if code != command.Failure || stdout != "" || !strings.Contains(stderr, taken.Addr().String()) || !strings.Contains(stderr, "in use") {
			t.Errorf("%s: got exit code %d, %q and %q, want 1 and the address", name, code, stdout, stderr)
		}
	}
}

// The ready line is alone on stdout, and loops may be fewer or more than
// processors.
func TestLoops(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	for _, n := range []string{"1", "5"} {
		g := serve(t, toMock(up), "--loops", n)
		for range 20 {
			if res, got := do(t, "POST", g.url+chat, askWhole); res.StatusCode != 200 {
				t.Fatalf("--loops %s: got %d %s", n, res.StatusCode, got)
			}
		}
		g.end()
	}
}

// TestAnswers: what the gateway says by itself has OpenAI's shape (G17), and
// the status, the method and the path are told.
func TestAnswers(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, toMock(up)+"limits: {body: 1KiB}\n")
	long := `{"model":"m","messages":["` + strings.Repeat("x", 2000) + `"]}`
	tests := []struct {
		name, method, path, body string
		status                   int
		code, allow              string
	}{
		{"unknown path", "GET", "/", "", 404, "unknown_url", ""},
		{"unknown path", "POST", "/v1/nothing", "{}", 404, "unknown_url", ""},
		{"method", "GET", chat, "", 405, "method_not_supported", "POST"},
		{"method", "POST", "/v1/models", "{}", 405, "method_not_supported", "GET, HEAD"},
		{"method", "DELETE", "/v1/models/m", "", 405, "method_not_supported", "GET, HEAD"},
		{"no such model", "GET", "/v1/models/n", "", 404, "model_not_found", ""},
		{"no such model", "POST", chat, `{"model":"n"}`, 404, "model_not_found", ""},
		{"no model", "POST", chat, `{}`, 400, "", ""},
		{"no JSON", "POST", chat, `{`, 400, "", ""},
		{"too long", "POST", chat, long, 413, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, text := do(t, tt.method, g.url+tt.path, tt.body)
			var got struct {
				Error struct{ Message, Type, Code string }
			}
			decode(t, text, &got)
			e := got.Error
			if res.StatusCode != tt.status || e.Message == "" || e.Type != "invalid_request_error" || tt.code != "" && e.Code != tt.code {
				t.Errorf("%s %s: got %d %s, want %d %s", tt.method, tt.path, res.StatusCode, text, tt.status, tt.code)
			}
			if got := res.Header.Get("Allow"); got != tt.allow {
				t.Errorf("%s %s: got Allow %q, want %q", tt.method, tt.path, got, tt.allow)
			}
			if res.Header.Get("x-request-id") == "" || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s %s: got %v", tt.method, tt.path, res.Header)
			}
		})
	}
	// In chunks the length is not announced.
	req := asked(t, "POST", g.url+chat, long)
	req.ContentLength = -1
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("in chunks: got %d, want 413", res.StatusCode)
	}
	if n := up.Counts().Requests; n != 0 {
		t.Errorf("the upstream got %d requests, want none", n)
	}
	g.end()
}

func TestModels(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, "upstreams: {up: {url: '"+up.URL()+"'}}\nmodels: {b: {targets: [{upstream: up}]}, a/x: {targets: [{upstream: up, model: other}]}}\n")
	var got struct {
		Object string
		Data   []struct{ ID, Object string }
	}
	_, text := do(t, "GET", g.url+"/v1/models", "")
	decode(t, text, &got)
	if got.Object != "list" || len(got.Data) != 2 || got.Data[0].ID != "a/x" || got.Data[1].ID != "b" {
		t.Errorf("got %s, want a/x and b", text)
	}
	var one struct{ ID, Object string }
	_, text = do(t, "GET", g.url+"/v1/models/a/x", "")
	decode(t, text, &one)
	if one.ID != "a/x" || one.Object != "model" {
		t.Errorf("got %s, want a/x", text)
	}
	if res, got := do(t, "POST", g.url+chat, `{"model":"a/x"}`); res.StatusCode != 200 || up.Log().Requests[0].Model != "other" {
		t.Errorf("got %d %s and asked for %q, want the target's own name", res.StatusCode, got, up.Log().Requests[0].Model)
	}
	g.end()
}

// G1: bytes are the upstream's, streaming and not.
func TestBytes(t *testing.T) {
	up := mock.Start(t, mock.Config{Tokens: 50})
	g := serve(t, toMock(up))
	body := mock.Body{Model: "m", Tokens: 50}
	res, got := do(t, "POST", g.url+chat, askStream)
	if want := mock.StreamBody(body); got != string(want) || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("stream: got %q, want %q", got, want)
	}
	if _, got := do(t, "POST", g.url+chat, askWhole); got != string(mock.UnaryBody(body)) {
		t.Errorf("whole: got %q, want %q", got, mock.UnaryBody(body))
	}
	g.end()
}

// Health needs no token, the metrics do.
func TestAdmin(t *testing.T) {
	t.Setenv("WEIR_TEST_ADMIN", "s3cret")
	up := mock.Start(t, mock.Config{})
	g := serve(t, toMock(up), "--overlay", file(t, "admin: {token_env: WEIR_TEST_ADMIN}\n"))
	do(t, "POST", g.url+chat, askStream)
	g.out.wait(t, 1, `"msg":"request"`)
	for _, tt := range []struct {
		path, authorization string
		status              int
	}{
		{"/livez", "", 200}, {"/healthz", "", 200}, {"/readyz", "", 200}, {"/metrics", "", 401},
		{"/metrics", "Bearer s3cre", 401}, {"/metrics", "s3cret", 200}, {"/metrics", "Bearer s3cret", 200}, {"/nothing", "Bearer s3cret", 404},
	} {
		res, text := do(t, "GET", g.admin+tt.path, "", "Authorization", tt.authorization)
		if res.StatusCode != tt.status {
			t.Errorf("%s with %q: got %d %s, want %d", tt.path, tt.authorization, res.StatusCode, text, tt.status)
		}
	}
	_, text := do(t, "GET", g.admin+"/metrics", "", "Authorization", "Bearer s3cret")
	for _, want := range []string{
		"\nweir_streams 0\n", "\nweir_pending_bytes 0\n", "\nweir_connections ", `weir_requests_total{model="m",outcome="ok"} 1`,
		`weir_events_total{model="m"} 19`, `weir_added_latency_seconds_count{stage="request"} 1`, `weir_added_latency_seconds_bucket{stage="event",le="1e-06"}`,
		`weir_time_to_first_event_seconds_count{model="m"} 1`, `weir_request_duration_seconds_count{model="m"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got %s, want %q in it", text, want)
		}
	}
	g.end()
}

// The access line has the model that was asked for, also if there is none, cut
// to a length that a log can bear; each request is one line. The response says
// how long the gateway itself took.
func TestAccessLineModel(t *testing.T) {
	g := serve(t, toMock(mock.Start(t, mock.Config{})))
	long := strings.Repeat("x", 200)
	do(t, "POST", g.url+chat, `{"model":"gpt-9","messages":[]}`)
	do(t, "POST", g.url+chat, `{"model":"`+long+`\n","messages":[]}`)
	do(t, "POST", g.url+chat, `{"model":`)
	res, _ := do(t, "POST", g.url+chat, askWhole)
	do(t, "GET", g.url+"/v1/models", "")
	var models []string
	for _, text := range g.out.wait(t, 5, `"msg":"request"`) {
		var line struct{ Model string }
		decode(t, text, &line)
		models = append(models, line.Model)
	}
	if want := []string{"gpt-9", long[:128] + "…", "", "m", ""}; !slices.Equal(models, want) {
		t.Errorf("got the models %q, want %q", models, want)
	}
	timing := res.Header.Get("Server-Timing")
	if m := regexp.MustCompile(`, weir;dur=([0-9.]+)`).FindStringSubmatch(timing); m == nil || m[1] == "0.000" {
		t.Errorf("got Server-Timing: %s, want the time that the gateway took", timing)
	}
	if _, text := do(t, "GET", g.admin+"/metrics", ""); strings.Contains(text, "gpt-9") || strings.Contains(text, "xxxx") {
		t.Error("a client makes the metrics grow")
	}
	g.end()
	if n := strings.Count(g.out.String(), `"msg":"request"`); n != 5 {
		t.Errorf("got %d lines for 5 requests", n)
	}
}

// A kubelet reaches the addresses of clients, and has no token: there are probes
// there if the configuration says so, also after a reload.
func TestProbesForClients(t *testing.T) {
	overlay := file(t, "admin: {probes: false}\n")
	g := serve(t, toMock(mock.Start(t, mock.Config{})), "--overlay", overlay)
	for _, path := range []string{"/livez", "/readyz"} {
		if res, text := do(t, "GET", g.url+path, ""); res.StatusCode != 404 {
			t.Errorf("%s: got %d %s, want 404", path, res.StatusCode, text)
		}
	}
	if err := os.WriteFile(overlay, []byte("admin: {probes: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.signal(syscall.SIGHUP)
	g.log.wait(t, 1, `"configuration reloaded"`)
	for _, path := range []string{"/livez", "/readyz", "/health"} {
		if res, text := do(t, "GET", g.url+path, ""); res.StatusCode != 200 {
			t.Errorf("%s: got %d %s, want 200", path, res.StatusCode, text)
		}
	}
	if strings.Contains(g.log.String(), "restart is needed") {
		t.Error("the log says that a restart is needed")
	}
	g.end()
}

// TestAccessLog: a line for each request, 499 for those whose client left.
func TestAccessLog(t *testing.T) {
	up := mock.Start(t, mock.Config{Tokens: 5})
	g := serve(t, toMock(up))
	ways := []struct {
		name   string
		status float64
		ask    func(t *testing.T)
	}{
		{"stream", 200, func(t *testing.T) { do(t, "POST", g.url+chat, askStream, "x-request-id", "stream") }},
		{"whole", 200, func(t *testing.T) { do(t, "POST", g.url+chat, askWhole, "x-request-id", "whole") }},
		{"refused", 404, func(t *testing.T) { do(t, "POST", g.url+chat, `{"model":"n"}`, "x-request-id", "refused") }},
		{"failed", 503, func(t *testing.T) {
			do(t, "POST", g.url+chat, askWhole, "x-request-id", "failed", "x-mock-fault", "status=503")
		}},
		{"left", 499, func(t *testing.T) {
			res, err := client.Do(asked(t, "POST", g.url+chat, askStream, "x-request-id", "left", "x-mock-fault", "stall-after=2"))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}},
	}
	for _, tt := range ways {
		t.Run(tt.name, func(t *testing.T) {
			tt.ask(t)
			var got map[string]any
			decode(t, g.out.wait(t, 1, `"id":"`+tt.name+`"`)[0], &got)
			if got["status"] != tt.status || got["method"] != "POST" || got["path"] != chat || got["stream"] != (tt.name == "stream" || tt.name == "left") {
				t.Errorf("got %v, want status %v", got, tt.status)
			}
			if tt.name != "refused" && (got["model"] != "m" || got["upstream"] != "up" || got["attempts"] != 1.0) {
				t.Errorf("got %v, want model m from up at once", got)
			}
			if tt.name == "stream" && (got["events"] != 8.0 || got["bytes"] != float64(len(mock.StreamBody(mock.Body{Model: "m", Tokens: 5}))) || got["first_ms"].(float64) <= 0) {
				t.Errorf("got %v, want 8 events and their bytes", got)
			}
			if _, err := net.ResolveTCPAddr("tcp", got["client"].(string)); err != nil || got["took_ms"].(float64) < got["first_ms"].(float64) {
				t.Errorf("got %v: %v", got, err)
			}
		})
	}
	g.end()
	for line := range strings.Lines(strings.SplitAfterN(g.out.String(), "\n", 2)[1]) {
		if !json.Valid([]byte(line)) {
			t.Errorf("got %q on stdout, want JSON after the ready line", line)
		}
	}
}

// SIGTERM: /readyz says so at once, what runs comes to its end, the log has it.
func TestDrain(t *testing.T) {
	up := mock.Start(t, mock.Config{Tokens: 40, Pace: 10 * time.Millisecond})
	g := serve(t, toMock(up))
	res, err := client.Do(asked(t, "POST", g.url+chat, askStream, "x-request-id", "running"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	g.signal(syscall.SIGTERM)
	g.log.wait(t, 1, `weir serve: draining`)
	if res, got := do(t, "GET", g.admin+"/readyz", ""); res.StatusCode != 503 {
		t.Errorf("/readyz: got %d %s, want 503", res.StatusCode, got)
	}
	if res, got := do(t, "GET", g.admin+"/healthz", ""); res.StatusCode != 200 {
		t.Errorf("/healthz: got %d %s, want 200", res.StatusCode, got)
	}
	var got bytes.Buffer
	if _, err := got.ReadFrom(res.Body); err != nil || !bytes.Equal(got.Bytes(), mock.StreamBody(mock.Body{Model: "m", Tokens: 40})) {
		t.Errorf("got %q, %v, want the whole stream", got.String(), err)
	}
	if code := g.code(); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	g.log.wait(t, 1, `"msg":"weir serve: drained","drained":1,"cut":0`)
	g.out.wait(t, 1, `"id":"running".*"status":200`)
	if _, err := http.Get(g.url + "/v1/models"); err == nil {
		t.Error("the port is still open")
	}
}
