package patch

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/cmd/weir/internal/command"
	"weir/docs"
)

const configuration = `
upstreams: {a: {url: "http://127.0.0.1:1"}}
models:
  small:
    targets: [{upstream: a}]
    request:
      merge: {temperature: 0.7}
      patch: [{op: test, path: /stream, value: true}, {op: replace, path: /max_tokens, value: 512}]
    event:
      patch: [{op: test, path: /object, value: chat.completion.chunk}, {op: replace, path: /model, value: small}]
    response:
      patch: [{op: replace, path: /model, value: small}]
  "gpt-*":
    targets: [{upstream: a}]
`

// run is weir patch with the configuration above.
func run(t *testing.T, input string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	stdin = strings.NewReader(input)
	defer func() { stdin = os.Stdin }()
	var out, errs bytes.Buffer
	code = Main(append([]string{"--config", file}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func TestShown(t *testing.T) {
	for _, tt := range []struct {
		name, input, args string
		code              int
		stdout, stderr    string
	}{
		{"a request", `{"model":"small", "stream":true,"max_tokens":100000,"messages":[{"role":"user","content":"Hi"}]}`, "--model small", command.OK,
			`--- request, 96 bytes
+++ as it is sent, 111 bytes
@@ -1,11 +1,12 @@
 {
   "model": "small",
   "stream": true,
-  "max_tokens": 100000,
+  "max_tokens": 512,
   "messages": [
     {
       "role": "user",
       "content": "Hi"
     }
-  ]
+  ],
+  "temperature": 0.7
 }
bytes 45 to 51: 100000 became 512
bytes 95 to 95: nothing became ,"temperature":0.7
`, ""},
		{"a request, raw", `{"model":"small", "stream":true,"max_tokens":1}`, "--model small --raw", command.OK,
			`{"model":"small", "stream":true,"max_tokens":512,"temperature":0.7}`, ""},
		{"a test fails", `{"model":"small","max_tokens":1}`, "--model small", command.Failure, "", "weir patch: 400: request.patch[0]: test /stream: there is no such value\n"},
		{"no JSON", `{"model":`, "--model small", command.Failure, "", "weir patch: policy: not JSON\n"},
		{"no JSON and no patch", `{"model":`, "--model gpt-4", command.Failure, "", "weir patch: policy: not JSON\n"},
		{"no patch", `{"model":"gpt-4"}`, "--model gpt-4", command.OK, "request: unchanged, 17 bytes\n", ""},
		{"no model", `{}`, "--model big", command.Usage, "", "weir patch: no model serves \"big\"\n"},
		{"a stream", "event: e\ndata: {\"object\":\"chat.completion.chunk\",\"model\":\"m\"}\n\n: ping\n\ndata: [DONE]\n\ndata: {\"object\":\"other\"}\n\n", "--model small --event", command.OK,
			`--- event 1, 63 bytes
+++ as it is sent, 67 bytes
@@ -2,5 +2,5 @@
 data:
 {
   "object": "chat.completion.chunk",
-  "model": "m"
+  "model": "small"
 }
bytes 57 to 60: "m" became "small"

event 2: unchanged, 8 bytes: the event has no data

event 3: unchanged, 14 bytes: not JSON

event 4: unchanged, 26 bytes: event.patch[0]: test /object: the value is different
`, ""},
		{"a line", `{"object":"chat.completion.chunk","model":"m"}` + "\n", "--model small --event --raw", command.OK, `{"object":"chat.completion.chunk","model":"small"}` + "\n", ""},
		{"lines", "{\"object\":\"chat.completion.chunk\",\"model\":\"m\"}\r\n{}\n{", "--model small --event --raw", command.OK, "{\"object\":\"chat.completion.chunk\",\"model\":\"small\"}\r\n{}\n{", ""},
		{"a document on several lines", "{\"object\":\"chat.completion.chunk\",\n\"model\":\"m\"}", "--model small --event --raw", command.OK, "{\"object\":\"chat.completion.chunk\",\n\"model\":\"small\"}", ""},
		{"nothing", "", "--model small --event", command.OK, "", ""},
		{"a response", `{"model":"m", "n":1}`, "--model small --response --raw", command.OK, `{"model":"small", "n":1}`, ""},
		{"a response that does not fit", `{"n":1}`, "--model small --response", command.OK, "response: unchanged, 7 bytes: response.patch[0]: replace /model: there is no such value\n", ""},
		{"a response and no patch", `{"n":1}`, "--model gpt-4 --response", command.OK, "response: unchanged, 7 bytes\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := run(t, tt.input, strings.Fields(tt.args)...)
			if code != tt.code || stdout != tt.stdout || stderr != tt.stderr {
				t.Errorf("got exit code %d\n%s%s\nwant %d\n%s%s", code, stdout, stderr, tt.code, tt.stdout, tt.stderr)
			}
		})
	}
}

func TestWrongUse(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := Main(nil, &stdout, &stderr); code != command.Usage || !strings.Contains(stderr.String(), "--model NAME is missing") {
		t.Errorf("got %d, %s, want %d", code, stderr.String(), command.Usage)
	}
	stderr.Reset()
	if code := Main([]string{"--model", "m", "--config", "nowhere.yaml"}, &stdout, &stderr); code != command.Usage || !strings.Contains(stderr.String(), "nowhere.yaml: cannot be read") {
		t.Errorf("got %d, %s, want %d", code, stderr.String(), command.Usage)
	}
	stderr.Reset()
	if code := Main([]string{"--model", "m", "--event", "--response"}, &stdout, &stderr); code != command.Usage || !strings.Contains(stderr.String(), "--event and --response exclude each other") {
		t.Errorf("got %d, %s, want %d", code, stderr.String(), command.Usage)
	}
	if stdout.Len() > 0 {
		t.Errorf("got %s on stdout", stdout.String())
	}
}

// A long text around a change does not fill the screen.
func TestLongLines(t *testing.T) {
	input := `{"content":"` + strings.Repeat("x", 10_000) + `","stream":true,"max_tokens":1}`
	_, stdout, _ := run(t, input, "--model", "small")
	if len(stdout) > 1000 || !strings.Contains(stdout, "… (10016 bytes)\n") || !strings.Contains(stdout, `+  "max_tokens": 512`) {
		t.Errorf("got %d bytes: %.2000s", len(stdout), stdout)
	}
}

func TestCompare(t *testing.T) {
	for _, tt := range []struct{ a, b, want string }{
		{"a b c", "a b c", " a  b  c"},
		{"a b c", "a x c", " a -b +x  c"},
		{"a b c d", "a c d e", " a -b  c  d +e"},
		{"", "a b", "+a +b"},
		{"a b", "", "-a -b"},
	} {
		var got []string
		for _, l := range compare(strings.Fields(tt.a), strings.Fields(tt.b)) {
			got = append(got, string(l.mark)+l.text)
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%q, %q: got %q, want %q", tt.a, tt.b, got, tt.want)
		}
	}
}

// The example of the guide shows what it says.
func TestGuide(t *testing.T) {
	page, err := fs.ReadFile(docs.Guide(), "patch.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n```yaml\n")
	rules, rest, _ := strings.Cut(rest, "\n```\n")
	_, rest, _ = strings.Cut(rest, "\n```\n$ echo '")
	request, rest, _ := strings.Cut(rest, "'")
	_, rest, _ = strings.Cut(rest, "--model small\n")
	want, _, ok := strings.Cut(rest, "\n```\n")
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	stdin = strings.NewReader(request + "\n")
	defer func() { stdin = os.Stdin }()
	var out, errs bytes.Buffer
	if code := Main([]string{"--config", file, "--model", "small"}, &out, &errs); code != command.OK || !ok || out.String() != want+"\n" {
		t.Errorf("got %d\n%s%s\nwant\n%s", code, out.String(), errs.String(), want)
	}
}

// The README's request and event become what it says. The model's name at the
// upstream is put in by the relay.
func TestReadme(t *testing.T) {
	page, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## JSON Patch, on every request and every token\n")
	_, rules, _ := strings.Cut(section, "\n```yaml\n")
	rules, section, _ = strings.Cut(rules, "\n```\n")
	_, shown, _ := strings.Cut(section, "\n```diff\n")
	shown, _, _ = strings.Cut(shown, "\n```\n")
	lines := strings.Split(shown, "\n")
	if len(lines) != 7 {
		t.Fatalf("got %q, want a request and an event, before and after", lines)
	}
	dir := t.TempDir()
	file, overlay := filepath.Join(dir, "weir.yaml"), filepath.Join(dir, "rules.yaml")
	const gateway = "upstreams: {demo: {url: 'http://127.0.0.1:1'}}\nmodels: {small: {targets: [{upstream: demo, model: weir-demo}]}}\n"
	if err := errors.Join(os.WriteFile(file, []byte(gateway), 0o600), os.WriteFile(overlay, []byte(rules), 0o600)); err != nil {
		t.Fatal(err)
	}
	whole := strings.NewReplacer("[…]", "[]")
	for _, tt := range []struct{ before, after, flag string }{
		{lines[1], strings.Replace(lines[2], "weir-demo", "small", 1), "--raw"},
		{lines[5], lines[6], "--event"},
	} {
		stdin = strings.NewReader(whole.Replace(tt.before[1:]))
		var out, errs bytes.Buffer
		if code := Main([]string{"--config", file, "--overlay", overlay, "--model", "small", "--raw", tt.flag}, &out, &errs); code != command.OK || out.String() != whole.Replace(tt.after[1:]) {
			t.Errorf("%s: got %d %s%s, want %s", tt.before, code, out.String(), errs.String(), tt.after)
		}
	}
	stdin = os.Stdin
}
