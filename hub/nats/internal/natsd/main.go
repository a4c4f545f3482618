// Command natsd is a NATS server with JetStream for the tests of the broker: a
// process of its own, so that the tests, and the race detector in them, compile
// without it.
//
//	natsd FOLDER PORT [CONFIGURATION]
//
// The configuration is a file, as nats-server takes it. It prints the port when it is
// ready (with PORT -1 it takes a free one), and ends when its input does, or by a
// signal.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "natsd:", err)
		os.Exit(1)
	}
}

func run(folder, port string, config []string) (err error) {
	opts := new(server.Options)
	if len(config) > 0 {
		if opts, err = server.ProcessConfigFile(config[0]); err != nil {
			return err
		}
	}
	opts.Host, opts.JetStream, opts.StoreDir, opts.NoLog = "127.0.0.1", true, folder, true
	if opts.Port, err = strconv.Atoi(port); err != nil {
		return err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		return fmt.Errorf("not ready on port %s", port)
	}
	fmt.Println(opts.Port)
	_, err = io.Copy(io.Discard, os.Stdin)
	s.Shutdown()
	s.WaitForShutdown()
	return err
}
