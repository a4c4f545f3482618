package relay

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"weir/weirtest"
)

func gzipped(t *testing.T, body string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(body))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t *testing.T, body string) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return string(z.EncodeAll([]byte(body), nil))
}

// coded sends a request with content codings.
func (r *rig) coded(codings, body string) *weirtest.Client {
	c := r.dial(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n", codings, len(body)))
	go func() { _, _ = io.WriteString(c, body) }() // a request that is refused is not taken whole
	synctest.Wait()
	return c
}

// G8: a request with gzip or zstd is decoded, at any length and
// wherever its model is; the upstream gets it as if it had come so.
func TestDecode(t *testing.T) {
	for _, size := range []int{10, 50_000, 3 << 20} {
		for _, place := range []string{"first", "last"} {
			// Not so uniform that everything is decoded at once.
			var text strings.Builder
			for i := range size / 10 {
				fmt.Fprintf(&text, "%010d", i*7919)
			}
			body := `{"model":"m","messages":["` + text.String() + `"]}`
			if place == "last" {
				body = `{"messages":["` + text.String() + `"],"model":"m"}`
			}
			for codings, sent := range map[string]string{
				"gzip": gzipped(t, body), "X-GZIP": gzipped(t, body), "zstd": zstandard(t, body), "identity": body,
				"gzip, zstd": zstandard(t, gzipped(t, body)), "gzip, identity,gzip": gzipped(t, gzipped(t, body)),
				"gzip\r\nContent-Encoding: zstd": zstandard(t, gzipped(t, body)),
			} {
				t.Run(fmt.Sprintf("%d/model %s/%q", size, place, codings), func(t *testing.T) {
					atRig(t, 1, func(r *rig) {
						c := r.coded(codings, sent)
						up := r.asked(0)
						if up == nil {
							t.Fatalf("the upstream was not tried; got %q", r.seen(c))
						}
						got := unchunked(t, r.seen(up))
						if head, rest, _ := strings.Cut(got, "\r\n\r\n"); rest != body || has(head, "Content-Encoding") {
							t.Errorf("the upstream got %q and %d bytes, want %d and no coding", head, len(rest), len(body))
						}
						r.write(up, sized("HTTP/1.1 200 OK\r\n", "fine"))
						r.wantParts(r.seen(c), 200, "\r\n\r\nfine")
					})
				})
			}
		}
	}
}

// unchunked is a request whose body is not in chunks any more.
func unchunked(t *testing.T, request string) string {
	t.Helper()
	head, rest, _ := strings.Cut(request, "\r\n\r\n")
	if !strings.Contains(head, "Transfer-Encoding: chunked") {
		return request
	}
	var out strings.Builder
	for {
		var n int
		line, after, _ := strings.Cut(rest, "\r\n")
		if _, err := fmt.Sscanf(line, "%x", &n); err != nil || len(after) < n {
			t.Fatalf("got a chunk %q of %d bytes", line, len(after))
		}
		if n == 0 {
			return head + "\r\n\r\n" + out.String()
		}
		out.WriteString(after[:n])
		rest = strings.TrimPrefix(after[n:], "\r\n")
	}
}

// G8: the limit counts what is decoded; unknown codings are 415, and what is
// not what it says is 400.
func TestDecodeRefuses(t *testing.T) {
	body := `{"model":"m","messages":["` + strings.Repeat("x", 100_000) + `"]}`
	whole := gzipped(t, body)
	for _, tt := range []struct {
		name, codings, body string
		status              int
		parts               []string
	}{
		{"a bomb", "gzip", gzipped(t, `{"messages":["`+strings.Repeat("x", 20<<20)+`"],"model":"m"}`), 413, []string{"larger than 1048576 bytes"}},
		{"two bombs in one", "gzip, zstd", zstandard(t, gzipped(t, strings.Repeat(" ", 64<<20))), 413, []string{"larger than 1048576 bytes"}},
		{"too long as it comes", "gzip", strings.Repeat("x", 2<<20), 413, []string{"larger than 1048576 bytes"}},
		{"not known", "br", body, 415, []string{"content coding br", "Accept-Encoding: gzip, zstd\r\n"}},
		{"not known beside another", "gzip, deflate", body, 415, []string{"content coding deflate"}},
		{"three", "gzip, gzip, gzip", body, 415, []string{"more than two"}},
		{"not coded", "gzip", body, 400, []string{"invalid_content_encoding"}},
		{"not coded, zstd", "zstd", body, 400, []string{"invalid_content_encoding"}},
		{"cut", "gzip", whole[:len(whole)/2], 400, []string{"invalid_content_encoding"}},
		{"cut before its checksum", "gzip", whole[:len(whole)-8], 400, []string{"invalid_content_encoding"}},
		{"nothing", "gzip", "", 400, nil},
		{"something behind it", "gzip", whole + "garbage behind", 400, []string{"invalid_content_encoding"}},
		{"a large window", "zstd", "\x28\xb5\x2f\xfd\x00\xf8" + strings.Repeat("x", 100), 400, []string{"invalid_content_encoding"}},
		{"coded, and not JSON", "gzip", gzipped(t, "hello"), 400, []string{"could not parse the JSON"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atRig(t, 1, func(r *rig) {
				r.gateway.MaxBody = 1 << 20
				c := r.coded(tt.codings, tt.body)
				r.wantParts(r.seen(c), tt.status, tt.parts...)
				if up := r.asked(0); up != nil && !r.closed(up) {
					r.seen(up)
					if !r.closed(up) {
						t.Error("the upstream's connection is open")
					}
				}
				c.Close()
			})
		})
	}
}

// G3, G7, G8: a client that disconnects while its request is decoded leaves
// nothing behind; an upstream that takes nothing holds the decoding up.
func TestDecodeIsHeldUp(t *testing.T) {
	body := `{"model":"m","messages":["` + strings.Repeat("x", 30<<20) + `"]}`
	sent := gzipped(t, body)
	atRig(t, 1, func(r *rig) {
		r.gateway.MaxReplay = 0
		c := r.coded("gzip", sent[:len(sent)/2])
		up := r.asked(0)
		up.SetWindow(0)
		r.seen(up)
		go func() { _, _ = io.WriteString(c, sent[len(sent)/2:]) }()
		time.Sleep(time.Second)
		if kept := r.kept(); kept > 2<<20 {
			t.Errorf("got %d bytes kept, want the decoding held up", kept)
		}
		c.Close()
		synctest.Wait()
	})
}

// A byte order mark before the JSON is skipped, and passes.
func TestByteOrderMark(t *testing.T) {
	const body = "\ufeff" + `{"model":"m"}`
	atRig(t, 1, func(r *rig) {
		c := r.ask(body)
		up := r.asked(0)
		if got := r.seen(up); !strings.HasSuffix(got, "\r\n\r\n"+body) {
			t.Errorf("the upstream got %q, want the body as it came", got)
		}
		r.write(up, sized("HTTP/1.1 200 OK\r\n", "fine"))
		r.wantParts(r.seen(c), 200, "\r\n\r\nfine")
	})
}
