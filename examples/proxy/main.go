// Command proxy is a reverse proxy for streams: each piece of a response goes
// from its server's connection to its client's in one turn of one event loop,
// without a goroutine and without a copy that could be avoided.
//
//	proxy 127.0.0.1:8080 http://127.0.0.1:8000
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"weir"
	"weir/client"
	"weir/reactor"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: proxy ADDRESS URL")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until SIGINT or SIGTERM, and then drains.
func run(addr, url string) error {
	to, err := client.ParseEndpoint(url)
	if err != nil {
		return err
	}
	srv := newServer(&client.Origin{Endpoint: to}, time.Minute)
	if err := srv.Start(addr); err != nil {
		return err
	}
	fmt.Println("proxy: ready on", srv.Addrs()[0])
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	<-ctx.Done()
	stop() // a second signal ends the process
	_, err = srv.Shutdown(context.Background())
	return err
}

// newServer returns a server that relays everything to an origin, which may be
// silent for so long.
func newServer(to *client.Origin, silence time.Duration) *weir.Server {
	mux := new(weir.Mux)
	mux.HandleLoop("/", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
		r := &relay{x: x, origin: to, silence: silence}
		r.timer.Init(reactor.TaskFunc(r.late))
		return fromClient{r}
	}))
	return &weir.Server{Handler: mux}
}
