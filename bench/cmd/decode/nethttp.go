package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"weir/bench/internal/tour"
	"weir/plugin"
)

func nethttpTickers(s *server) (string, error) {
	return s.nethttp(func(w http.ResponseWriter, r *http.Request, t tour.Tokens) {
		var err error
		t.Stream(r.Context().Done(), func(frame []byte) error {
			err = writeFlush(w, frame)
			return err
		})
		if err != nil || r.Context().Err() != nil {
			s.left.Add(1)
		}
	})
}

func nethttpFed(s *server) (string, error) {
	return s.nethttp(func(w http.ResponseWriter, r *http.Request, t tour.Tokens) {
		f := &feed{tokens: make(chan []byte, feedRoom)}
		if s.loop.join(t, f) != nil {
			return
		}
		f.gone.Store(f.relay(w, r) != nil)
	})
}

// relay writes what the loop has fed, until it has no more.
func (f *feed) relay(w http.ResponseWriter, r *http.Request) error {
	for {
		select {
		case frame, ok := <-f.tokens:
			if !ok {
				return nil
			}
			if err := writeFlush(w, frame); err != nil {
				return err
			}
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
}

func writeFlush(w http.ResponseWriter, frame []byte) error {
	if _, err := w.Write(frame); err != nil {
		return err
	}
	w.(http.Flusher).Flush()
	return nil
}

// feedRoom is how many tokens a stream's goroutine may be behind.
const feedRoom = 64

// feed is the way from the loop to a goroutine; the loop uses it as a sink.
type feed struct {
	plugin.Sink // for what the loop does not use
	tokens      chan []byte
	gone        atomic.Bool
}

func (f *feed) TrySend(p []byte) error {
	select {
	case f.tokens <- bytes.Clone(p):
		return nil
	default:
		return plugin.ErrBacklog
	}
}

func (f *feed) Cancelled() bool { return f.gone.Load() }

func (f *feed) Close() error {
	close(f.tokens)
	return nil
}

func (s *server) nethttp(stream func(http.ResponseWriter, *http.Request, tour.Tokens)) (string, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plaintext", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(tour.Hello)) // a client that has disconnected needs no response
	})
	mux.HandleFunc("GET /tokens", func(w http.ResponseWriter, r *http.Request) {
		t, err := tour.ParseTokens(r.URL.Query().Get)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-cache")
		w.(http.Flusher).Flush()
		stream(w, r, t)
	})
	mux.HandleFunc("GET /{what}", func(w http.ResponseWriter, r *http.Request) {
		text := s.answer(r.URL.Path, r.URL.Query().Get)
		if text == nil {
			http.Error(w, "there is /tokens, /plaintext, /steps and /gone?n=N", http.StatusNotFound)
			return
		}
		_, _ = w.Write(text) // as above
	})
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		return "", err
	}
	go func() {
		fmt.Fprintln(os.Stderr, "decode:", (&http.Server{Handler: mux}).Serve(ln)) // it only ends by an error
	}()
	return ln.Addr().String(), nil
}
