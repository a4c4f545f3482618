package main

import (
	"context"
	"fmt"
	"time"

	"weir"
)

func main() {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /count", count)
	srv := &weir.Server{Handler: mux}
	fmt.Println(srv.Serve(context.Background(), "127.0.0.1:8080"))
}

func count(w *weir.Response, r *weir.Request) {
	stream := w.Stream()
	for i := range 100 {
		if err := stream.Send(fmt.Appendf(nil, "%d\n", i)); err != nil {
			return // the client has disconnected: err says how
		}
		time.Sleep(100 * time.Millisecond)
	}
}
