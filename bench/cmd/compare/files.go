package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// served are the files of the comparison, by name.
var served = map[string]int{"1k.bin": 1 << 10, "64k.bin": 64 << 10, "1m.bin": 1 << 20}

// files compares weir's static files with nginx's and net/http's.
func files(quick bool) []trial {
	rounds, d := pick(quick, 2, 5), pick(quick, 2*time.Second, 5*time.Second)
	trials := make([]trial, 0, 3)
	for _, f := range []struct{ name, title string }{{"1k.bin", "1 KiB"}, {"64k.bin", "64 KiB"}, {"1m.bin", "1 MiB"}} {
		trials = append(trials, trial{
			title:   "a file of " + f.title,
			about:   fmt.Sprintf("`wrk -t1 -c64 -d%v /files/%s`; nginx with sendfile, and once more with open_file_cache; all in the page cache", d, f.name),
			rounds:  rounds,
			servers: []string{"nginx-files", "nginx-files-cache", "nethttp-files", "weir-files"},
			metrics: []metric{
				{key: "cpu_us", title: "CPU µs/request", prec: 2},
				{key: "rate", title: "requests/s", prec: 0},
				{key: "p99_us", title: "p99 µs", prec: 0},
			},
			load:  wrk("/files/"+f.name, "", d),
			goals: []goal{{"cpu_us", "weir-files", "nginx-files", 1.3}},
		})
	}
	return trials
}

// content is what a file of that size has.
func content(size int) []byte {
	return bytes.Repeat([]byte("0123456789abcde\n"), size/16)
}

// writeFiles writes the files below dir/files, and returns that folder.
func writeFiles(dir string) (string, error) {
	at := filepath.Join(dir, "files")
	if err := os.Mkdir(at, 0o755); err != nil {
		return "", err
	}
	for name, size := range served {
		if err := os.WriteFile(filepath.Join(at, name), content(size), 0o644); err != nil {
			return "", err
		}
	}
	return at, nil
}

// checkFiles checks that the server sends each file whole.
func checkFiles(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for name, size := range served {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/files/"+name, nil)
		if err != nil {
			return err
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			return err
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it was read
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK || !bytes.Equal(got, content(size)) {
			return fmt.Errorf("/files/%s: got %d with %d bytes, want 200 with %d", name, resp.StatusCode, len(got), size)
		}
		for _, field := range []string{"Content-Type", "Date", "Last-Modified", "Content-Length"} {
			if resp.Header.Get(field) == "" {
				return fmt.Errorf("/files/%s lacks %s", name, field)
			}
		}
	}
	return nil
}

func weirFiles(s server, dir string) (server, error) {
	at, err := writeFiles(dir)
	s.args = []string{"tour", "--listen", "127.0.0.1:0", "--files", at}
	return s, err
}

func nethttpFiles(s server, dir string) (server, error) {
	at, err := writeFiles(dir)
	s.args = []string{"127.0.0.1:0", at}
	return s, err
}

// nginxFiles is nginx as Debian's package configures it where that matters here:
// sendfile and tcp_nopush on; with more of its settings.
func nginxFiles(more string) func(s server, dir string) (server, error) {
	return func(s server, dir string) (server, error) {
		if _, err := writeFiles(dir); err != nil {
			return s, err
		}
		return runNginx(s, dir, nginxConf{
			http: `
    sendfile on;
    tcp_nopush on;
    default_type application/octet-stream;
    ` + more,
			server: `
        location /files/ { root ` + dir + `; }`,
		})
	}
}
