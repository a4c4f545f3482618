package natsbroker

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/hub/nats/internal/wire"
)

// Config is the configuration of a [Broker]. Zero is the default; what is negative is
// an error unless its comment says otherwise. All brokers of a stream need the same
// Stream and Prefix.
type Config struct {
	Stream string // name of the stream; default WEIR
	Prefix string // of its subjects, PREFIX.topic.TOPIC and PREFIX.live.TOPIC; default weir

	// These are the limits of a stream that New creates, and so the bounds of replay:
	// the oldest messages are removed. They do not change a stream that exists: use
	// the nats command for that. Negative is unlimited.
	MaxAge        time.Duration // of a message; default an hour
	MaxBytes      int64         // of all messages, each with about 100 bytes for what the server adds; default 1 GiB
	TopicMessages int64         // batches of each topic; default 4096
	Replicas      int           // in a cluster; default 1
	Memory        bool          // keep the stream in the servers' memory, not in files

	// An event waits at most BatchDelay for others of its topic, and is sent at once
	// when BatchBytes have come together. Negative: no event waits for others.
	BatchDelay time.Duration // default 20 ms
	BatchBytes int           // default 4 KiB

	// Buffer is how many bytes of events, each with 64 more and each batch with 512,
	// may wait for the server. Publish then returns ErrBusy. Default 8 MiB.
	Buffer int
	// PublishTimeout is how long an event may wait for the server; up to an eighth less
	// for one that shares a batch with those before it. Default 10 s.
	PublishTimeout time.Duration
	// OnFailure is called when events that Publish has taken were not stored, or
	// nothing is known of it: n events of a topic. It is called on goroutines of the
	// broker, several at once, and must not block. Those of PublishWait are not
	// counted. The default logs it.
	OnFailure func(topic string, n int, err error)

	Logger *slog.Logger // default slog.Default()
}

// withDefaults returns a copy of c without zeros, or why c cannot be used.
func (c Config) withDefaults() (*Config, error) {
	or(&c.Stream, "WEIR")
	or(&c.Prefix, "weir")
	or(&c.MaxAge, time.Hour)
	or(&c.MaxBytes, 1<<30)
	or(&c.TopicMessages, 4096)
	or(&c.Replicas, 1)
	or(&c.BatchDelay, 20*time.Millisecond)
	or(&c.BatchBytes, 4<<10)
	or(&c.Buffer, 8<<20)
	or(&c.PublishTimeout, 10*time.Second)
	or(&c.Logger, slog.Default())
	if c.OnFailure == nil {
		logger := c.Logger
		c.OnFailure = func(topic string, n int, err error) {
			logger.Error("natsbroker: events were not stored", "topic", topic, "events", n, "error", err)
		}
	}
	switch {
	case c.Replicas < 0 || c.Replicas > 5:
		return nil, fmt.Errorf("natsbroker: Config.Replicas is %d, want 1 to 5", c.Replicas)
	case c.BatchBytes < 0:
		c.BatchBytes = 1
	case c.BatchBytes > batchLimit:
		return nil, fmt.Errorf("natsbroker: Config.BatchBytes is %d, want at most %d", c.BatchBytes, batchLimit)
	case c.BatchDelay > time.Second:
		return nil, fmt.Errorf("natsbroker: Config.BatchDelay is %v, want a second at most", c.BatchDelay)
	case c.Buffer < 0:
		return nil, errors.New("natsbroker: Config.Buffer is negative; there is no buffer without a limit")
	case c.PublishTimeout < 0:
		return nil, errors.New("natsbroker: Config.PublishTimeout is negative; want a duration shorter than the stream's window for duplicates")
	}
	return &c, wire.CheckPrefix(c.Prefix)
}

// or sets what is zero to its default.
func or[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// stream returns the stream that New creates.
func (c *Config) stream() jetstream.StreamConfig {
	storage := jetstream.FileStorage
	if c.Memory {
		storage = jetstream.MemoryStorage
	}
	window := max(2*time.Minute, 2*c.PublishTimeout)
	if c.MaxAge > 0 {
		window = min(window, c.MaxAge) // as the server wants it
	}
	return jetstream.StreamConfig{
		Name:              c.Stream,
		Description:       "topics of weir's hub",
		Subjects:          []string{c.Prefix + topicInfix + "*"},
		MaxAge:            max(0, c.MaxAge),
		MaxBytes:          max(-1, c.MaxBytes),
		MaxMsgsPerSubject: max(-1, c.TopicMessages),
		Discard:           jetstream.DiscardOld,
		Storage:           storage,
		Replicas:          c.Replicas,
		Duplicates:        window,
		AllowDirect:       true,
		RePublish:         &jetstream.RePublish{Source: c.Prefix + topicInfix + "*", Destination: c.Prefix + liveInfix + "{{wildcard(1)}}"},
	}
}
