//go:build cgo && unix

package cabi

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir"
)

// serve starts a server with the handler of each path, and tells on the channel when a call of one has returned.
func serve(t *testing.T, paths ...string) (url string, returned <-chan struct{}) {
	t.Helper()
	done := make(chan struct{}, 1)
	mux := new(weir.Mux)
	for _, path := range paths {
		find(t, path)
		native := weir.Native(path)
		mux.HandleFunc("/"+path+"/{id}", func(w *weir.Response, r *weir.Request) {
			defer func() { done <- struct{}{} }()
			native.Serve(w, r)
		})
	}
	srv := &weir.Server{Handler: mux}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return "http://" + srv.Addrs()[0].String() + "/", done
}

func client(t *testing.T) *http.Client {
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// With weir's own calls and sinks, the answers of each kind of handler, and of one that fails early and late.
func TestServer(t *testing.T) {
	url, returned := serve(t, "unary/echo", "unary/fail", "stream/count", "stream/fail", "thread/detached", "thread/detached-abort", "thread/crowd")
	tests := []struct {
		path, body string
		status     int
		want       string
		cut        bool
	}{
		{"unary/echo/7?q=a%20b", "hi", 201, "[POST][/unary/echo/7][q=a%20b][hi][7][a b][there][]", false},
		{"unary/fail/7", "hi", 500, "Internal Server Error\n", false},
		{"stream/count/7", "3", 200, "1\n2\n3\n", false},
		{"stream/fail/7", "", 200, "", true},
		{"thread/detached/7", "3", 200, "tok tok tok ", false},
		{"thread/detached-abort/7", "0", 500, "Internal Server Error\n", false},
		{"thread/crowd/7", "", 200, strings.Repeat("x", 4000), false},
	}
	c := client(t)
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			req, err := http.NewRequest("POST", url+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Test", "there")
			res, err := c.Do(req)
			<-returned
			if tt.cut && err != nil {
				return // cut before the head could be read
			}
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			if res.StatusCode != tt.status || tt.cut != (err != nil) || !tt.cut && string(got) != tt.want {
				t.Errorf("got %d %.100q, %v, want %d %.100q, cut: %v", res.StatusCode, got, err, tt.status, tt.want, tt.cut)
			}
		})
	}
}

// The client leaves, and a C handler that computes learns of it.
func TestServerCancellation(t *testing.T) {
	url, returned := serve(t, "stream/spin")
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, "GET", url+"stream/spin/7", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadFull(res.Body, make([]byte, len("hello\n"))); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	leave()
	<-returned
	t.Logf("the handler returned %v after the client had left", time.Since(start))
	wantNoneAlive(t)
}
