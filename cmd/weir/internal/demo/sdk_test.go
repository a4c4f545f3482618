package demo

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir"
	"weir/cmd/weir/internal/babble"
)

// said is a line of what the scripts in scripts/clients tell.
type said struct {
	Type, Text, Class, Code string
	FinishReason            string `json:"finish_reason"`
	Status, Deltas          int
	IDs                     []string
	Usage                   *usage
}

// sdk runs one of the scripts against a base URL.
type sdk func(t *testing.T, base string, args ...string) []said

// eachSDK runs f with each of the official openai packages that is installed.
func eachSDK(t *testing.T, f func(t *testing.T, run sdk)) {
	root := filepath.Join("..", "..", "..", "..")
	dir := filepath.Join(root, "scripts", "clients")
	t.Run("npm", func(t *testing.T) {
		node, err := exec.LookPath("node")
		if err != nil {
			t.Skip("node is not installed")
		}
		if _, err := os.Stat(filepath.Join(dir, "node_modules", "openai")); err != nil {
			t.Skip("the npm package openai is not installed: run scripts/install.sh")
		}
		f(t, script(node, filepath.Join(dir, "openai_stream.mjs")))
	})
	t.Run("PyPI", func(t *testing.T) {
		for _, python := range []string{filepath.Join(root, ".venv", "bin", "python"), "python3"} {
			if exec.Command(python, "-c", "import openai").Run() == nil {
				f(t, script(python, filepath.Join(dir, "openai_stream.py")))
				return
			}
		}
		t.Skip("the PyPI package openai is not installed: run scripts/install.sh")
	})
}

func script(program, path string) sdk {
	return func(t *testing.T, base string, args ...string) []said {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, append([]string{path}, args...)...)
		cmd.Env = append(os.Environ(), "OPENAI_BASE_URL="+base+"/v1", "OPENAI_API_KEY=none")
		out, err := cmd.Output()
		var lines []said
		for text := range strings.Lines(string(out)) {
			var s said
			if err := json.Unmarshal([]byte(text), &s); err != nil {
				t.Fatalf("got %q: %v", text, err)
			}
			lines = append(lines, s)
		}
		if len(lines) == 0 {
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				t.Fatalf("%v: %s", err, exit.Stderr)
			}
			t.Fatalf("got no line (%v)", err)
		}
		return lines
	}
}

// last returns the last line when it is of that type.
func last(t *testing.T, lines []said, kind string) said {
	t.Helper()
	s := lines[len(lines)-1]
	if s.Type != kind {
		t.Fatalf("got the last line %+v, want %s", s, kind)
	}
	return s
}

func TestSDK(t *testing.T) {
	seed := int64(11)
	text, tokens, reason := spoken(babble.Options{Seed: &seed, MaxTokens: 200})
	ask := []string{"--message", "What is backpressure?", "--seed", "11", "--max-tokens", "200"}
	eachSDK(t, func(t *testing.T, run sdk) {
		_, base := serve(t, Pace{Rate: 5000}, nil)

		lines := run(t, base, append(ask, "--usage")...)
		done := last(t, lines, "done")
		var deltas strings.Builder
		for _, l := range lines[:len(lines)-1] {
			deltas.WriteString(l.Text)
		}
		if done.Text != text || deltas.String() != text || done.FinishReason != reason {
			t.Errorf("stream: got %q (%s) in pieces %q, want %q (%s)", done.Text, done.FinishReason, deltas.String(), text, reason)
		}
		if len(lines)-1 != tokens || done.Usage == nil || done.Usage.Completion != tokens {
			t.Errorf("stream: got %d deltas and usage %v, want %d tokens", len(lines)-1, done.Usage, tokens)
		}
		whole := last(t, run(t, base, append(ask, "--mode", "once")...), "done")
		if whole.Text != text || whole.FinishReason != reason || whole.Usage == nil || *whole.Usage != *done.Usage {
			t.Errorf("once: got %q (%s) %v, want %q (%s) %v", whole.Text, whole.FinishReason, whole.Usage, text, reason, done.Usage)
		}
		models := last(t, run(t, base, "--mode", "models"), "models")
		if !slices.Equal(models.IDs, []string{ModelName}) {
			t.Errorf("models: got %q, want %s alone", models.IDs, ModelName)
		}
		wrong := last(t, run(t, base, "--model", "gpt-9"), "error")
		if wrong.Class != "NotFoundError" || wrong.Status != 404 || wrong.Code != "model_not_found" {
			t.Errorf("unknown model: got %+v, want a NotFoundError", wrong)
		}
	})
}

// The SDK's own way to leave a stream ends it here, too.
func TestSDKAborts(t *testing.T) {
	eachSDK(t, func(t *testing.T, run sdk) {
		over := make(chan error, 1)
		srv, base := serve(t, Pace{Rate: 20}, func(s *weir.Server) {
			s.Trace = &weir.Trace{End: func(_ *weir.Request, _ any, _ weir.ResponseStats, cause error) { over <- cause }}
		})
		lines := run(t, base, "--mode", "abort", "--after", "2", "--max-tokens", "100000")
		if s := last(t, lines, "aborted"); s.Deltas < 2 {
			t.Errorf("got %d deltas, want 2", s.Deltas)
		}
		if cause := <-over; !errors.Is(cause, weir.ErrClientGone) {
			t.Errorf("got the cause %v, want %v", cause, weir.ErrClientGone)
		}
		if st := srv.Stats(); st.StreamsActive != 0 || st.StreamsCancelled != 1 {
			t.Errorf("got %d active and %d cancelled streams, want 0 and 1", st.StreamsActive, st.StreamsCancelled)
		}
	})
}
