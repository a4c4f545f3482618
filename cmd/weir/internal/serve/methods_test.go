package serve

import (
	"io"
	"testing"

	"weir/cmd/weir/internal/mock"
)

// Another method than a path has is 405 with Allow, OPTIONS 204 with it, also
// with a body and for HEAD, and no upstream is asked. HEAD where GET is has the same head and no body.
func TestMethods(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, toMock(up))
	for _, tt := range []struct {
		path, allow string
	}{
		{"/v1/chat/completions", "POST"}, {"/v1/completions", "POST"}, {"/v1/embeddings", "POST"},
		{"/v1/models", "GET, HEAD"}, {"/v1/models/m", "GET, HEAD"}, {"/v1/models/nobody", "GET, HEAD"},
	} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "POST"} {
			if method == "POST" && tt.allow == "POST" || (method == "GET" || method == "HEAD") && tt.allow == "GET, HEAD" {
				continue
			}
			body := askWhole
			if method == "HEAD" {
				body = ""
			}
			res, got := do(t, method, g.url+tt.path, body)
			status := 405
			if method == "OPTIONS" {
				status = 204
			}
			if res.StatusCode != status || res.Header.Get("Allow") != tt.allow || res.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s %s: got %d, allow %q, %v, want %d and %q", method, tt.path, res.StatusCode, res.Header.Get("Allow"), res.Header, status, tt.allow)
			}
			if empty := method == "HEAD" || status == 204; empty && got != "" || !empty && errorOf(t, got).Code != "method_not_supported" {
				t.Errorf("%s %s: got %q, want the error in OpenAI's shape", method, tt.path, got)
			}
		}
	}
	for path, status := range map[string]int{"/v1/models": 200, "/v1/models/m": 200, "/v1/models/nobody": 404} {
		get, want := do(t, "GET", g.url+path, "")
		res, err := client.Do(asked(t, "HEAD", g.url+path, ""))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || len(body) > 0 || res.StatusCode != status || get.StatusCode != status {
			t.Errorf("%s: got %d for GET, %d for HEAD with %q, %v, want %d", path, get.StatusCode, res.StatusCode, body, err, status)
		}
		for _, name := range []string{"Content-Type", "Content-Length"} {
			if res.Header.Get(name) != get.Header.Get(name) || res.Header.Get(name) == "" {
				t.Errorf("%s: got %s %q for HEAD, want %q", path, name, res.Header.Get(name), get.Header.Get(name))
			}
		}
		if res.ContentLength != int64(len(want)) {
			t.Errorf("%s: got length %d for HEAD, want %d", path, res.ContentLength, len(want))
		}
	}
	if n := up.Counts().Requests; n != 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
	g.end()
}
