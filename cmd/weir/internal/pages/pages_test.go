package pages_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"

	"weir"
	"weir/cmd/weir/internal/admin"
	"weir/cmd/weir/internal/demo"
	"weir/cmd/weir/internal/tour"
	"weir/internal/patience"
)

// server is a command's server that runs for a test.
type server struct {
	*weir.Server
	name string
}

// servers starts the servers that have a page.
func servers(t *testing.T) []server {
	t.Helper()
	all := []server{{tour.New(slog.New(slog.DiscardHandler)), "tour"}, {demo.New(new(admin.Probes)), "demo"}}
	for _, s := range all {
		if err := s.Start("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := s.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	return all
}

// get makes a request that must get that status. Fields are "Name: value".
func (s server) get(t *testing.T, path string, status int, fields ...string) (http.Header, string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	c := &http.Client{Transport: transport, Timeout: patience.Limit}
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.Addrs()[0].String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Set(name, value)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		t.Errorf("%s: GET %s: got %d, %v, want %d", s.name, path, res.StatusCode, err, status)
	}
	return res.Header, string(body)
}

const browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// Whatever a page names is there, and comes from its own server; it has no
// script and no style within, which its policy forbids.
func TestPagesAreWhole(t *testing.T) {
	named := regexp.MustCompile(`(?:src|href)="([^"]*)"|from "([^"]*)"|\burl\(([\w.]+)\)`)
	within := regexp.MustCompile(`<style|<script>|\son[a-z]+=|\sstyle=|innerHTML|\beval\b|https?://`)
	for _, s := range servers(t) {
		seen := map[string]bool{}
		var visit func(at string, fields ...string)
		visit = func(at string, fields ...string) {
			if seen[at] {
				return
			}
			seen[at] = true
			h, body := s.get(t, at, 200, fields...)
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache", "Referrer-Policy": "no-referrer",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("%s %s: got %s %q, want %q", s.name, at, name, got, want)
				}
			}
			if got := h.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; script-src 'self';") || strings.Contains(got, "unsafe") {
				t.Errorf("%s %s: got the policy %q", s.name, at, got)
			}
			if bad := within.FindString(strings.ReplaceAll(body, `xmlns="http://www.w3.org/2000/svg"`, "")); bad != "" {
				t.Errorf("%s %s: got %q in it", s.name, at, bad)
			}
			for _, m := range named.FindAllStringSubmatch(body, -1) {
				visit(path.Join(path.Dir(at), m[1]+m[2]+m[3]))
			}
		}
		visit("/", browser)
		if len(seen) < 9 {
			t.Errorf("%s: got %d files, want the page and all that belongs to it", s.name, len(seen))
		}
		s.get(t, "/page/none.js", 404)
		s.get(t, "/page/index.html", 404)
	}
}

// A browser gets the page, and does not get again what it has; other clients
// get text.
func TestPageOrText(t *testing.T) {
	for _, s := range servers(t) {
		page, _ := s.get(t, "/", 200, browser)
		text, _ := s.get(t, "/", 200, "Accept: */*")
		for _, tt := range []struct{ got, want string }{
			{page.Get("Content-Type"), "text/html; charset=utf-8"}, {page.Get("Vary"), "Accept"},
			{text.Get("Content-Type"), "text/plain; charset=utf-8"}, {text.Get("Vary"), "Accept"},
		} {
			if tt.got != tt.want {
				t.Errorf("%s: got %q, want %q", s.name, tt.got, tt.want)
			}
		}
		for field, status := range map[string]int{page.Get("Etag"): 304, `W/"x", ` + page.Get("Etag"): 304, `"x"`: 200} {
			h, body := s.get(t, "/", status, browser, "If-None-Match: "+field)
			if h.Get("Etag") != page.Get("Etag") || (body == "") != (status == 304) {
				t.Errorf("%s: If-None-Match: %s: got %d bytes with %s", s.name, field, len(body), h.Get("Etag"))
			}
		}
	}
}
