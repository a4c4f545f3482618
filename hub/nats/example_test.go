package natsbroker_test

import (
	"context"
	"log"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir"
	"weir/hub"
	natsbroker "weir/hub/nats"
)

// A server whose topics are shared by all processes that use the same NATS server.
func Example() {
	ctx := context.Background()
	conn, err := nats.Connect("nats://127.0.0.1:4222", nats.MaxReconnects(-1), nats.PingInterval(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		log.Fatal(err)
	}
	broker, err := natsbroker.New(ctx, js, natsbroker.Config{})
	if err != nil {
		log.Fatal(err)
	}
	topics, err := hub.New(hub.Config{Broker: broker})
	if err != nil {
		log.Fatal(err)
	}
	defer topics.Close() // and the broker

	mux := new(weir.Mux)
	mux.HandleFunc("GET /events/{topic}", func(w *weir.Response, r *weir.Request) {
		topics.Serve(w, r, r.PathValue("topic"), nil)
	})
	mux.HandleFunc("POST /events/{topic}", func(w *weir.Response, r *weir.Request) {
		if _, err := topics.PublishWait(r.Context(), r.PathValue("topic"), hub.Event{Data: r.Body()}); err != nil {
			w.Error(hub.Status(err), err.Error())
		}
	})
	log.Fatal((&weir.Server{Handler: mux}).Serve(ctx, "127.0.0.1:8080"))
}
