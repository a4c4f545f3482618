package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/internal/patience"
	"weir/internal/tlstest"
)

// Clients that others wrote get over TLS, by either version of HTTP, what the
// tour sends in the clear: buffered, and as a stream of events.
func TestTLSClients(t *testing.T) {
	id := tlstest.New(t, "127.0.0.1")
	cert, key := id.Files(t, t.TempDir())
	p := launch(t, "tour", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
	clear := p.ready(`weir tour: ready on (http://127\.0\.0\.1:\d+)`)[1]
	secure := p.ready(`weir tour: ready on (https://127\.0\.0\.1:\d+)`)[1]
	const stream = "/tokens?n=20&interval=1ms&size=20"
	events := get(t, clear+stream)
	if n := strings.Count(events, "data: "); n != 21 {
		t.Fatalf("got %d events in the clear, want 20 and the end", n)
	}
	output := func(t *testing.T, command string, args ...string) string {
		t.Helper()
		if _, err := exec.LookPath(command); err != nil {
			t.Skip(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience.Limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, command, args...)
		cmd.Stderr = new(strings.Builder)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %q: %v, %s", command, args, err, cmd.Stderr)
		}
		return string(out)
	}

	for _, version := range []struct{ name, want, flags string }{
		{"http2", "2", "--http2"},
		{"http1.1, tls 1.3", "1.1", "--http1.1 --tlsv1.3"},
		{"http1.1, tls 1.2", "1.1", "--http1.1 --tls-max 1.2"},
	} {
		t.Run("curl/"+version.name, func(t *testing.T) {
			args := append(strings.Fields(version.flags), "-sSN", "--cacert", cert, "-w", "%{http_version}")
			if got := output(t, "curl", append(args, secure+"/plaintext")...); got != "Hello, World!"+version.want {
				t.Errorf("got %q, want the greeting by HTTP/%s", got, version.want)
			}
			if got := output(t, "curl", append(args, secure+stream)...); got != events+version.want {
				t.Errorf("got %q, want the events %q by HTTP/%s", got, events, version.want)
			}
		})
	}
	t.Run("nghttp", func(t *testing.T) {
		if got := output(t, "nghttp", "--no-verify-peer", secure+stream); got != events {
			t.Errorf("got %q, want the events %q", got, events)
		}
	})
	for name, flags := range map[string]string{"http2": "-m 10", "http1.1": "--h1"} {
		t.Run("h2load/"+name, func(t *testing.T) {
			for path, n := range map[string]int{"/plaintext": 2000, stream: 400} {
				args := append(strings.Fields(flags), "-n", fmt.Sprint(n), "-c", "20", secure+path)
				got := output(t, "h2load", args...)
				want := fmt.Sprintf("requests: %d total, %[1]d started, %[1]d done, %[1]d succeeded, 0 failed, 0 errored, 0 timeout\n", n)
				if !strings.Contains(got, want) || !strings.Contains(got, fmt.Sprintf("status codes: %d 2xx", n)) {
					t.Errorf("%s: got %s, want %s", path, got, want)
				}
			}
		})
	}
	t.Run("node", func(t *testing.T) {
		if got := output(t, "node", "--input-type=module", "-e", nodeClient, secure, stream, cert); got != events {
			t.Errorf("got %q, want the events %q", got, events)
		}
	})

	// What was cancelled, by node, and what was read to its end is over for the
	// server as well, soon.
	none := regexp.MustCompile(`"streams_active":\s*0\b`)
	for late := time.Now().Add(patience.Limit); ; {
		got := get(t, clear+"/stats")
		if none.MatchString(got) {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("got %s, want no active stream", got)
		}
	}
}

// nodeClient prints the events, after it has cancelled the same stream at its
// first byte and has seen the server end it.
const nodeClient = `
import http2 from "node:http2"
import fs from "node:fs"
const [url, path, ca] = process.argv.slice(1)
const session = http2.connect(url, {ca: fs.readFileSync(ca)})
session.on("error", err => { throw err })
const json = path => new Promise((resolve, reject) => {
	let text = ""
	session.request({":path": path}).setEncoding("utf8").on("data", s => text += s).on("end", () => resolve(JSON.parse(text))).on("error", reject)
})
await new Promise(resolve => {
	const endless = session.request({":path": "/tokens?n=1000000&interval=20ms"})
	endless.once("data", () => endless.close(http2.constants.NGHTTP2_CANCEL)).on("close", resolve)
})
while ((await json("/stats")).streams_active > 0);
session.request({":path": path}).on("end", () => session.close()).pipe(process.stdout)
`
