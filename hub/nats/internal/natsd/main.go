// Command natsd is a NATS server with JetStream for the tests of the broker: a
// process of its own, so that the tests, and the race detector in them, compile
// without it.
//
//	natsd FOLDER PORT [NAME PORT-OF-CLUSTER ROUTES]
//
// The last three make it a server of a cluster. It prints the port when it is ready (with PORT -1 it takes a free one), and ends
// when its input does, or by a signal.
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

func run(folder, port string, cluster []string) error {
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	opts := &server.Options{Host: "127.0.0.1", Port: n, JetStream: true, StoreDir: folder, NoLog: true}
	if len(cluster) == 3 {
		opts.ServerName = cluster[0]
		opts.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1"}
		if opts.Cluster.Port, err = strconv.Atoi(cluster[1]); err != nil {
			return err
		}
		opts.Routes = server.RoutesFromStr(cluster[2])
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		return fmt.Errorf("not ready on port %d", n)
	}
	fmt.Println(opts.Port)
	_, err = io.Copy(io.Discard, os.Stdin)
	s.Shutdown()
	s.WaitForShutdown()
	return err
}
