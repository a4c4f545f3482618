package natsbroker

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/hub"
)

// BenchmarkEvent is what an event costs on its way from Publish to a subscriber in
// another hub, with 32 topics: the CPU of this process, which has both hubs, and of
// the NATS server. Alone, each event is a message of its own; in batches, it shares
// one with those of its topic that come within 20 ms. Paced events come every 10 ms
// in each topic, as tokens do, the others as fast as they are taken.
//
//	go test -run '^$' -bench Event -benchtime 20000x ./hub/nats
func BenchmarkEvent(b *testing.B) {
	b.Run("paced/alone", func(b *testing.B) { benchmark(b, Config{BatchDelay: -1}, paced) })
	b.Run("paced/batches", func(b *testing.B) { benchmark(b, Config{}, paced) })
	b.Run("burst/alone", func(b *testing.B) { benchmark(b, Config{BatchDelay: -1}, oneByOne) })
	b.Run("burst/batches", func(b *testing.B) { benchmark(b, Config{}, burst) })
}

const topics = 32

var (
	names = numbers(0, topics)
	token = hub.Event{Data: make([]byte, 48)}
)

func paced(b *testing.B, broker *Broker) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for n := range b.N {
		if n%topics == 0 {
			<-ticker.C
		}
		if err := broker.Publish(names[n%topics], token); err != nil {
			return err
		}
	}
	return nil
}

func burst(b *testing.B, broker *Broker) error {
	for n := range b.N {
		for {
			err := broker.Publish(names[n%topics], token)
			if err == nil {
				break
			}
			if !errors.Is(err, hub.ErrBusy) {
				return err
			}
			time.Sleep(time.Millisecond) // the buffer is full
		}
	}
	return nil
}

// oneByOne publishes the next event of a topic when the last one is stored.
func oneByOne(b *testing.B, broker *Broker) error {
	failed := make(chan error, topics)
	for i := range topics {
		go func() {
			var err error
			for n := i; n < b.N && err == nil; n += topics {
				err = broker.PublishWait(b.Context(), names[i], token)
			}
			failed <- err
		}()
	}
	var all error
	for range topics {
		all = errors.Join(all, <-failed)
	}
	return all
}

func benchmark(b *testing.B, config Config, publish func(*testing.B, *Broker) error) {
	n := startServer(b)
	_, broker := newHub(b, n.url(), config)
	there, _ := newHub(b, n.url(), config)
	got := make(chan struct{}, 1<<10)
	for _, name := range names {
		s := subscribe(b, there, name, "", false)
		go func() {
			for {
				if _, err := s.Next(b.Context()); err != nil {
					return
				}
				got <- struct{}{}
			}
		}()
	}
	messages := streamInfo(b, broker).State.LastSeq
	b.ResetTimer()
	here, server := cpu(b), n.cpu()
	go func() {
		if err := publish(b, broker); err != nil {
			panic(err) // else this waits for what does not come
		}
	}()
	for range b.N {
		<-got
	}
	b.StopTimer()
	b.ReportMetric(float64(cpu(b)-here)/float64(b.N), "cpu-ns/event")
	b.ReportMetric(float64(n.cpu()-server)/float64(b.N), "server-cpu-ns/event")
	b.ReportMetric(float64(b.N)/float64(streamInfo(b, broker).State.LastSeq-messages), "events/message")
}

// cpu returns the time that this process has computed.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpu returns the time that the server has computed, where the system says that.
func (n *natsServer) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.cmd.Process.Pid))
	fields := strings.Fields(string(stat))
	if err != nil || len(fields) < 15 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[13], 10, 64)
	system, _ := strconv.ParseInt(fields[14], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}
