package tour

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// httpHandler knows nothing of weir: it is mounted with nethttp.FromHTTP.
func httpHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/stream", flushLines)
	mux.HandleFunc("/headers", echoHeader)
	return mux
}

// flushLines flushes each line: it is sent as a chunk of its own.
func flushLines(w http.ResponseWriter, r *http.Request) {
	q := &query{get: r.FormValue}
	n := q.number("n", 5, 0, maxCount)
	if q.err != nil {
		http.Error(w, q.err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	flusher := http.NewResponseController(w)
	for i := range n {
		if _, err := fmt.Fprintf(w, "line %d\n", i+1); err != nil {
			return
		}
		if err := flusher.Flush(); err != nil {
			return // the client has disconnected
		}
	}
}

// echoHeader responds with the request's header as net/http handlers see it,
// names in their canonical form.
func echoHeader(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(r.Header) // to a client that may have disconnected
}
