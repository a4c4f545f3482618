// Command secure serves /plaintext, /tokens and, by POST, chat completions with
// weir or with net/http, over TLS or in the clear, HTTP/2 included: the same
// handlers, a goroutine for each stream. It is also a gateway's upstream. With
// weir-loop the streams have no goroutine: the event loops pace them.
//
//	secure weir|weir-loop|nethttp ADDRESS [CERT KEY]
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"weir"
	"weir/bench/internal/tour"
	"weir/nethttp"
)

const unary = `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[]}`

func main() {
	if len(os.Args) != 3 && len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: secure weir|weir-loop|nethttp ADDRESS [CERT KEY]")
		os.Exit(2)
	}
	serve := withWeir
	if os.Args[1] == "nethttp" {
		serve = withNetHTTP
	}
	if err := serve(os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "secure:", err)
		os.Exit(1)
	}
}

func ready(addr net.Addr) { fmt.Printf("secure: ready on http://%s\n", addr) }

func withWeir(addr string, files []string) error {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /plaintext", func(w *weir.Response, _ *weir.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.WriteString(tour.Hello)
	}).Inline()
	mux.HandleFunc("GET /tokens", func(w *weir.Response, r *weir.Request) { push(w, r, false) })
	mux.HandleFunc("POST /", func(w *weir.Response, r *weir.Request) {
		if r.Query().Get("n") != "" {
			push(w, r, true)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.WriteString(unary)
	})
	srv := &weir.Server{Handler: mux}
	if len(files) > 0 {
		srv.TLS, addr = &weir.TLS{CertFile: files[0], KeyFile: files[1]}, "tls:"+addr
		srv.TLS.HTTP2 = nethttp.OfServer(srv)
	}
	if err := srv.Start(addr); err != nil {
		return err
	}
	ready(srv.Addrs()[0])
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	<-ctx.Done()
	srv.Reactor().Close()
	return nil
}

func push(w *weir.Response, r *weir.Request, chat bool) {
	q := r.Query()
	t, err := tour.ParseTokens(q.Get)
	if err != nil {
		w.SetStatus(http.StatusBadRequest)
		return
	}
	if chat {
		t.Chunk, t.Size = true, max(t.Size, 190) // so that each event has some text: a gateway may hold others back
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if os.Args[1] == "weir-loop" {
		w.StreamFrom(weir.Paced(&source{Tokens: t}, t.Interval))
		return
	}
	s := w.Stream()
	_ = s.Commit() // as net/http's Flush; Send will say what is wrong
	t.Stream(s.Done(), s.Send)
}

// source is the tokens of a stream that the loop asks for.
type source struct {
	tour.Tokens
	next int
}

func (p *source) Next(dst []byte) ([]byte, error) {
	if p.next == p.N {
		return append(dst, tour.Done...), io.EOF
	}
	p.next++
	return p.AppendFrame(dst, p.next-1), nil
}

func (p *source) Close(error) {}

func withNetHTTP(addr string, files []string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plaintext", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(tour.Hello)) // who has left needs none
	})
	mux.HandleFunc("GET /tokens", func(w http.ResponseWriter, r *http.Request) {
		t, err := tour.ParseTokens(r.URL.Query().Get)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		flusher := w.(http.Flusher)
		flusher.Flush()
		t.Stream(r.Context().Done(), func(frame []byte) error {
			if _, err := w.Write(frame); err != nil {
				return err
			}
			flusher.Flush()
			return nil
		})
	})
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	ready(ln.Addr())
	srv := &http.Server{Handler: mux}
	if len(files) == 0 {
		return srv.Serve(ln)
	}
	cert, err := tls.LoadX509KeyPair(files[0], files[1])
	if err != nil {
		return err
	}
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	return srv.ServeTLS(ln, "", "")
}
