// Command router serves an application of net/http's, whose router and middleware
// are chi's, on weir's event loops, beside a stream of weir's own.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"weir"
	"weir/nethttp"
)

func main() {
	srv := &weir.Server{Handler: routes()}
	fmt.Println(srv.Serve(context.Background(), "127.0.0.1:8080"))
}

func routes() *weir.Mux {
	mux := new(weir.Mux)
	mux.Handle("/", nethttp.FromHTTP(application())).StreamBody()
	mux.HandleFunc("GET /count", func(w *weir.Response, r *weir.Request) {
		for i := range 3 {
			if err := w.Stream().Send(fmt.Appendf(nil, "%d\n", i)); err != nil {
				return
			}
		}
	})
	return mux
}

// application knows nothing of weir.
func application() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer, middleware.Timeout(time.Minute), recorded)
	r.Get("/hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s\n", chi.URLParam(r, "name"))
	})
	r.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("ouch") })
	r.Get("/events", events)
	r.Get("/echo", echo)
	r.Route("/admin", func(r chi.Router) {
		r.Use(middleware.BasicAuth("admin", map[string]string{"me": "secret"}))
		r.Mount("/debug", middleware.Profiler())
	})
	return r
}

// recorded wraps the response, as a log does.
func recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(middleware.NewWrapResponseWriter(w, r.ProtoMajor), r)
	})
}

func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range 3 {
		fmt.Fprintf(w, "data: %d\n\n", i)
		w.(http.Flusher).Flush()
	}
}

// echo takes the connection over for a protocol of lines.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusUpgradeRequired)
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n")
	for lines := bufio.NewScanner(rw); lines.Scan(); {
		fmt.Fprintln(conn, lines.Text())
	}
}
