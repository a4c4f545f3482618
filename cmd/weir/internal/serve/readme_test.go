package serve

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/internal/patience"
)

// The README's gateway can be pasted: it gives tokens at once, and those of the
// spare when the first upstream is gone.
func TestReadmeGateway(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	text, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## A gateway in ten lines\n")
	_, script, _ := strings.Cut(section, "\n```sh\n")
	script, _, ok := strings.Cut(script, "\n```\n")
	first, rest, _ := strings.Cut(script, "\n")
	if !ok || first != `make build && export PATH="$PWD/bin:$PATH" && cd "$(mktemp -d)"` || !strings.Contains(section, "`kill %1; ask`") {
		t.Fatalf("got %s, want the README's gateway", script)
	}
	for _, port := range []string{"8080", "8001", "8002"} {
		if !strings.Contains(rest, ":"+port) {
			t.Fatalf("got %s, want port %s in it", rest, port)
		}
		rest = strings.ReplaceAll(rest, ":"+port, ":"+freePort(t))
	}
	rest = strings.ReplaceAll(rest, "weir serve", `weir serve --overlay <(echo 'admin: {listen: ""}')`) // its port may be in use here
	rest += "\necho SECOND; kill %1; wait %1; ask\n"
	cmd := exec.Command(bash, "-c", rest)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(builtWeir(t))+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience.Limit, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	state, err := cmd.Process.Wait()
	late.Stop()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left in the background
	_ = cmd.Wait()                                      // for its output
	if err != nil || state.ExitCode() != 0 {
		t.Fatalf("got %v, %v and %s", state, err, out.String())
	}
	before, after, _ := strings.Cut(out.String(), "SECOND\n")
	for _, part := range []string{before, after} {
		if strings.Count(part, "data: {") < 3 || !strings.Contains(part, "data: [DONE]") {
			t.Errorf("got %s, want tokens and the end of the stream, twice", out.String())
			break
		}
	}
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return portOf(l.Addr().String())
}
