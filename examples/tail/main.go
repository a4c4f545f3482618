// Command tail shows the end of a growing file, or of standard input, to all who ask
// for it: as server-sent events, or as lines of JSON.
//
//	tail [-listen ADDRESS] [FILE]
//	curl -N http://127.0.0.1:8080/
//	curl -N -H 'Accept: application/x-ndjson' http://127.0.0.1:8080/
//
// Who connects gets the last lines first. Who comes back with the id of the last
// line, as browsers do, gets those in between, and learns if some are missing. A file
// that was cut short or replaced is read from its beginning.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"weir"
	"weir/hub"
)

const topic = "lines"

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "`address` to listen on")
	flag.Parse()
	if flag.NArg() > 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*listen, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "tail:", err)
		os.Exit(1)
	}
}

// run serves until SIGINT or SIGTERM, and then drains. When standard input ends, so
// do the responses.
func run(listen, file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	lines, err := hub.New(hub.Config{})
	if err != nil {
		return err
	}
	defer lines.Close()
	source := read(os.Stdin)
	if file != "" {
		source = follow(ctx, file)
	}
	failed := make(chan error, 1)
	go func() {
		if err := publish(ctx, lines, source); err != nil {
			failed <- err
			stop()
		}
	}()
	srv := &weir.Server{Handler: routes(lines)}
	if err := srv.Start(listen); err != nil {
		return err
	}
	fmt.Printf("tail: http://%s\n", srv.Addrs()[0])
	<-ctx.Done()
	if _, err := srv.Shutdown(context.Background()); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// publish publishes lines until one cannot be read or there are no more. That ends the
// topic, unless ctx is done: then it is the server that ends, and clients come back.
func publish(ctx context.Context, h *hub.Hub, lines iter.Seq2[string, error]) error {
	for line, err := range lines {
		if err == nil {
			_, err = h.Publish(topic, hub.Event{Data: []byte(line)})
		}
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return h.End(topic)
}

func routes(lines *hub.Hub) *weir.Mux {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /{$}", func(w *weir.Response, r *weir.Request) {
		o := hub.Options{All: true}
		if strings.Contains(r.Header().Get("Accept"), "application/x-ndjson") {
			o.Format = hub.NDJSON
		}
		lines.Serve(w, r, topic, &o)
	}).Inline()
	return mux
}

// read yields the lines of r, and an error other than io.EOF.
func read(r io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var s splitter
		_, err := s.fill(r, yield)
		for err == nil {
			_, err = s.fill(r, yield)
		}
		if err == io.EOF {
			err = s.end(yield)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield("", err)
		}
	}
}
