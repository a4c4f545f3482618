// Command nethttp serves the tour's measured routes with net/http, written as
// its documentation suggests. Timeouts are left off, which favours it.
package main

import (
	"fmt"
	"net/http"
	"os"

	"weir/bench/internal/tour"
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plaintext", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(tour.Hello))
	})
	mux.HandleFunc("GET /tokens", tokens)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(tour.Stats(r.URL.Query().Get("gc") == "1"))
	})
	if len(os.Args) > 2 {
		mux.Handle("GET /files/", http.StripPrefix("/files/", http.FileServer(http.Dir(os.Args[2]))))
	}
	server := &http.Server{Handler: mux}
	fmt.Fprintln(os.Stderr, "nethttp:", server.Serve(tour.Listen("nethttp")))
	os.Exit(1)
}

func tokens(w http.ResponseWriter, r *http.Request) {
	t, err := tour.ParseTokens(r.URL.Query().Get)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	flusher := w.(http.Flusher)
	flusher.Flush()
	t.Stream(r.Context().Done(), func(frame []byte) error {
		if _, err := w.Write(frame); err != nil {
			return err
		}
		flusher.Flush()
		return nil
	})
}
