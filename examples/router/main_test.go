package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"weir"
)

// onWeir serves the application on weir's event loops, and returns its URL.
func onWeir(t *testing.T) string {
	t.Helper()
	srv := &weir.Server{Handler: routes(), Loops: 1}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return "http://" + srv.Addrs()[0].String()
}

// The application responds as it does under net/http.
func TestAlike(t *testing.T) {
	std := httptest.NewServer(application())
	defer std.Close()
	defer http.DefaultClient.CloseIdleConnections()
	here := onWeir(t)
	ask := func(at, request string) string {
		t.Helper()
		method, path, _ := strings.Cut(request, " ")
		req, err := http.NewRequest(method, at+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(path, "/admin/debug") {
			req.SetBasicAuth("me", "secret")
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return fmt.Sprintln(res.StatusCode, res.Header.Get("Content-Type"), res.Header.Get("Allow"), string(body), err)
	}
	for _, request := range []string{
		"GET /hello/dam", "HEAD /hello/dam", "GET /nowhere", "POST /hello/dam", "GET /panic", "GET /events",
		"GET /admin/other", "GET /admin/debug/pprof/cmdline",
	} {
		if got, want := ask(here, request), ask(std.URL, request); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", request, got, want)
		}
	}
	if got := ask(here, "GET /count"); !strings.Contains(got, "0\n1\n2\n") {
		t.Errorf("got %q", got)
	}
}

// A connection that is taken over through the middleware's wrapper.
func TestEcho(t *testing.T) {
	req, err := http.NewRequest("GET", onWeir(t)+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "lines")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	conn, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatalf("got %s", res.Status)
	}
	defer conn.Close()
	fmt.Fprintln(conn, "one")
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "one\n" {
		t.Errorf("got %q, %v", line, err)
	}
}
