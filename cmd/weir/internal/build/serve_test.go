package build

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What was built in answers under the configuration's routes and as a model.
func checkServes(t *testing.T, binary string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(config, []byte(`
listen: ["127.0.0.1:0"]
admin: {listen: ""}
log: {access: none}
models: {echo: {native: text/chunks}}
routes: [{path: "POST /v1/count/{what}", native: text/count}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "serve", "--config", config, "--grace", "0s")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n') // without it url is wrong
	url := strings.TrimPrefix(strings.TrimSpace(line), "weir serve: ready on ")
	for _, tt := range []struct{ path, body, kind, want string }{
		{"/v1/count/text", "two words", "application/json", `"words":2`},
		{"/v1/chat/completions", `{"model":"echo"}`, "text/event-stream", "data: [DONE]\n\n"},
	} {
		res, err := http.Post(url+tt.path, "application/json", strings.NewReader(tt.body))
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if kind := res.Header.Get("Content-Type"); err != nil || res.StatusCode != 200 || !strings.HasPrefix(kind, tt.kind) || !strings.Contains(string(got), tt.want) {
			t.Errorf("%s: got %d %s %q, %v; want %s with %s", tt.path, res.StatusCode, kind, got, err, tt.kind, tt.want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("got %v at the end, want none", err)
	}
}
