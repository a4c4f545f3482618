//go:build cgo && unix

package cabi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/internal/memloop"
	"weir/internal/patience"
	"weir/reactor"
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
	t.Cleanup(func() { shutdown(t, srv) })
	return "http://" + srv.Addrs()[0].String() + "/", done
}

func shutdown(t *testing.T, srv *weir.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
	defer cancel()
	if _, err := srv.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func client(t *testing.T) *http.Client {
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience.Limit}
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

// One turn of the loop after the client has left, C is told so of a call that was detached, and of nothing before.
func TestDetachedCallIsCancelledWithinATurn(t *testing.T) {
	find(t, "stream/park")
	native, returned := weir.Native("stream/park"), make(chan struct{})
	mux := new(weir.Mux)
	mux.HandleFunc("/park", func(w *weir.Response, r *weir.Request) {
		defer close(returned)
		native.Serve(w, r)
	})
	kernel := memloop.New()
	srv := &weir.Server{Handler: mux, Loops: 1, System: kernel}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, srv)
	c := kernel.Dial(srv.Reactor(), 0)
	if _, err := io.WriteString(c, "GET /park HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	wantBody(t, c, "6\r\nhello\n\r\n")
	<-returned
	wantAnswer(t, "0 0")
	wantBody(t, c, "5\r\nmore\n\r\n")
	c.Close()
	loop, over := srv.Reactor().Loops()[0], make(chan struct{})
	loop.Post(reactor.TaskFunc(func() { // in a turn that has begun, perhaps
		loop.Post(reactor.TaskFunc(func() { close(over) }))
	}))
	<-over
	wantAnswer(t, fmt.Sprintf("1 %d", eGone))
	if err := find(t, "stream/unpark").Stream(call{}, newSink()); err != nil {
		t.Error(err)
	}
	wantNoneAlive(t)
}

// eGone is WEIR_EGONE.
const eGone = -3

// wantAnswer asks the plugin about the call of stream/park.
func wantAnswer(t *testing.T, want string) {
	t.Helper()
	s := newSink()
	if err := find(t, "stream/ask").Stream(call{}, s); err != nil || s.body.String() != want {
		t.Errorf("got %q, %v, want %q", s.body.String(), err, want)
	}
}

// wantBody reads up to where those bytes end what has come.
func wantBody(t *testing.T, c io.Reader, want string) {
	t.Helper()
	var got []byte
	for p := make([]byte, 1<<10); !strings.HasSuffix(string(got), want); {
		n, err := c.Read(p)
		if got = append(got, p[:n]...); err != nil {
			t.Fatalf("got %q, %v, want it to end in %q", got, err, want)
		}
	}
}
