package load

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestUnary(t *testing.T) {
	const conns = 50
	tests := []struct {
		name       string
		path       string
		closeAfter bool
		done       int
		failed     int
	}{
		{"connections stay", "/", false, conns, 0},
		{"connections go", "/", true, conns, 0},
		{"another status", "/missing", false, 0, conns},
		{"the server closes first", "/abort", false, 0, conns},
	}
	var served atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) { served.Add(1) })
	mux.HandleFunc("GET /abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	server := httptest.NewServer(mux)
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := &Unary{Request: Get(addr, tt.path), AtOnce: 4, CloseAfter: tt.closeAfter}
			client, err := New(addr, u)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if err := u.Run(client, conns, time.Now().Add(10*time.Second)); err != nil {
				t.Fatal(err)
			}
			if u.Done != tt.done || u.Failed != tt.failed || (u.First != nil) != (tt.failed > 0) {
				t.Errorf("got %d done, %d failed, %v; want %d, %d", u.Done, u.Failed, u.First, tt.done, tt.failed)
			}
			open := 0
			if !tt.closeAfter {
				open = tt.done
			}
			if len(client.conns) != open {
				t.Errorf("got %d connections open, want %d", len(client.conns), open)
			}
		})
	}
	if got := served.Load(); got != 2*conns {
		t.Errorf("got %d requests served, want %d", got, 2*conns)
	}
}
