package hub_test

import (
	"context"
	"fmt"
	"log"

	"weir"
	"weir/hub"
)

// A topic for each path, with replay for clients that come back, and who may
// publish is the handler's to decide.
func Example() {
	topics, err := hub.New(hub.Config{})
	if err != nil {
		log.Fatal(err)
	}
	mux := new(weir.Mux)
	mux.HandleFunc("GET /events/{topic}", func(w *weir.Response, r *weir.Request) {
		topics.Serve(w, r, r.PathValue("topic"), nil)
	}).Inline()
	mux.HandleFunc("POST /events/{topic}", func(w *weir.Response, r *weir.Request) {
		delivered, err := topics.Publish(r.PathValue("topic"), hub.Event{Data: r.Body()})
		if err != nil {
			w.Error(hub.Status(err), err.Error())
			return
		}
		fmt.Fprintf(w, "%d\n", delivered)
	})
	// (&weir.Server{Handler: mux}).Serve(ctx, ":8080")
}

// A subscriber that is not a response: here the program itself.
func ExampleHub_Subscribe() {
	topics, err := hub.New(hub.Config{})
	if err != nil {
		log.Fatal(err)
	}
	news, err := topics.Subscribe("news", "", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer news.Close()
	for _, text := range []string{"one", "two"} {
		if _, err := topics.Publish("news", hub.Event{Data: []byte(text)}); err != nil {
			log.Fatal(err)
		}
	}
	for range 2 {
		e, err := news.Next(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(e.Data))
	}
	// Output:
	// one
	// two
}
