package natsbroker

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/hub"
)

// BenchmarkEvent is what an event costs from Publish to a subscriber in another hub:
// CPU of all that takes part, the NATS server, which is in this process, included.
// Alone, each event is a message of its own; in batches, it shares one with those of
// its topic that come within 20 ms.
func BenchmarkEvent(b *testing.B) {
	const topics = 32
	data := make([]byte, 48)
	b.Run("alone", func(b *testing.B) {
		broker, received := newPair(b, topics, Config{BatchDelay: -1})
		measure(b, broker, func() {
			var running sync.WaitGroup
			for i := range topics {
				running.Go(func() {
					for n := i; n < b.N; n += topics {
						if err := broker.PublishWait(b.Context(), fmt.Sprint(i), hub.Event{Data: data}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			running.Wait()
			received(b.N)
		})
	})
	b.Run("batches", func(b *testing.B) {
		broker, received := newPair(b, topics, Config{})
		names := numbers(0, topics)
		measure(b, broker, func() {
			for n := range b.N {
				for {
					err := broker.Publish(names[n%topics], hub.Event{Data: data})
					if err == nil {
						break
					}
					if !errors.Is(err, hub.ErrBusy) {
						b.Fatal(err)
					}
					time.Sleep(time.Millisecond) // the buffer is full
				}
			}
			received(b.N)
		})
	})
}

// newPair returns a broker, and what waits until subscribers in another hub have
// received n events.
func newPair(b *testing.B, topics int, config Config) (*Broker, func(n int)) {
	url := startServer(b).url()
	_, broker := newHub(b, url, config)
	there, _ := newHub(b, url, config)
	var running sync.WaitGroup
	got := make(chan int, 1<<10)
	for i := range topics {
		s := subscribe(b, there, fmt.Sprint(i), "", false)
		running.Go(func() {
			for {
				if _, err := s.Next(b.Context()); err != nil {
					return
				}
				got <- 1
			}
		})
	}
	return broker, func(n int) {
		for range n {
			<-got
		}
	}
}

func measure(b *testing.B, broker *Broker, f func()) {
	messages := streamInfo(b, broker).State.LastSeq
	b.ResetTimer()
	before := cpu(b)
	f()
	b.StopTimer()
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/event")
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
