package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestProblems compares what is told of each file in testdata/bad with the text
// beside it; -update rewrites the texts.
func TestProblems(t *testing.T) {
	setEnvironment(t)
	for _, name := range files(t, "testdata/bad/*.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			c, err := Load(name)
			var problems Problems
			if !errors.As(err, &problems) || c != nil {
				t.Fatalf("got %v and error %v, want Problems alone", c, err)
			}
			got := strings.ReplaceAll(problems.Error(), filepath.ToSlash(name), filepath.Base(name)) + "\n"
			golden := strings.TrimSuffix(name, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestNoFile: each file that cannot be read is told.
func TestNoFile(t *testing.T) {
	_, err := Load("testdata/none.yaml", "testdata/least.yaml", "testdata")
	want := "config: 2 problems\n" +
		"testdata/none.yaml: cannot be read: no such file or directory\n" +
		"testdata: cannot be read: is a directory"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestWhichFile: a problem names the file that it came with.
func TestWhichFile(t *testing.T) {
	base := Source{"weir.yaml", []byte("upstreams: {a: {url: 'http://h'}}\nmodels:\n  m:\n    targets: [{upstream: a}]\n    retries: -1")}
	tests := []struct{ name, overlay, want string }{
		{"its own", "models: {m: {policy: p3c}}", `o.yaml:1: /models/m/policy: "p3c" is not known; ` +
			`there are "p2c", "session", "prefix_hash", "round_robin", "least_outstanding"` + "\n" +
			`weir.yaml:5: /models/m/retries: must be from 0 to 10, got -1`},
		{"mended", "models: {m: {retries: 1}}", ""},
		{"made otherwise", "\nmodels: {m: {retries: x}}", `o.yaml:2: /models/m/retries: want a whole number, got "x"`},
		{"taken away", "upstreams: {a: null}\nmodels: {m: {retries: null}}", `weir.yaml:4: /models/m/targets/0/upstream: no upstream named "a"; there are none`},
		{"what was taken away twice", "models: {m: {retries: 1}}\nlog: {format: text, format: json}", `o.yaml:2: /log/format: given twice, first on line 2`},
		{"broken", "models: [", `o.yaml:1: did not find expected node content`},
		{"a list", "[]", `o.yaml:1: want a mapping, got a list`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			_, err := Parse(base, Source{"o.yaml", []byte(tt.overlay)})
			var problems Problems
			errors.As(err, &problems)
			for _, p := range problems {
				got = append(got, p.String())
			}
			if got := strings.Join(got, "\n"); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// TestEnvironment: a variable must be there and be fit for a header field, and
// no secret is repeated.
func TestEnvironment(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"WEIR_KEY", "sk-s3cret", ""},
		{"weir_key", "sk-s3cret", ""},
		{"WEIR_KEY", "", "the environment variable WEIR_KEY is empty"},
		{"WEIR_KEY", "sk-s3cret\n", "the value of the environment variable WEIR_KEY begins or ends with white space or a line break"},
		{"WEIR_KEY", "sk-s3\ncret", "the value of the environment variable WEIR_KEY has a control character"},
		{"weir_key", " sk-s3cret", "the value of this environment variable begins or ends with white space or a line break"},
		{"hf_s3cret", "", "this environment variable is not set"},
		{"sk-s3cret", "", "want the name of an environment variable, not its value"},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			if strings.HasPrefix(strings.ToLower(tt.name), "weir") {
				t.Setenv(tt.name, tt.value)
			}
			_, err := Parse(Source{"f", []byte(`{upstreams: {a: {url: "http://h", key_env: "` + tt.name + `"}}, models: {m: {targets: [{upstream: a}]}}}`)})
			got := ""
			var problems Problems
			if errors.As(err, &problems) {
				got = problems[0].Message
			}
			if got != tt.want || len(problems) > 1 || strings.Contains(fmt.Sprint(err), "s3cret") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestCheckNative(t *testing.T) {
	setEnvironment(t)
	c := load(t, "testdata/full.yaml")
	if ps := c.CheckNative([]string{"demo/babble", "myllmbackend/generate"}, []string{"myllmbackend/generate"}); ps != nil {
		t.Errorf("got %v, want none", ps)
	}
	want := "config: 2 problems\n" +
		`/models/babble/native: no native handler named "demo/babble"; there is "demo/bable"` + "\n" +
		`/routes/0/native: no native handler named "myllmbackend/generate"; there is "demo/bable"`
	if got := c.CheckNative([]string{"demo/bable"}, nil).Error(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	all := []string{"demo/babble", "myllmbackend/generate"}
	want = "config: 1 problem\n" + `/models/babble/native: "demo/babble" serves WebSockets, which a model cannot; give it a path of its own in routes`
	if got := c.CheckNative(all, all).Error(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
