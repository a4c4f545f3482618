package serve

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"weir/cmd/weir/internal/command"
	"weir/plugin/cabi"
)

// A library named by the configuration, beside that file, or by --so brings its handlers, in C, to models and routes.
func TestLibrary(t *testing.T) {
	const mounted = "models: {c: {native: c-babble/generate}}\nroutes: [{path: 'GET /words/{id}', native: c-babble/generate}, {path: 'GET /stats', native: c-babble/stats}]\n"
	for _, way := range []string{"configuration", "flag"} {
		t.Run(way, func(t *testing.T) {
			dir := t.TempDir()
			so := babbleSO(t, dir)
			g := (*instance)(nil)
			if way == "flag" {
				g = serve(t, mounted, "--so", so)
			} else {
				g = serve(t, mounted, "--overlay", fileIn(t, dir, "over.yaml", "native: [{so: ./libbabble.so}]\n"))
			}
			for _, ask := range []struct{ method, path, body string }{{"POST", chat + "?n=3", `{"model":"c"}`}, {"GET", "/words/7?n=3", ""}} {
				res, got := do(t, ask.method, g.url+ask.path, ask.body)
				if !regexp.MustCompile(`^(data: \w+\n\n){3}$`).MatchString(got) || res.Header.Get("Content-Type") != "text/event-stream" {
					t.Errorf("%s: got %v %q, want 3 words", ask.path, res.Header, got)
				}
			}
			if res, got := do(t, "GET", g.url+"/words/7?n=x", ""); res.StatusCode != 400 || !strings.Contains(got, "n must be") {
				t.Errorf("got %d %s, want what the handler says", res.StatusCode, got)
			}
			res, err := client.Do(asked(t, "POST", g.url+chat+"?n=100000", `{"model":"c"}`, "x-request-id", "left"))
			if err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: ") {
				t.Errorf("got %q, %v", line, err)
			}
			res.Body.Close()
			eventually(t, "the decode thread notices", func() bool {
				_, got := do(t, "GET", g.url+"/stats", "")
				return got == `{"streams":0,"ever":3,"cancelled":1}`+"\n"
			})
			g.out.wait(t, 1, `"id":"left".*"status":499,"model":"c","upstream":"c-babble/generate"`)
			g.end()
		})
	}
}

func fileIn(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What cannot be loaded is told at the start, and by --check, with its place and exit code 2.
func TestLibraryRefused(t *testing.T) {
	dir := t.TempDir()
	tests := []struct{ name, so, want string }{
		{"nothing there", filepath.Join(dir, "none.so"), "no such file"},
		{"a text", fileIn(t, dir, "text.so", "int main(void) { return 0; }\n"), "not a shared object"},
		{"wrong ABI", refusedSO(t, dir, "WRONG_ABI"), "version 99 of the C ABI"},
		{"no symbol", refusedSO(t, dir, "NO_HANDLERS"), "no function weir_plugin_handlers"},
		{"a symbol of another library", refusedSO(t, dir, "UNDEFINED"), "a symbol is missing"},
		{"not ready", refusedSO(t, dir, "BAD_INIT"), "weir_plugin_init returned 42"},
		{"the same name twice", refusedSO(t, dir, "TWICE"), `"refused/twice"`},
	}
	const models = "models: {m: {native: demo/babble}}\n"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := models + "native:\n  - {so: " + tt.so + "}\n"
			for _, args := range [][]string{{"--config"}, {"--check", "--config"}} {
				code, stdout, stderr := call(append(args, file(t, text))...)
				if code != command.Usage || stdout != "" || !regexp.MustCompile(`weir\.yaml:3: /native/0/so: cabi: load \S+: `).MatchString(stderr) || !strings.Contains(stderr, tt.want) {
					t.Errorf("%v: got %d, %q, %q, want its place and %s", args, code, stdout, stderr, tt.want)
				}
			}
			code, stdout, stderr := call("--so", tt.so, "--config", file(t, models))
			if code != command.Usage || stdout != "" || !strings.HasPrefix(stderr, "weir serve: --so: cabi: load "+tt.so+": ") || !strings.Contains(stderr, tt.want) {
				t.Errorf("--so: got %d, %q, %q, want %s", code, stdout, stderr, tt.want)
			}
		})
	}
	// All that cannot be loaded is told at once, and what is wrong otherwise before anything is loaded.
	code, _, stderr := call("--check", "--config", file(t, models+"native:\n- {so: "+tests[0].so+"}\n- {so: "+tests[1].so+"}\n"))
	if code != command.Usage || strings.Count(stderr, "\n") != 2 || !strings.Contains(stderr, "weir.yaml:3: /native/0/so: ") || !strings.Contains(stderr, "weir.yaml:4: /native/1/so: ") {
		t.Errorf("got %d, %q, want both", code, stderr)
	}
	code, _, stderr = call("--check", "--config", file(t, models+"native: [{so: "+tests[0].so+"}]\ndrain: never\n"))
	if code != command.Usage || strings.Contains(stderr, "/native") || !strings.Contains(stderr, "/drain") {
		t.Errorf("got %d, %q, want the drain alone", code, stderr)
	}
}

