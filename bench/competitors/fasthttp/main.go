// Command fasthttp serves the tour's measured routes with valyala/fasthttp:
// streams go through its body stream writer, one Flush a frame. Timeouts are
// left off, which favours it.
package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/valyala/fasthttp"

	"weir/bench/internal/tour"
)

func main() {
	server := &fasthttp.Server{Handler: route, NoDefaultServerHeader: true}
	fmt.Fprintln(os.Stderr, "fasthttp:", server.Serve(tour.Listen("fasthttp")))
	os.Exit(1)
}

func route(ctx *fasthttp.RequestCtx) {
	switch string(ctx.Path()) {
	case "/plaintext":
		ctx.SetContentType("text/plain; charset=utf-8")
		ctx.SetBodyString(tour.Hello)
	case "/tokens":
		tokens(ctx)
	case "/stats":
		ctx.SetContentType("application/json")
		ctx.SetBody(tour.Stats(string(ctx.QueryArgs().Peek("gc")) == "1"))
	default:
		ctx.Error("not found", fasthttp.StatusNotFound)
	}
}

func tokens(ctx *fasthttp.RequestCtx) {
	query := ctx.QueryArgs()
	t, err := tour.ParseTokens(func(name string) string { return string(query.Peek(name)) })
	if err != nil {
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	ctx.SetContentType("text/event-stream")
	ctx.Response.Header.Set("Cache-Control", "no-cache")
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		t.Stream(nil, func(frame []byte) error {
			if _, err := w.Write(frame); err != nil {
				return err
			}
			return w.Flush()
		})
	})
}
