package config

import (
	"errors"
	"strings"
	"testing"
)

// ${NAME} is the variable's value, anywhere in a string, and in numbers and
// truth values too.
func TestReferences(t *testing.T) {
	t.Setenv("WEIR_TEST_HOST", "llm.example")
	t.Setenv("WEIR_TEST_PORT", "8001")
	t.Setenv("WEIR_TEST_EMPTY", "")
	t.Setenv("WEIR_TEST_YES", "true")
	t.Setenv("WEIR_TEST_AGAIN", "${WEIR_TEST_HOST}")
	c, err := Parse(Source{"env", []byte(`
listen: ["127.0.0.1:${WEIR_TEST_PORT}"]
admin: {listen: "${WEIR_TEST_EMPTY}", probes: "${WEIR_TEST_YES}"}
upstreams:
  a:
    url: http://${WEIR_TEST_HOST}:${WEIR_TEST_PORT}/v1
    headers: {x-a: "$${WEIR_TEST_HOST} costs $5 and $", x-b: "${WEIR_TEST_AGAIN}"}
    max_streams: ${WEIR_TEST_PORT}
    timeouts: {idle: "${WEIR_TEST_PORT}s"}
    breaker: {share: 0.5}
models: {m: {targets: [{upstream: a}]}}
`)})
	if err != nil {
		t.Fatal(err)
	}
	a := c.Upstreams["a"]
	for _, v := range []struct{ got, want any }{
		{c.Listen[0], "127.0.0.1:8001"}, {c.Admin.Listen, ""}, {c.Admin.Probes, true}, {a.URL, "http://llm.example:8001/v1"},
		{a.Headers["x-a"], "${WEIR_TEST_HOST} costs $5 and $"}, {a.Headers["x-b"], "${WEIR_TEST_HOST}"}, {a.MaxStreams, 8001},
		{a.Timeouts.Idle.String(), "2h13m21s"},
	} {
		if v.got != v.want {
			t.Errorf("got %v, want %v", v.got, v.want)
		}
	}
}

// A variable that is not set, and what is not a reference to one, is an error with
// its pointer, once for a value.
func TestReferencesMissing(t *testing.T) {
	setEnvironment(t)
	t.Setenv("WEIR_TEST_WRONG", "not-a-secret-but-could-be")
	_, err := Parse(Source{"env", []byte(`listen: ["${WEIR_TEST_UNSET}"]
admin: {listen: "${}"}
upstreams:
  a: {url: "${WEIR_TEST_UNSET}", max_streams: "${WEIR_TEST_WRONG}", key_env: "${WEIR_TEST_WRONG}", dialects: ["${WEIR_TEST_WRONG}"]}
  b: {url: "http://h/${WEIR_TEST_UNSET:-x}", timeouts: {idle: "${WEIR_TEST_WRONG}"}, headers: {"${WEIR_TEST_KEY}": x}}
models: {m: {targets: [{upstream: a}], policy: "${secret}"}}
cors: {origins: ["${WEIR_TEST_WRONG}"]}
`)})
	const form = "want ${NAME}, with the name of an environment variable; a plain ${ is written $${"
	want := []string{
		`env:2: /admin/listen: ` + form,
		`env:7: /cors/origins/0: want * or an origin such as https://app.example, got "${WEIR_TEST_WRONG}"`,
		`env:1: /listen/0: the environment variable WEIR_TEST_UNSET is not set`,
		`env:6: /models/m/policy: this environment variable is not set`,
		`env:4: /upstreams/a/dialects/0: "${WEIR_TEST_WRONG}" is not known; there are "anthropic", "responses", "ollama", "openai"`,
		`env:4: /upstreams/a/key_env: want the name of an environment variable, not its value`,
		`env:4: /upstreams/a/max_streams: want a whole number, got "${WEIR_TEST_WRONG}"`,
		`env:4: /upstreams/a/url: the environment variable WEIR_TEST_UNSET is not set`,
		`env:5: /upstreams/b/headers/${WEIR_TEST_KEY}: "${WEIR_TEST_KEY}" is not the name of a header field`,
		`env:5: /upstreams/b/timeouts/idle: want a duration such as "2s" or "1m30s", got "${WEIR_TEST_WRONG}"`,
		`env:5: /upstreams/b/url: ` + form,
	}
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v, want problems", err)
	}
	if got := strings.Join(strings.Split(problems.Error(), "\n")[1:], "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if strings.Contains(problems.Error(), "could-be") {
		t.Error("a message shows the value of a variable")
	}
}

// What is shown has the variables' names and no secret, and can be read again.
func TestYAML(t *testing.T) {
	t.Setenv("WEIR_TEST_KEY", "sk-secret")
	t.Setenv("WEIR_TEST_PORT", "8001")
	c, err := Parse(Source{"env", []byte(`
admin: {listen: ""}
upstreams:
  b: {url: "http://h:${WEIR_TEST_PORT}", key_env: WEIR_TEST_KEY, headers: {x-team: "$${a}", x-api-key: "${WEIR_TEST_KEY}", cookie: "sk-secret", x-token: "sk-secret-${WEIR_TEST_PORT}"}, health: {path: "/h?deep=1&api_key=sk-secret&token=${WEIR_TEST_KEY}"}}
  a: {url: "unix:/run/x", max_streams: 0, resolve: 0}
models: {"on": {targets: [{upstream: a}], retry_on: [], fallback: ["*"]}, "*": {targets: [{upstream: b, model: "429"}], retry_on: [429, 500-599]}}
cors: {origins: []}
`)})
	if err != nil {
		t.Fatal(err)
	}
	text := string(c.YAML())
	for _, want := range []string{
		"\nadmin:\n  listen: \"\"\n", "url: http://h:${WEIR_TEST_PORT}\n", "x-team: $${a}\n", "x-api-key: ${WEIR_TEST_KEY}\n",
		"cookie: '********'\n", "x-token: '********'\n", "max_streams: 0\n", "resolve: 0s\n", `model: "429"`,
		"path: /h?deep=1&api_key=********&token=${WEIR_TEST_KEY}\n", "retry_on: []\n", "retry_on: [429, 500-599]\n", "origins: []\n", "first_event: 2m\n", "body: 64MiB\n", "share: 0.2\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got\n%s\nwant %q in it", text, want)
		}
	}
	for _, not := range []string{"sk-secret", "tls:", "native", "session:"} {
		if strings.Contains(text, not) {
			t.Errorf("got\n%s\nwith %q", text, not)
		}
	}
	if strings.Index(text, "upstreams:") > strings.Index(text, "models:") || strings.Index(text, "  a:") > strings.Index(text, "  b:") {
		t.Errorf("got\n%s\nwant the fields in the order of the structs, and names in theirs", text)
	}
	again, err := Parse(Source{"again", []byte(text)})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if got := string(again.YAML()); got != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
	if a, b := again.Upstreams["b"].URL, c.Upstreams["b"].URL; a != b || again.Models["*"].RetryOn[1] != (Status{500, 599}) || again.CORS.Origins == nil {
		t.Errorf("got %q, want %q", a, b)
	}
}

// Every example prints itself so that it is the same when it is read again.
func TestYAMLOfExamples(t *testing.T) {
	setEnvironment(t)
	for _, name := range files(t, "testdata/*.yaml") {
		c := load(t, name)
		again, err := Parse(Source{"printed", c.YAML()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := printed(t, again.Masked()), printed(t, c.Masked()); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}
