package main

import (
	"log/slog"

	"weir"
	"weir/bench/internal/tour"
	"weir/plugin"
)

// streams is the limit of the handlers, too high to matter.
const streams = 20_000

// weirDetached passes the sinks of a native handler to the loop.
func weirDetached(s *server) (string, error) {
	return s.weir(func(c plugin.Call, sink plugin.Sink) error {
		t, err := begin(c, sink)
		if err != nil {
			return err
		}
		sink.Detach()
		return s.loop.join(t, sink)
	})
}

func weirTickers(s *server) (string, error) {
	return s.weir(func(c plugin.Call, sink plugin.Sink) error {
		t, err := begin(c, sink)
		if err != nil {
			return err
		}
		t.Stream(c.Done(), sink.Send)
		if sink.Cancelled() {
			s.left.Add(1)
		}
		return nil
	})
}

// begin reads the request and sends the head, as the other ways do.
func begin(c plugin.Call, sink plugin.Sink) (tour.Tokens, error) {
	t, err := tour.ParseTokens(c.Query)
	if err != nil {
		return t, err
	}
	for name, value := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache"} {
		if err := sink.SetHeader(name, value); err != nil {
			return t, err
		}
	}
	return t, sink.Flush()
}

func (s *server) weir(stream func(plugin.Call, plugin.Sink) error) (string, error) {
	name := "decode/" + s.way
	plugin.Register(name, plugin.Handler{Stream: stream, Limit: streams})
	mux := new(weir.Mux)
	mux.Handle("GET /tokens", weir.Native(name))
	mux.HandleFunc("GET /plaintext", func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.WriteString(tour.Hello) // into a buffer
	}).Inline()
	mux.HandleFunc("GET /{what}", func(w *weir.Response, r *weir.Request) {
		text := s.answer("/"+r.PathValue("what"), r.Query().Get)
		if text == nil {
			w.Error(404, "there is /tokens, /plaintext, /steps and /gone?n=N")
			return
		}
		_, _ = w.Write(text) // into a buffer
	})
	srv := &weir.Server{Handler: mux, Logger: slog.Default(), Limits: weir.Limits{Handlers: streams}}
	if err := srv.Start(s.addr); err != nil {
		return "", err
	}
	return srv.Addrs()[0].String(), nil
}
