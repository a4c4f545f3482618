package hub_test

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"runtime"
	"strconv"
	"testing"

	"weir"
	"weir/hub"
	"weir/internal/patience"
	"weir/ws"
)

// follower sends the events of a topic to a WebSocket, with a goroutine that waits
// for them. What the client sends is published.
type follower struct {
	topics *hub.Hub
	topic  string
	news   *hub.Subscription
}

func (f *follower) OnMessage(c *ws.Conn, _ ws.Kind, p []byte) {
	if _, err := f.topics.Publish(f.topic, hub.Event{Data: p}); err != nil {
		_ = c.Close(ws.PolicyViolation, err.Error())
	}
}

func (f *follower) OnClose(*ws.Conn, error) { f.news.Close() }

func (f *follower) pass(c *ws.Conn) {
	for {
		e, err := f.news.Next(context.Background())
		switch {
		case errors.Is(err, hub.ErrBehind):
			_ = c.Close(ws.TryAgainLater, "behind")
			return
		case err != nil:
			_ = c.Close(ws.GoingAway, "")
			return
		}
		if c.Send(ws.Text, e.Data) != nil {
			return // OnClose is called
		}
	}
}

// followTopics is a route whose WebSockets get the events of a topic.
func followTopics(topics *hub.Hub) weir.LoopHandler {
	return ws.Handle(ws.Options{}, func(c *ws.Conn, r *weir.Request) ws.Handler {
		topic := r.PathValue("topic")
		news, err := topics.Subscribe(topic, r.Query().Get("from"), nil)
		if err != nil {
			return nil // it is closed with 1008
		}
		f := &follower{topics, topic, news}
		go f.pass(c)
		return f
	})
}

// A subscriber may be a WebSocket: package hub knows nothing of it.
func ExampleHub_Subscribe_webSocket() {
	topics, err := hub.New(hub.Config{})
	if err != nil {
		log.Fatal(err)
	}
	mux := new(weir.Mux)
	mux.HandleLoop("GET /events/{topic}", followTopics(topics))
	// (&weir.Server{Handler: mux}).Serve(ctx, ":8080")
}

func TestWebSocketSubscribers(t *testing.T) {
	topics, err := hub.New(hub.Config{})
	if err != nil {
		t.Fatal(err)
	}
	mux := new(weir.Mux)
	mux.HandleLoop("GET /events/{topic}", followTopics(topics))
	srv := &weir.Server{Handler: mux, Logger: slog.New(slog.DiscardHandler)}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
	defer cancel()
	defer func() {
		_ = topics.Close()
		if _, err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	}()
	url := "ws://" + srv.Addrs()[0].String() + "/events/t"
	var conns []*ws.Conn
	for range 3 {
		c, err := ws.Dial(ctx, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		for topics.Stats().Subscribers < len(conns) { // its handler is called behind the handshake
			if runtime.Gosched(); ctx.Err() != nil {
				t.Fatal(ctx.Err())
			}
		}
	}
	for i := range 10 {
		if err := conns[i%3].Send(ws.Text, strconv.AppendInt(nil, int64(i), 10)); err != nil {
			t.Fatal(err)
		}
		for j, c := range conns {
			_, p, err := c.Read()
			if err != nil || string(p) != strconv.Itoa(i) {
				t.Errorf("connection %d: got %q, %v, want %d", j, p, err, i)
			}
		}
	}
	if err := conns[0].Close(ws.Normal, ""); err != nil {
		t.Error(err)
	}
	for topics.Stats().Subscribers > 2 {
		if runtime.Gosched(); ctx.Err() != nil {
			t.Fatal(ctx.Err())
		}
	}
	if err := topics.End("t"); err != nil {
		t.Error(err)
	}
	for _, c := range conns[1:] {
		var closed *ws.CloseError
		if _, _, err := c.Read(); !errors.As(err, &closed) || closed.Code != ws.GoingAway {
			t.Errorf("got %v behind the topic's end, want 1001", err)
		}
	}
}
