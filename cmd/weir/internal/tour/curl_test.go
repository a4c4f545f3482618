package tour

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"testing"

	"weir/logq"
	"weir/middleware"
)

// curl decodes what is coded, names a client by the PROXY protocol, and follows
// what the log says of it. // M7, M8, M9
func TestCurl(t *testing.T) {
	program, err := exec.LookPath("curl")
	if err != nil {
		t.Skip(err)
	}
	srv := New(slog.New(slog.DiscardHandler))
	var log strings.Builder
	out := logq.NewWriter(&log, false)
	srv.Trace = middleware.AccessLog{Out: out, Format: middleware.Combined}.Trace()
	if err := srv.Start("127.0.0.1:0", "127.0.0.2:0?proxy=loopback"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	addrs := srv.Addrs()
	curl := func(args ...string) string {
		t.Helper()
		got, err := exec.Command(program, append([]string{"-sS", "--max-time", "60"}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("curl %q: %v: %s", args, err, got)
		}
		return string(got)
	}
	long := fmt.Sprintf("http://%s/params/1/%s?q=%s", addrs[0], strings.Repeat("slug", 200), strings.Repeat("x", 2000))
	plain := curl(long, "-H", "X-Mine: 1")
	lines := curl(fmt.Sprintf("http://%s/ndjson?n=50", addrs[0]))
	for _, coding := range []string{"gzip", "br", "zstd"} {
		accept := []string{"-H", "Accept-Encoding: " + coding}
		if got := curl(append(accept, "--compressed", "-H", "X-Mine: 1", long)...); strings.Replace(got, `"Accept-Encoding":["`+coding+`"],`, "", 1) != plain {
			t.Errorf("%s: got\n%s\nwant\n%s", coding, got, plain)
		}
		if got := curl(append(accept, "-I", long)...); !strings.Contains(got, "Content-Encoding: "+coding+"\r\n") {
			t.Errorf("%s: got %q", coding, got)
		}
		if got := curl(append(accept, "--compressed", fmt.Sprintf("http://%s/ndjson?n=50&coded=1", addrs[0]))...); got != lines {
			t.Errorf("%s, a stream: got %q", coding, got)
		}
	}
	if got := curl("--haproxy-protocol", "-A", "by \"proxy\"", "http://"+addrs[1].String()+"/plaintext"); got != "Hello, World!" {
		t.Errorf("got %q", got)
	}
	if got, err := exec.Command(program, "-sS", "http://"+addrs[1].String()+"/plaintext").Output(); err == nil {
		t.Errorf("without a header: got %q", got)
	}
	if _, err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	out.Wait(60e9)
	if got := log.String(); !strings.Contains(got, `"GET /plaintext HTTP/1.1" 200 13 "-" "by \"proxy\""`) || strings.Count(got, "\n") != 12 {
		t.Errorf("got the log\n%s", got)
	}
}
