package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"weir/client"
	"weir/http1"
	"weir/reactor"
)

// printer is a Receiver that prints a response.
type printer struct{ over chan struct{} }

func (p printer) Head(h *http1.Response) { fmt.Println(h.Status(), string(h.Get("Content-Type"))) }
func (p printer) Body(piece []byte)      { fmt.Printf("%s\n", piece) }
func (p printer) Drained()               {}
func (p printer) Done(err error) {
	fmt.Println("done:", err)
	close(p.over)
}

// A request to a server by its URL, from a loop of its own. A handler of weir
// has its loop from Response.Loop instead.
func ExampleOrigin() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "%s %s for %s", r.Method, r.URL, r.Header.Get("Accept"))
	}))
	defer srv.Close()

	endpoint, err := client.ParseEndpoint(srv.URL + "/api") // or unix:/run/server.sock, or https://host
	if err != nil {
		fmt.Println(err)
		return
	}
	origin := &client.Origin{Endpoint: endpoint}
	defer origin.Close()

	loops, err := reactor.New(reactor.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer loops.Close()

	recv, loop := printer{make(chan struct{})}, loops.Loops()[0]
	loop.Post(reactor.TaskFunc(func() {
		req := &client.Request{
			Method: "GET", Path: []byte("/items"), Query: []byte("limit=1"),
			Fields: []client.Field{client.NewField("Accept", "text/plain")},
		}
		if _, err := origin.Do(loop, req, recv); err != nil {
			recv.Done(err)
		}
	}))
	<-recv.over
	// Output:
	// 200 text/plain
	// GET /api/items?limit=1 for text/plain
	// done: <nil>
}

// The level below: one address, and a head that the caller has rendered.
func ExamplePool() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, "hello")
	}))
	defer srv.Close()
	loops, err := reactor.New(reactor.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer loops.Close()

	recv, loop := printer{make(chan struct{})}, loops.Loops()[0]
	loop.Post(reactor.TaskFunc(func() {
		pool := client.NewPool(loop, client.Config{Addr: srv.Listener.Addr().String()})
		req := client.RawRequest{Method: "GET", Head: []byte("GET / HTTP/1.1\r\nHost: server\r\n\r\n")}
		if _, err := pool.Do(req, recv); err != nil {
			recv.Done(err)
		}
	}))
	<-recv.over
	// Output:
	// 200 text/plain
	// hello
	// done: <nil>
}
