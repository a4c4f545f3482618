// Command websocket echoes WebSocket messages at /ws with weir, gws or
// coder/websocket, and serves /plaintext and /stats as the other competitors do.
// Each is used as its documentation suggests, without compression.
//
//	websocket weir|gws|coder ADDRESS
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"

	"weir/bench/internal/tour"
)

// ways are the libraries: each serves at the address until it fails.
var ways = map[string]func(addr string) error{
	"weir":  withWeir,
	"gws":   func(addr string) error { return withNetHTTP(addr, withGWS()) },
	"coder": func(addr string) error { return withNetHTTP(addr, withCoder) },
}

func main() {
	if len(os.Args) != 3 || ways[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: websocket weir|gws|coder ADDRESS")
		os.Exit(2)
	}
	if err := ways[os.Args[1]](os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "websocket:", err)
		os.Exit(1)
	}
}

func ready(addr net.Addr) { fmt.Printf("websocket: ready on http://%s\n", addr) }

// withNetHTTP serves echo with net/http, on which gws and coder/websocket stand.
func withNetHTTP(addr string, echo http.HandlerFunc) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plaintext", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(tour.Hello)) // a client that has disconnected needs none
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(tour.Stats(r.URL.Query().Get("gc") == "1"))
	})
	mux.HandleFunc("GET /ws", echo)
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	ready(ln.Addr())
	return (&http.Server{Handler: mux}).Serve(ln)
}
