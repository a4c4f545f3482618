package ws_test

import (
	"context"
	"fmt"

	"weir"
	"weir/client"
	"weir/ws"
)

// A client that says one thing, and reads what comes back.
func ExampleDial() {
	mux := new(weir.Mux)
	mux.HandleLoop("GET /echo", ws.Handle(ws.Options{Subprotocols: []string{"v2.echo"}}, func(*ws.Conn, *weir.Request) ws.Handler {
		return ws.OnMessage(func(c *ws.Conn, kind ws.Kind, p []byte) { _ = c.Send(kind, p) })
	}))
	srv := &weir.Server{Handler: mux}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Shutdown(context.Background())

	c, err := ws.Dial(context.Background(), "ws://"+srv.Addrs()[0].String()+"/echo", &ws.DialOptions{
		Options: ws.Options{Subprotocols: []string{"v2.echo", "echo"}, Deflate: true},
		Header:  []client.Field{client.NewField("Authorization", "Bearer secret")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Subprotocol())
	if err := c.Send(ws.Text, []byte("hello")); err != nil {
		fmt.Println(err)
		return
	}
	kind, p, err := c.Read()
	fmt.Printf("%v %s %v\n", kind, p, err)
	if err := c.Close(ws.Normal, "done"); err != nil {
		fmt.Println(err)
	}
	<-c.Done()
	fmt.Println(c.Err())
	// Output:
	// v2.echo
	// text hello <nil>
	// ws: closed with 1000: done
}
