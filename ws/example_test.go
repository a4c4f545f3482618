package ws_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"weir"
	"weir/internal/example"
	"weir/weirtest"
	"weir/ws"
)

// An echo on the event loop.
func ExampleHandle() {
	mux := new(weir.Mux)
	mux.HandleLoop("GET /echo", ws.Handle(ws.Options{Inline: true}, func(*ws.Conn, *weir.Request) ws.Handler {
		return ws.OnMessage(func(c *ws.Conn, kind ws.Kind, p []byte) { _ = c.Send(kind, p) })
	}))
	run(mux, "/echo", text("hello"))
	// Output:
	// text "hello"
}

// A handler that reads and sends, on a goroutine of its own.
func ExampleAccept() {
	mux := new(weir.Mux)
	mux.HandleFunc("GET /shell", func(w *weir.Response, r *weir.Request) {
		c, err := ws.Accept(w, r, ws.Options{MaxMessage: 1 << 10})
		if err != nil {
			return // the response is made
		}
		_ = c.Send(ws.Text, []byte("who is there?"))
		_, name, err := c.Read()
		if err != nil {
			return
		}
		_ = c.Send(ws.Text, fmt.Appendf(nil, "hello %s", name))
	})
	run(mux, "/shell", text("you"))
	// Output:
	// text "who is there?"
	// text "hello you"
	// close 1000
}

// A chat: what one says, all get.
func ExampleRoom() {
	var lobby ws.Room
	mux := new(weir.Mux)
	mux.HandleLoop("GET /chat/{name}", ws.Handle(ws.Options{}, func(c *ws.Conn, r *weir.Request) ws.Handler {
		name := r.PathValue("name")
		if err := lobby.Join(c); err != nil {
			_ = c.Close(ws.TryAgainLater, err.Error())
		}
		return ws.OnMessage(func(_ *ws.Conn, _ ws.Kind, p []byte) {
			lobby.Broadcast(ws.Text, fmt.Appendf(nil, "%s: %s", name, p))
		})
	}))
	run(mux, "/chat/ann", text("hi"))
	// Output:
	// text "ann: hi"
}

// run opens path, sends what is given, and prints what comes.
func run(mux *weir.Mux, path, what string) {
	example.Run(func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := weirtest.Start(t, &weir.Server{Handler: mux}).Dial()
			c.Send(ask(path) + what)
			_, frames, _ := strings.Cut(c.Received(), "\r\n\r\n")
			fmt.Print(said(frames))
		})
	})
}