// A reload loads what is new and leaves what is there; a bad one changes nothing and can be mended.
func TestReloadLibraries(t *testing.T) {
	g := serve(t, "models: {m: {native: test/echo}}\n")
	dir := filepath.Dir(g.file)
	babble := babbleSO(t, dir)
	bad := refusedSO(t, dir, "BAD_INIT")
	const mounted = "models: {m: {native: test/echo}, c: {native: c-babble/stats}}\n"
	reload := func(config, want string) {
		t.Helper()
		before := len(regexp.MustCompile(want).FindAllString(g.log.String(), -1))
		g.write(t, config)
		g.signal(syscall.SIGHUP)
		g.log.wait(t, before+1, want)
	}
	ask := func(want int) {
		t.Helper()
		if res, got := do(t, "POST", g.url+chat, `{"model":"c"}`); res.StatusCode != want {
			t.Errorf("got %d %s, want %d", res.StatusCode, got, want)
		}
	}
	const notReloaded = `"msg":"configuration not reloaded`
	reload(mounted+"native: [{so: libbabble.so}, {so: bad_init.so}]\n", notReloaded+`.*/native/1/so: .*weir_plugin_init returned 42.*"?`)
	ask(404) // the first library is loaded; the configuration is not in force
	reload(mounted+"native: [{so: libbabble.so}, {so: none.so}]\n", notReloaded+`.*weir.yaml:6: /native/1/so: .*no such file`)
	reload(mounted, notReloaded+`.*/models/c/native: no native handler named .*c-babble/stats`)
	reload(mounted+"native: [{so: ./libbabble.so}]\n", reloaded)
	ask(200)
	reload(mounted+"native: [{so: "+babble+"}]\ndrain: 59s\n", reloaded)
	ask(200)
	// It stays loaded, but a configuration without it would not start again.
	reload(mounted, notReloaded+`.*/models/c/native: `)
	ask(200)
	// A file that was mended is taken; one that is in use is told to need a restart.
	if err := os.Rename(laterSO(t, dir), bad); err != nil {
		t.Fatal(err)
	}
	reload("models: {c: {native: later/one}}\nnative: [{so: bad_init.so}]\n", reloaded)
	ask(200)
	if err := os.Rename(refusedSO(t, dir, "EMPTY"), bad); err != nil {
		t.Fatal(err)
	}
	reload("models: {c: {native: later/one}}\nnative: [{so: bad_init.so}]\n", `"msg":"restart required to apply these changes","fields":\[.*"/native/0/so"`)
	g.log.wait(t, 4, reloaded)
	ask(200)
	g.end()
}

// laterSO is a library that weir loads, with the handlers later/one and later/two.
func laterSO(t *testing.T, dir string) string {
	t.Helper()
	return refusedSO(t, dir, "LARGER")
}

// Built without cgo, weir serves all but libraries, and says so.
func TestWithoutCgo(t *testing.T) {
	program := filepath.Join(t.TempDir(), "weir")
	build := exec.Command("go", "build", "-o", program, "weir/cmd/weir")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	run := func(args ...string) (code int, output string) {
		cmd := exec.Command(program, append([]string{"serve", "--check"}, args...)...)
		out, _ := cmd.CombinedOutput() // the exit code says it
		return cmd.ProcessState.ExitCode(), string(out)
	}
	const models = "models: {m: {native: demo/babble}}\n"
	if code, out := run("--config", file(t, models)); code != 0 || !strings.Contains(out, "no problems") {
		t.Errorf("got %d, %s", code, out)
	}
	code, out := run("--config", file(t, models+"native: [{so: ./x.so}]\n"))
	if want := `weir.yaml:2: /native/0/so: ` + cabi.ErrNoCgo.Error() + "\n"; code != command.Usage || !strings.HasSuffix(out, want) {
		t.Errorf("got %d, %q, want %q", code, out, want)
	}
	code, out = run("--so", "x.so", "--config", file(t, models))
	if want := "weir serve: --so: " + cabi.ErrNoCgo.Error() + "\n"; code != command.Usage || !strings.HasPrefix(out, want) {
		t.Errorf("got %d, %q, want %q", code, out, want)
	}
}
