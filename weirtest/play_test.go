package weirtest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/weirtest"
)

// counting is a server that counts in seconds, or in minutes.
func counting(p *weirtest.Player) *weir.Server {
	pause := time.Second
	p.Command("slow", func([]string) { pause = time.Minute })
	mux := new(weir.Mux)
	mux.HandleFunc("GET /count", func(w *weir.Response, r *weir.Request) {
		r.OnClose(func(cause error) { p.Note(fmt.Sprintf("stopped: %v", cause)) })
		stream := w.Stream()
		for i := 0; stream.Send(fmt.Appendf(nil, "%d\n", i)) == nil; i++ {
			time.Sleep(pause)
		}
	})
	return &weir.Server{Handler: mux}
}

func TestPlay(t *testing.T)    { weirtest.Play(t, "testdata/*.txt", counting) }
func TestPlayCut(t *testing.T) { weirtest.PlayCut(t, "testdata/*.txt", counting) }

// The documentation of Play shows the first scenario, to the letter.
func TestScenarioIsShown(t *testing.T) {
	file, err := os.ReadFile("testdata/count.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(file), "=== ")
	first, _, _ := strings.Cut("=== "+rest, "\n\n")
	source, err := os.ReadFile("play.go")
	if err != nil {
		t.Fatal(err)
	}
	if want := "//\t" + strings.ReplaceAll(first, "\n", "\n//\t") + "\n"; !strings.Contains(string(source), want) {
		t.Errorf("play.go shows another scenario; want\n%s", want)
	}
}

const playFiles = "WEIRTEST_PLAY"

// TestPlayFiles is a user's test, in a process of its own.
func TestPlayFiles(t *testing.T) {
	pattern := os.Getenv(playFiles)
	if pattern == "" {
		t.Skip("it may fail; see TestPlayFails")
	}
	t.Run("uncut", func(t *testing.T) { weirtest.Play(t, pattern, counting) })
	t.Run("cut", func(t *testing.T) { weirtest.PlayCut(t, pattern, counting) })
}

// What fails, and what the user is told.
func TestPlayFails(t *testing.T) {
	const head = "=== one\n> GET /count HTTP/1.1\n> Host: a\n>\n"
	for _, test := range []struct{ name, text, want string }{
		{"something else is wanted", head + "< HTTP/1.1 404 Not Found\nclose\n! stopped: weir: client disconnected\n", "a.txt:2: after\n"},
		{"an unknown command", "=== one\nunheard of\n", `"unheard" is not a command`},
		{"a command without its argument", "=== one\ntick\n", `got "tick", want one argument`},
		{"a bad window", "=== one\nwindow -1\n", `window "-1" is not a number of bytes`},
		{"a bad time", "=== one\ntick soon\n", `invalid duration "soon"`},
		{"a file that is not one", "GET /\n", `a.txt:1: no scenario has begun`},
		{"no file", "", "want scenarios"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := playIn(t, t.TempDir(), test.text, "")
			if err == nil || !strings.Contains(out, test.want) {
				t.Errorf("got %v and\n%s\nwant %q", err, out, test.want)
			}
		})
	}
}

// An update writes what happens, keeps remarks, input and what was not played,
// and is played then.
func TestPlayUpdates(t *testing.T) {
	dir := t.TempDir()
	file, err := os.ReadFile("testdata/count.txt")
	if err != nil {
		t.Fatal(err)
	}
	var bare strings.Builder
	for line := range strings.Lines(string(file)) {
		if !strings.ContainsAny(line[:1], "<![") {
			bare.WriteString(line)
		}
	}
	first, _, _ := strings.Cut(string(file), "=== another")
	_, second, _ := strings.Cut(bare.String(), "=== another")
	for _, test := range []struct{ scenarios, want string }{
		{"/uncut/a/the_client", first + "=== another" + second},
		{"", string(file)},
	} {
		if out, err := playIn(t, dir, bare.String(), test.scenarios, "WEIRTEST_UPDATE=1"); err != nil {
			t.Errorf("got %v:\n%s", err, out)
		}
		got, err := os.ReadFile(filepath.Join(dir, "a.txt"))
		if err != nil || string(got) != test.want {
			t.Errorf("got %v and\n%s\nwant\n%s", err, got, test.want)
		}
	}
}

// playIn runs TestPlayFiles on a file, or those of its subtests.
func playIn(t *testing.T, dir, text, subtests string, env ...string) (string, error) {
	t.Helper()
	if text != "" {
		if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPlayFiles$"+subtests)
	cmd.Env = append(append(os.Environ(), playFiles+"="+filepath.Join(dir, "*.txt")), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
