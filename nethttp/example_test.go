package nethttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"weir"
	"weir/nethttp"
)

// An application of net/http beside a handler of weir's own, on one server.
func ExampleFromHTTP() {
	app := http.NewServeMux()
	app.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s\n", r.PathValue("name"))
	})

	mux := new(weir.Mux)
	mux.Handle("/", nethttp.FromHTTP(app)).StreamBody()
	mux.HandleFunc("GET /native", func(w *weir.Response, _ *weir.Request) { _, _ = w.WriteString("hello from weir\n") })

	srv := &weir.Server{Handler: mux}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Shutdown(context.Background())

	for _, path := range []string{"/hello/dam", "/native"} {
		res, err := http.Get("http://" + srv.Addrs()[0].String() + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Print(string(body))
	}
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// hello, dam
	// hello from weir
}
