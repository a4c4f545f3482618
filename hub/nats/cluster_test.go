package natsbroker

import (
	"context"
	"flag"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"weir/hub"
)

var withCluster = flag.Bool("cluster", false, "run the test of a cluster of three NATS servers, which takes a minute")

// A cluster of three servers, each of which has the stream: they are killed, or
// stopped as by a partition of the network, and come back one after the other, the
// stream's leader among them, while events are published in one process and followed
// in another. Nothing is lost, and nothing comes twice (T16).
//
//	go test -run Cluster -cluster .
func TestCluster(t *testing.T) {
	if !*withCluster {
		t.Skip("without -cluster")
	}
	servers := startCluster(t)
	urls := make([]string, len(servers))
	for i, n := range servers {
		urls[i] = n.url()
	}
	config := Config{Replicas: 3, PublishTimeout: 50 * time.Second}
	notices := func(o *nats.Options) error {
		o.PingInterval, o.MaxPingsOut = time.Second, 2
		return nil
	}
	here, b := newHub(t, strings.Join(urls, ","), config, notices)
	there, _ := newHub(t, strings.Join(urls[1:], ",")+","+urls[0], config, notices)
	s := subscribe(t, there, "t", "", false)
	first := subscribe(t, here, "t", "", false)
	published := 0
	for round := range 2 * len(servers) {
		victim := servers[round%len(servers)]
		leave, comeBack := victim.kill, victim.start
		if round >= len(servers) {
			leave, comeBack = victim.freeze, victim.thaw
		}
		for part := range 3 {
			switch part {
			case 1:
				leave()
			case 2:
				comeBack()
			}
			for range 200 {
				publish(t, here, "t", fmt.Sprint(published))
				published++
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			err := b.PublishWait(ctx, "t", hub.Event{Data: fmt.Append(nil, published)})
			cancel()
			if err != nil {
				t.Fatalf("round %d, part %d: %v", round, part, err)
			}
			published++
		}
		n := 3 * 201
		got, ids := take(t, s, n)
		same(t, "the other process", got, numbers(published-n, published))
		_, idsHere := take(t, first, n)
		same(t, "ids", idsHere, ids)
	}
	if info := streamInfo(t, b); info.Config.Replicas != 3 {
		t.Errorf("got %d replicas", info.Config.Replicas)
	}
}

// startCluster starts three servers, and returns when they have a leader.
func startCluster(t *testing.T) []*natsServer {
	t.Helper()
	ports := make([]string, 3)
	routes := make([]string, 3)
	listeners := make([]net.Listener, 3) // open until there are three ports
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i] = l
		_, ports[i], _ = net.SplitHostPort(l.Addr().String()) // it has one
		routes[i] = "nats://127.0.0.1:" + ports[i]
	}
	for _, l := range listeners {
		_ = l.Close() // nobody has connected
	}
	servers := make([]*natsServer, 3)
	for i := range servers {
		servers[i] = startServerWith(t, fmt.Sprintf("server_name: server%d\ncluster { name: test, listen: \"127.0.0.1:%s\", routes: [%s] }\n",
			i, ports[i], strings.Join(routes, ", ")))
		t.Cleanup(servers[i].kill)
	}
	js := connect(t, servers[0].url())
	for late := time.Now().Add(patience); ; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // without a leader there is no response
		_, err := js.AccountInfo(ctx)
		cancel()
		if err == nil {
			return servers
		}
		if time.Now().After(late) {
			t.Fatal(err)
		}
	}
}
