package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weir/client"
)

// proxyTo serves a proxy in front of a handler, and returns its URL.
func proxyTo(t *testing.T, h http.Handler, silence time.Duration) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return proxy(t, srv.URL, silence)
}

func proxy(t *testing.T, url string, silence time.Duration) string {
	t.Helper()
	to, err := client.ParseEndpoint(url)
	if err != nil {
		t.Fatal(err)
	}
	srv := newServer(&client.Origin{Endpoint: to}, silence)
	srv.Loops = 1
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := srv.Shutdown(now); err != nil {
			t.Error(err)
		}
	})
	return "http://" + srv.Addrs()[0].String()
}

func wait(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatal("it does not come")
	}
}

// What the server is sent, and what the client is.
func TestRelay(t *testing.T) {
	url := proxyTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("X-Proxies", fmt.Sprint(r.Header["X-Forwarded-For"]))
		w.Header().Set("Keep-Alive", "for the proxy alone")
		w.WriteHeader(299)
		fmt.Fprintf(w, "%s %s %q %d", r.Method, r.RequestURI, r.Header["X-Hop"], len(body))
	}), time.Minute)
	for _, size := range []int{0, 10, short, 1 << 20} {
		for _, chunked := range []bool{false, true} {
			body := io.Reader(bytes.NewReader(make([]byte, size)))
			if chunked {
				body = io.MultiReader(body)
			}
			r, err := http.NewRequest("PUT", url+"/a%2fb?q=1", body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Connection", "x-hop")
			r.Header.Set("X-Hop", "for the proxy alone")
			r.Header.Set("X-Forwarded-For", "10.0.0.1")
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			want := fmt.Sprintf("PUT /a%%2fb?q=1 [] %d", size)
			if err != nil || res.StatusCode != 299 || string(got) != want || res.Header.Get("X-Proxies") != "[127.0.0.1]" || res.Header.Get("Keep-Alive") != "" {
				t.Errorf("got %d %v %q, %v, want %q", res.StatusCode, res.Header, got, err, want)
			}
		}
	}
}

// A piece arrives when it is sent, and a disconnect when it happens.
func TestStream(t *testing.T) {
	next, left := make(chan string), make(chan struct{})
	url := proxyTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
			select {
			case event := <-next:
				fmt.Fprintf(w, "data: %s\n\n", event)
			case <-r.Context().Done():
				close(left)
				return
			}
		}
	}), time.Minute)
	res, err := http.Get(url) // the head comes before any event
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	for _, event := range []string{"one", "two"} {
		next <- event
		for lines.Scan() && lines.Text() == "" {
		}
		if lines.Text() != "data: "+event {
			t.Errorf("got %q, %v, want %s", lines.Text(), lines.Err(), event)
		}
	}
	res.Body.Close()
	wait(t, left)
}

// A response that broke off does not look complete, and one that does not come
// is an error.
func TestFailures(t *testing.T) {
	down, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down.Close()
	if res, err := http.Get(proxy(t, "http://"+down.Addr().String(), time.Minute)); err != nil || res.StatusCode != 502 {
		t.Errorf("nobody listens: got %v, %v, want 502", res, err)
	}
	quiet := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	if res, err := http.Get(proxyTo(t, http.HandlerFunc(quiet), 50*time.Millisecond)); err != nil || res.StatusCode != 504 {
		t.Errorf("no response: got %v, %v, want 504", res, err)
	}
	half := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", 100<<10))
		panic(http.ErrAbortHandler)
	}
	res, err := http.Get(proxyTo(t, http.HandlerFunc(half), time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, res.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a response: got %d bytes, %v, want ErrUnexpectedEOF", n, err)
	}
}

// Each side waits for the other: a client that does not read stops the server.
func TestBackPressure(t *testing.T) {
	const size = 64 << 20
	stuck, done := make(chan struct{}), make(chan struct{})
	url := proxyTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		piece := make([]byte, 1<<20)
		for n := 0; n < size; n += len(piece) {
			if n == size/2 {
				close(stuck) // the kernel's buffers are nowhere near that
			}
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}), time.Minute)
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-stuck:
		t.Error("the server has sent half of it while nobody read")
	case <-time.After(200 * time.Millisecond): // too short a time can only miss the fault
	}
	if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
		t.Errorf("got %d bytes, %v, want all", n, err)
	}
	wait(t, done)
}
