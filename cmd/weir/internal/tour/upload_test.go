package tour

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestUpload(t *testing.T) {
	s := start(t)
	megabyte := strings.Repeat("0123456789abcdef", 1<<16)
	for _, tt := range []struct {
		name, path, body string
		chunked          bool
		fields           []string
		status           int
		want             string // of the body, if the status is not 200
	}{
		{"small", "/upload", "hello", false, nil, 200, ""},
		{"empty", "/upload", "", false, nil, 200, ""},
		{"in chunks", "/upload", "hello", true, nil, 200, ""},
		{"at the limit", "/upload", megabyte, false, nil, 200, ""},
		{"at the limit, in chunks", "/upload", megabyte, true, nil, 200, ""},
		{"over the limit, in chunks", "/upload", megabyte + "x", true, nil, 413, "parameter max"},
		{"over the limit by much", "/upload?max=4", megabyte[:60_000], false, nil, 413, "parameter max"}, // no more than a closing server discards
		{"over a limit of its own", "/upload?max=4", "hello", false, nil, 413, "parameter max"},
		{"over a limit of its own, in chunks", "/upload?max=4", "hello", true, nil, 413, "parameter max"},
		{"unauthorized", "/upload?auth=1", "hello", false, nil, 401, "Authorization"},
		{"authorized", "/upload?auth=1", "hello", false, []string{"Authorization: Bearer x"}, 200, ""},
		{"bad limit", "/upload?max=much", "hello", false, nil, 400, "parameter max"},
		{"bad auth", "/upload?auth=x", "hello", false, nil, 400, "parameter auth"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var body io.Reader = strings.NewReader(tt.body)
			if tt.chunked {
				body = io.MultiReader(body) // hides the length
			}
			r := s.do("PUT", tt.path, body, tt.fields...)
			if r.StatusCode != tt.status || r.err != nil {
				t.Fatalf("got %d %q (%v), want %d", r.StatusCode, r.body, r.err, tt.status)
			}
			if want := fmt.Sprintf(`{"bytes":%d,"sha256":"%x"}`, len(tt.body), sha256.Sum256([]byte(tt.body))); tt.status == 200 && r.body != want {
				t.Errorf("got %s, want %s", r.body, want)
			}
			if !strings.Contains(r.body, tt.want) {
				t.Errorf("got %q, want %q in it", r.body, tt.want)
			}
		})
	}
}

// L13, H18: refusals come before the body, and end the connection.
func TestUploadIsRefusedBeforeItsBody(t *testing.T) {
	s := start(t)
	for _, tt := range []struct {
		path, length, status string
	}{
		{"/upload", "1048577", "413 Content Too Large"},
		{"/upload?max=10", "11", "413 Content Too Large"},
		{"/upload?auth=1", "11", "401 Unauthorized"},
	} {
		for _, expect := range []string{"", "Expect: 100-continue\r\n"} {
			c := s.raw("PUT " + tt.path + " HTTP/1.1\r\nHost: a\r\n" + expect + "Content-Length: " + tt.length + "\r\n\r\n")
			if got := c.head(); !strings.HasPrefix(got, "HTTP/1.1 "+tt.status+"\r\n") || !strings.Contains(got, "\r\nConnection: close\r\n") {
				t.Errorf("%s %q: got %q, want %s and close", tt.path, expect, got, tt.status)
			}
			c.rest()
		}
	}
}

// H18: a body that is welcome is asked for, once.
func TestUploadContinue(t *testing.T) {
	c := start(t).raw("PUT /upload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 5\r\n\r\n")
	if got, want := c.head(), "HTTP/1.1 100 Continue\r\n\r\n"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	c.send("hello")
	if got := c.head(); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
		t.Errorf("got %q, want 200", got)
	}
	if got := c.rest(); !strings.HasPrefix(got, `{"bytes":5,`) {
		t.Errorf("got %q", got)
	}
}
