// Command tinyllama is a weir server with a language model in it.
//
//	tinyllama --weights stories260K.gguf --listen 127.0.0.1:8080
//	curl -N 127.0.0.1:8080/v1/completions -d '{"prompt":"Once upon a time","temperature":0,"stream":true}'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"weir"
	"weir/examples/tinyllama"
	"weir/examples/tinyllama/llama"
)

func main() {
	weights := flag.String("weights", os.Getenv(tinyllama.WeightsVariable), "the model, a GGUF `file`; required")
	listen := flag.String("listen", "127.0.0.1:8080", "`address` to listen on")
	slots := flag.Int("slots", tinyllama.DefaultSlots, "`sequences` that are computed together; more wait")
	threads := flag.Int("threads", 0, "`processors` to compute on (default all)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *weights, *listen, *slots, *threads); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, weights, listen string, slots, threads int) error {
	if weights == "" {
		return errors.New("tinyllama: there is no model: name a GGUF file with --weights")
	}
	m, err := llama.Load(weights)
	if err != nil {
		return err
	}
	loop := tinyllama.NewLoop(m, slots, threads)
	tinyllama.Use(loop)
	// The loop outlives the server, which lets running answers end.
	decoding, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		loop.Run(decoding)
	}()
	defer func() {
		stop()
		<-ended
	}()

	var mux weir.Mux
	generate := weir.Native(tinyllama.Name)
	mux.Handle("POST /v1/chat/completions", generate)
	mux.Handle("POST /v1/completions", generate)
	server := weir.Server{Handler: &mux}
	if err := server.Start(listen); err != nil {
		return err
	}
	fmt.Printf("tinyllama: %s on http://%s\n", m.Name, server.Addrs()[0])
	<-ctx.Done()
	_, err = server.Shutdown(context.Background())
	return err
}
