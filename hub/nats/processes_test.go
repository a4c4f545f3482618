package natsbroker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir"
	"weir/hub"
)

const childOf = "NATSBROKER_TEST_CHILD_OF" // the address of its NATS server

func isChild() bool { return os.Getenv(childOf) != "" }

// child is a process that shares its topics with others. It prints its address, and
// ends when its input does.
func child() {
	if err := serveUntilEOF(os.Getenv(childOf)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func serveUntilEOF(url string) error {
	conn, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	b, err := New(context.Background(), js, Config{})
	if err != nil {
		return err
	}
	h, err := hub.New(hub.Config{Broker: b})
	if err != nil {
		return err
	}
	srv := &weir.Server{Handler: routes(h)}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		return err
	}
	fmt.Println(srv.Addrs()[0])
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// process is a child of this test.
type process struct {
	cmd     *exec.Cmd
	address string
}

func startProcess(t *testing.T, url string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), childOf+"="+url)
	p.cmd.Stderr = os.Stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()        // it may have ended
		_ = p.cmd.Process.Kill() // the same
		_ = p.cmd.Wait()         // killed
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if p.address = strings.TrimSpace(line); err != nil || !strings.HasPrefix(p.address, "127.0.0.1:") {
		t.Fatalf("the process says %q, %v", line, err)
	}
	return p
}

// Three processes share a topic, and one is killed in the middle: who was connected
// to it comes back to another one, and misses nothing that was acknowledged, gets
// nothing twice, and in the order in which all get it (T15).
func TestThreeProcesses(t *testing.T) {
	const (
		each        = 150 // messages to each process
		subscribers = 4   // of each process
		topic       = "rooms/three processes"
	)
	url := startServer(t).url()
	var processes [3]*process
	for i := range processes {
		processes[i] = startProcess(t, url)
	}
	client := &http.Client{Timeout: patience}
	t.Cleanup(client.CloseIdleConnections)
	post := func(p *process, data string) error {
		res, err := client.Post("http://"+p.address+"/publish?topic=rooms%2Fthree+processes", "text/plain", strings.NewReader(data))
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 {
			return fmt.Errorf("status %s, %v: %s", res.Status, err, body)
		}
		return nil
	}
	if err := post(processes[0], "start"); err != nil {
		t.Fatal(err)
	}

	var (
		reading, publishing sync.WaitGroup
		seen                atomic.Int64
		killed              = make(chan struct{})
		all                 [3 * subscribers]*subscriber
		acked               = struct {
			sync.Mutex
			data map[string]bool
		}{data: map[string]bool{"start": true, "end": true}}
	)
	for i := range all {
		s := &subscriber{topic: topic, last: "unknown"} // all begin with what is stored
		all[i] = s
		reading.Go(func() {
			at := i % 3
			for !s.ended("end") {
				before := len(s.data)
				err := s.read(processes[at].address, 1<<30, "end")
				if seen.Add(int64(len(s.data) - before)); err != nil || !s.ended("end") {
					select {
					case <-killed:
					case <-t.Context().Done():
						return
					}
					at = (at + 1) % 3
				}
			}
		})
	}
	for i, p := range processes {
		publishing.Go(func() {
			for n := range each {
				data := fmt.Sprintf("%d from %d", n, i)
				switch err := post(p, data); {
				case err == nil:
					acked.Lock()
					acked.data[data] = true
					acked.Unlock()
				case i == 2:
					return // it was killed: what was under way may be stored, or not
				default:
					t.Errorf("process %d: %v", i, err)
					return
				}
				if i == 2 && n == each/3 {
					if err := p.cmd.Process.Kill(); err != nil {
						t.Error(err)
					}
					close(killed)
				}
			}
		})
	}
	publishing.Wait()
	if err := post(processes[0], "end"); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	for i, s := range all {
		s.check(t, fmt.Sprint("subscriber ", i), all[0].data, all[0].ids)
		if s.conns < 1+i%3/2 {
			t.Errorf("subscriber %d had %d connections", i, s.conns)
		}
	}
	got := map[string]int{}
	for _, data := range all[0].data {
		got[data]++
	}
	for data, n := range got {
		if n > 1 {
			t.Errorf("got %q %d times", data, n)
		}
		delete(acked.data, data)
	}
	if len(acked.data) > 0 {
		t.Errorf("%d acknowledged messages are lost: %v", len(acked.data), acked.data)
	}
	t.Logf("%d messages, %d of them through the process that was killed", len(all[0].data), count(all[0].data, " from 2"))
}

func count(all []string, suffix string) (n int) {
	for _, s := range all {
		if strings.HasSuffix(s, suffix) {
			n++
		}
	}
	return n
}
