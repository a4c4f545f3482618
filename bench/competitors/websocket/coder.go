package main

import (
	"bytes"
	"context"
	"net/http"

	"github.com/coder/websocket"
)

// withCoder reads each message into a buffer that is kept, and writes it as one
// frame. coder/websocket's Read would allocate, and its Writer send two frames.
func withCoder(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has written the error
	}
	defer func() { _ = c.CloseNow() }() // closed already, or failed
	ctx := context.Background()         // a deadline would cost a timer for each message
	for message := new(bytes.Buffer); ; message.Reset() {
		kind, from, err := c.Reader(ctx)
		if err != nil {
			return
		}
		if _, err := message.ReadFrom(from); err != nil {
			return
		}
		if err := c.Write(ctx, kind, message.Bytes()); err != nil {
			return
		}
	}
}
