// Command chat is chat rooms in a browser, which show a newcomer the last messages,
// and miss none when a connection is lost.
//
//	chat [-listen ADDRESS] [-nats URL]
//
// With -nats the rooms are shared by all processes that use that server.
package main

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"mime"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir"
	"weir/hub"
	natsbroker "weir/hub/nats"
)

const (
	maxText = 2000 // bytes of a message
	maxName = 60   // bytes of a name
)

//go:embed page.html
var page []byte

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "`address` to listen on")
	server := flag.String("nats", "", "`URL` of the NATS server whose processes share the rooms")
	flag.Parse()
	if err := run(*listen, *server); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// run serves until SIGINT or SIGTERM, and then drains.
func run(listen, natsURL string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var config hub.Config
	if natsURL != "" {
		broker, err := shared(ctx, natsURL)
		if err != nil {
			return err
		}
		config.Broker = broker
	}
	rooms, err := hub.New(config)
	if err != nil {
		return err
	}
	defer rooms.Close()
	srv := &weir.Server{Handler: routes(rooms)}
	if err := srv.Start(listen); err != nil {
		return err
	}
	fmt.Printf("chat: http://%s\n", srv.Addrs()[0])
	<-ctx.Done()
	_, err = srv.Shutdown(context.Background())
	return err
}

// shared returns a broker that keeps the messages in NATS.
func shared(ctx context.Context, url string) (hub.Broker, error) {
	conn, err := nats.Connect(url, nats.MaxReconnects(-1), nats.PingInterval(10*time.Second))
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	return natsbroker.New(ctx, js, natsbroker.Config{})
}

func routes(rooms *hub.Hub) *weir.Mux {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /{$}", func(w *weir.Response, r *weir.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
		w.Write(page)
	})
	mux.HandleFunc("GET /rooms/{room}", func(w *weir.Response, r *weir.Request) {
		last := cmp.Or(r.LastEventID(), r.Query().Get("after")) // of a page that has connected anew
		rooms.Serve(w, r, r.PathValue("room"), &hub.Options{All: true, From: last})
	})
	mux.HandleFunc("POST /rooms/{room}", func(w *weir.Response, r *weir.Request) {
		m, err := read(r)
		if err != nil {
			w.Error(400, err.Error())
			return
		}
		if _, err := rooms.PublishWait(r.Context(), r.PathValue("room"), hub.Event{Data: m}); err != nil {
			w.Error(hub.Status(err), err.Error())
			return
		}
		w.SetStatus(204)
	}).MaxBody(2 * maxText)
	return mux
}

type message struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// read returns the message of a request as it is sent to the room. A page of another
// origin cannot send one: it has to ask for JSON first.
func read(r *weir.Request) ([]byte, error) {
	if t, _, err := mime.ParseMediaType(r.Header().Get("Content-Type")); err != nil || t != "application/json" {
		return nil, errors.New("want Content-Type: application/json")
	}
	var m message
	if err := json.Unmarshal(r.Body(), &m); err != nil {
		return nil, fmt.Errorf(`want {"from":…,"text":…}: %w`, err)
	}
	m.From, m.Text = strings.TrimSpace(m.From), strings.TrimSpace(m.Text)
	switch {
	case m.From == "" || len(m.From) > maxName:
		return nil, fmt.Errorf("from: want a name of at most %d bytes", maxName)
	case m.Text == "" || len(m.Text) > maxText:
		return nil, fmt.Errorf("text: want a text of at most %d bytes", maxText)
	}
	return json.Marshal(m)
}
