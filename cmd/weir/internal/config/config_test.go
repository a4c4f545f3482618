package config

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the expected outcomes in testdata")

// setEnvironment sets what the files in testdata name.
func setEnvironment(t testing.TB) {
	t.Setenv("VLLM_KEY", "sk-upstream")
	t.Setenv("WEIR_ADMIN_TOKEN", "sk-admin")
	t.Setenv("WEIR_TEST_KEY", "sk-test")
	t.Setenv("WEIR_TEST_HOST", "llm.example")
	t.Setenv("WEIR_TEST_NUMBER", "5")
	t.Setenv("WEIR_TEST_TRUE", "true")
	t.Setenv("WEIR_TEST_UNSET", "")
	if err := os.Unsetenv("WEIR_TEST_UNSET"); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, path string, overlays ...string) *Config {
	t.Helper()
	c, err := Load(path, overlays...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// files are the names of all files that match, at least one.
func files(t testing.TB, glob string) []string {
	t.Helper()
	names, err := filepath.Glob(glob)
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s: %v", glob, err)
	}
	return names
}

func TestFull(t *testing.T) {
	setEnvironment(t)
	c := load(t, "testdata/full.yaml")
	want := Upstream{
		URL:      "http://127.0.0.1:8001",
		Dialects: []string{"openai", "anthropic"}, KeyEnv: "VLLM_KEY", Headers: map[string]string{"x-team": "infra"},
		Timeouts:   Timeouts{Duration(2 * time.Second), Duration(2 * time.Minute), Duration(2 * time.Minute), Duration(10 * time.Minute), 0},
		MaxStreams: 256,
		Health:     Health{"/health", Duration(5 * time.Second), Duration(2 * time.Second), 1, 3},
		Breaker:    Breaker{0.5, 10, Duration(10 * time.Second), Duration(5 * time.Second)},
		Resolve:    Duration(30 * time.Second),
	}
	if got := c.Upstreams["vllm-a"]; !reflect.DeepEqual(got, want) {
		t.Errorf("got upstream %+v, want %+v", got, want)
	}
	small := Model{
		Targets: []Target{{"vllm-a", "qwen2.5-7b", 2}, {"vllm-b", "qwen2.5-7b", 1}},
		Policy:  "least_outstanding", Retries: 2, RetryOn: []Status{{429, 429}, {500, 599}}, Fallback: []string{"big"},
		Hold: Hold{1, Duration(2 * time.Second)},
	}
	rules := c.Models["small"].Rules()
	for _, part := range []struct{ name, got, want string }{
		{"merge", string(rules.Merge), `{"logit_bias":null,"stop":[null,"<|end|>"],"temperature":0.7,"user":"${x}"}`},
		{"patch", string(rules.Patch), `[{"op":"test","path":"/stream","value":true},{"op":"replace","path":"/max_tokens","value":512}]`},
		{"event", string(rules.Event), `[{"op":"replace","path":"/model","value":"small"},{"op":"add","path":"/x","value":null}]`},
	} {
		if part.got != part.want {
			t.Errorf("%s: got %s, want %s", part.name, part.got, part.want)
		}
	}
	small.Request, small.Event = c.Models["small"].Request, c.Models["small"].Event
	if got := c.Models["small"]; !reflect.DeepEqual(got, small) {
		t.Errorf("got model %+v, want %+v", got, small)
	}
	if got, want := c.Models["chat"].Session, (Session{"x-session-id", true}); got != want {
		t.Errorf("got session %+v, want %+v", got, want)
	}
	if got, want := c.Limits, (Limits{64 << 20, 1 << 30, 4 << 20, 20000, 4 << 20}); got != want {
		t.Errorf("got limits %+v, want %+v", got, want)
	}
	if got, want := c.Log, (Log{"stdout", "json", 1, nil}); !reflect.DeepEqual(got, want) {
		t.Errorf("got log %+v, want %+v", got, want)
	}
	if got, want := c.Upstreams["vllm-b"].Endpoint().Address, "llm.example:443"; got != want {
		t.Errorf("got address %q, want %q", got, want)
	}
	if got, want := c.Upstreams["vllm-a"].Key(), "sk-upstream"; got != want {
		t.Errorf("got key %q, want %q", got, want)
	}
	if got, want := c.Admin.Token(), "sk-admin"; got != want {
		t.Errorf("got admin token %q, want %q", got, want)
	}
}

// Routes that leave the gateway its own paths are in order.
func TestRoutes(t *testing.T) {
	c, err := Parse(Source{"r", []byte(`routes:
  - {path: "POST /v1/generate", native: a/b}
  - {path: "PUT /v2/{rest...}", native: a/b}
  - {path: "GET /v1/completions/{id}", native: a/b}
  - {path: "GET /{$}", native: a/b}
  - {path: "GET /{rest...}", native: a/b}
  - {path: "POST app.example/generate/{id}", native: a/b}
  - {path: "POST /v1/{x}/run", native: a/b}
  - {path: "POST /v1/{x}", native: a/b}
`)})
	if err != nil || len(c.Routes) != 8 {
		t.Errorf("got %+v, %v", c, err)
	}
}

// A library's relative path begins at the folder of the file that names it.
func TestLibraries(t *testing.T) {
	const base = "models: {m: {native: demo/babble}}\nnative: [{so: ./a.so}, {so: ../b/b.so}, {so: /opt/c.so}]\n"
	c, err := Parse(Source{"etc/weir.yaml", []byte(base)})
	if err != nil {
		t.Fatal(err)
	}
	if want := []Library{{"etc/a.so"}, {"b/b.so"}, {"/opt/c.so"}}; !slices.Equal(c.Native, want) {
		t.Errorf("got %q, want %q", c.Native, want)
	}
	overlay := Source{"over/lay.yaml", []byte("native: [{so: a.so}]\n")}
	if c, err = Parse(Source{"etc/weir.yaml", []byte(base)}, overlay, Source{"more/x.yaml", []byte("drain: 1s\n")}); err != nil {
		t.Fatal(err)
	}
	if want := []Library{{"over/a.so"}}; !slices.Equal(c.Native, want) {
		t.Errorf("with an overlay: got %q, want %q", c.Native, want)
	}
}

// What the program finds besides has its file and line, and is asked for only when nothing else is wrong.
func TestLoadFor(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	base := write("weir.yaml", "models:\n  m: {native: a/b}\n  n: {native: a/c}\n")
	over := write("over.yaml", "\nmodels: {n: {native: a/d}}\nroutes: [{path: /x, native: a/e}]\n")
	bad := write("bad.yaml", "drain: never\n")
	look := func(c *Config) Problems { return c.CheckNative([]string{"a/b"}, nil) }
	_, err := LoadFor(look, base, over)
	want := "config: 2 problems\n" +
		over + `:2: /models/n/native: no native handler named "a/d"; there is "a/b"` + "\n" +
		over + `:3: /routes/0/native: no native handler named "a/e"; there is "a/b"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := LoadFor(func(*Config) Problems { t.Error("asked for a bad configuration"); return nil }, base, bad); err == nil {
		t.Error("got no error")
	}
	if c, err := LoadFor(func(*Config) Problems { return nil }, base); err != nil || c.Models["m"].Native != "a/b" {
		t.Errorf("got %+v, %v", c, err)
	}
}

// TestDefaults: what a file does not say is as if it had said the defaults.
func TestDefaults(t *testing.T) {
	const spelled = `
listen: ["127.0.0.1:8080"]
open: false
admin: {listen: "127.0.0.1:9464"}
upstreams:
  llama:
    url: http://127.0.0.1:8001
    dialects: [openai]
    timeouts: {connect: 2s, first_event: 2m, idle: 2m, whole: 10m, total: 0}
    max_streams: 0
    health: {path: "", interval: 5s, timeout: 2s, healthy: 1, unhealthy: 3}
    breaker: {share: 0.5, volume: 10, window: 10s, open: 5s}
    resolve: 30s
models:
  small:
    targets: [{upstream: llama, weight: 1}]
    policy: least_outstanding
    retries: 2
    retry_on: [429, 500-599]
    hold: {events: 1, wait: 2s}
    keepalive: 10s
limits: {body: 64MiB, bodies: 0, replay: 4MiB, streams: 20000, event: 4MiB}
retry_budget: {share: 0.2, floor: 10}
log: {access: stderr, format: auto, sample: 1}
drain: 60s
`
	got := load(t, "testdata/least.yaml")
	want, err := Parse(Source{"spelled", []byte(spelled)})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := printed(t, got), printed(t, want); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestZeroIsNotMissing: a zero that is given replaces a default.
func TestZeroIsNotMissing(t *testing.T) {
	c, err := Parse(Source{"zero", []byte(`
admin: {listen: ""}
upstreams: {a: {url: "http://h", timeouts: {connect: 0s}, breaker: {share: 0}}}
retry_budget: {share: 0, floor: 0}
models: {m: {targets: [{upstream: a}], retries: 0, hold: {events: 0, wait: 0}}}
log: {sample: 0}
drain: 0s
`)})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.Admin.Listen, c.Upstreams["a"].Timeouts.Connect, c.Upstreams["a"].Breaker.Share, c.RetryBudget,
		c.Models["m"].Retries, c.Models["m"].Hold, c.Log.Sample, c.Drain}
	for i, v := range got {
		if !reflect.ValueOf(v).IsZero() {
			t.Errorf("value %d: got %v, want zero", i, v)
		}
	}
}

// TestNothingIsNotGiven: a field with nothing behind its colon has its default.
func TestNothingIsNotGiven(t *testing.T) {
	c, err := Parse(Source{"null", []byte("log:\ndrain: ~\nupstreams: {a: {url: 'http://h', timeouts: null}}\nmodels: {m: {targets: [{upstream: a, weight: }]}}")})
	if err != nil {
		t.Fatal(err)
	}
	if c.Drain.D() != time.Minute || c.Log.Sample != 1 || c.Upstreams["a"].Timeouts.Connect.D() != 2*time.Second || c.Models["m"].Targets[0].Weight != 1 {
		t.Errorf("got %s, want the defaults", printed(t, c))
	}
}

func TestPolicySessionGoesByTheUser(t *testing.T) {
	c, err := Parse(Source{"session", []byte(`{upstreams: {a: {url: "http://h"}}, models: {m: {targets: [{upstream: a}], policy: session}}}`)})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Models["m"].Session, (Session{User: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMergeKeys(t *testing.T) {
	c := load(t, "testdata/anchors.yaml")
	a, b := c.Upstreams["a"], c.Upstreams["b"]
	if b.URL != "http://10.0.0.2:8000" || b.MaxStreams != 64 || b.Timeouts != a.Timeouts || a.URL == b.URL {
		t.Errorf("got %+v and %+v, want them to differ in the URL", a, b)
	}
}

func TestOverlays(t *testing.T) {
	setEnvironment(t)
	c := load(t, "testdata/full.yaml", "testdata/overlay/less.yaml")
	a := c.Upstreams["vllm-a"]
	if got, want := a.Timeouts.FirstEvent.D(), 5*time.Second; got != want {
		t.Errorf("got first_event %v, want %v", got, want)
	}
	if a.Timeouts.Idle.D() != 2*time.Minute || a.MaxStreams != 256 {
		t.Errorf("got %+v, want what the overlay does not name to stay", a)
	}
	if len(a.Headers) != 0 || c.Models["small"].Fallback != nil || c.Routes != nil {
		t.Errorf("got headers %v, fallback %v, routes %v, want none", a.Headers, c.Models["small"].Fallback, c.Routes)
	}
	if got := len(c.Models["small"].Targets); got != 1 {
		t.Errorf("got %d targets, want the list replaced by one of 1", got)
	}
}

// TestMergePatch is the table of RFC 7396 appendix A.
func TestMergePatch(t *testing.T) {
	tests := []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	}
	for _, tt := range tests {
		t.Run(tt.target+tt.patch, func(t *testing.T) {
			var target, patch any
			for text, v := range map[string]*any{tt.target: &target, tt.patch: &patch} {
				if err := json.Unmarshal([]byte(text), v); err != nil {
					t.Fatal(err)
				}
			}
			if got := printed(t, mergePatch(target, patch)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := printed(t, target); got != tt.target {
				t.Errorf("the target became %s, want it left as %s", got, tt.target)
			}
		})
	}
}

// TestRoundTrip: what a Config prints, masked, loads again and is the same.
func TestRoundTrip(t *testing.T) {
	setEnvironment(t)
	for _, name := range files(t, "testdata/*.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			c := load(t, name)
			again, err := Parse(Source{"printed", []byte(printed(t, c.Masked()))})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := printed(t, again), printed(t, c); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestMasked(t *testing.T) {
	setEnvironment(t)
	c := load(t, "testdata/full.yaml")
	u := c.Upstreams["vllm-a"]
	u.Headers = map[string]string{"X-Api-Key": "s3cret", "cookie": "s3cret", "Proxy-Authorization": "s3cret", "x-goog-token": "s3cret", "x-team": "infra"}
	c.Upstreams["vllm-a"] = u
	before := printed(t, c)
	m := c.Masked()
	shown := printed(t, m)
	for _, secret := range []string{"s3cret", "sk-upstream", "sk-admin"} {
		if strings.Contains(shown, secret) {
			t.Errorf("got %s in\n%s", secret, shown)
		}
	}
	if !strings.Contains(shown, "infra") {
		t.Error("x-team is masked too, want it to be seen")
	}
	m.Listen[0], m.Models["small"].Targets[0].Upstream, m.Routes[0].Path, m.CORS.Origins[0], m.Models["small"].Fallback[0] = "", "", "", "", ""
	m.Upstreams["vllm-a"].Headers["x-team"] = ""
	delete(m.Models, "big")
	if got := printed(t, c); got != before {
		t.Errorf("got\n%s\nwant the original as it was:\n%s", got, before)
	}
}

func printed(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A file that is none, such as a device without end, is not read whole.
func TestTooLarge(t *testing.T) {
	const want = "config: 1 problem\n/dev/zero: cannot be read: larger than 16 MiB: want a configuration"
	if _, err := Load("/dev/zero"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
