package tour

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weir"
)

func TestFiles(t *testing.T) {
	s := start(t)
	for _, test := range []struct {
		path, media, text string
	}{
		{"/files/", "text/html; charset=utf-8", "<h1>Files</h1>"},
		{"/files/hello.txt", "text/plain; charset=utf-8", "Hello from a file!\n"},
		{"/files/docs/", "text/html; charset=utf-8", "<h1>A folder</h1>"},
		{"/files/style.css", "text/css; charset=utf-8", "color-scheme"},
	} {
		r := s.get(test.path)
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != test.media || !strings.Contains(r.body, test.text) || r.Header.Get("ETag") == "" {
			t.Errorf("%s: got %d %v %.80q", test.path, r.StatusCode, r.Header, r.body)
		}
	}
	if r := s.get("/files/nowhere"); r.StatusCode != 404 {
		t.Errorf("got %d, want 404", r.StatusCode)
	}
	// The compressed file is the other one.
	packed, err := fs.ReadFile(embedded, "files/numbers.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil || string(text) != s.get("/files/numbers.txt").body {
		t.Errorf("numbers.txt.gz: got %d bytes, %v, want those of numbers.txt", len(text), err)
	}
}

func TestFilesOf(t *testing.T) {
	if code := Main([]string{"--files", filepath.Join(t.TempDir(), "nowhere")}, io.Discard, io.Discard); code != 2 {
		t.Errorf("got exit status %d for a folder that is not there, want 2", code)
	}
}

// TestCurlFiles has curl fetch ranges, resume a download, and take what is
// compressed.
func TestCurlFiles(t *testing.T) {
	dir := t.TempDir()
	whole := bytes.Repeat([]byte("0123456789abcdef"), 40_000)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(whole); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"x.txt": whole, "y.txt": []byte("plain"), "y.txt.gz": packed.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filesOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	s := start(t, func(srv *weir.Server) { srv.Handler = routes(srv, files) })
	curl := func(want []byte, args ...string) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "out")
		cmd := exec.Command("curl", append([]string{"-sS", "--fail", "-o", out}, args...)...)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("curl %q: %v: %s", args, err, said)
			return
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("curl %q: got %d bytes, %v, want %d", args, len(got), err, len(want))
		}
	}
	curl(whole, s.url+"/files/x.txt")
	curl(whole[:1], "-r", "0-0", s.url+"/files/x.txt")
	curl(whole[100:300_000], "-r", "100-299999", s.url+"/files/x.txt")
	curl(whole[len(whole)-5:], "-r", "-5", s.url+"/files/x.txt")
	curl(whole, "--compressed", s.url+"/files/y.txt")
	curl([]byte("plain"), s.url+"/files/y.txt")
	// Resume: what is there already is not sent again.
	part := filepath.Join(t.TempDir(), "part")
	if err := os.WriteFile(part, whole[:500_000], 0o644); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command("curl", "-sS", "--fail", "-C", "-", "-o", part, "-w", "%{http_code} %{size_download}", s.url+"/files/x.txt").CombinedOutput()
	if got, rerr := os.ReadFile(part); err != nil || rerr != nil || !bytes.Equal(got, whole) || string(said) != "206 140000" {
		t.Errorf("curl -C -: got %d bytes, %s, %v, %v", len(got), said, err, rerr)
	}
	// A second fetch with the first one's ETag.
	etag := filepath.Join(t.TempDir(), "etag")
	for _, want := range []string{"200", "304"} {
		said, err := exec.Command("curl", "-sS", "-o", os.DevNull, "--etag-save", etag, "--etag-compare", etag, "-w", "%{http_code}", s.url+"/files/x.txt").CombinedOutput()
		if err != nil || string(said) != want {
			t.Errorf("curl --etag-compare: got %s, %v, want %s", said, err, want)
		}
	}
}
