package natsbroker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	topicInfix = ".topic."
	liveInfix  = ".live."
	epochKey   = "weir-epoch" // in the stream's metadata

	lookTimeout = 5 * time.Second
	// createWait is how long a stream that was deleted is not created again, at least,
	// and at most twice that: a server removes files after it has responded, and all
	// processes see at once that the stream is not there.
	createWait = 250 * time.Millisecond
)

// A stream is the JetStream stream that has the events of all topics: one message
// a batch, on the subject PREFIX.topic.TOPIC. The server publishes each again, on
// PREFIX.live.TOPIC, with its sequence and that of the topic's message before it,
// so that processes follow a topic by an ordinary subscription, without a consumer
// on the server, and see when one is missing.
//
// It is safe for concurrent use.
type stream struct {
	js      jetstream.JetStream
	config  jetstream.StreamConfig
	changed func() // its incarnation is another one

	looking sync.Mutex // held while the server is asked; guards local
	local   string     // this process's part of the incarnation
	last    atomic.Pointer[snapshot]
	doubt   chan struct{} // look soon
}

// A snapshot is what the server has said of the stream. It does not change.
type snapshot struct {
	at          time.Time // when it was asked
	incarnation string
	first, end  uint64 // its messages are those from first on, before end, that were not removed
	perTopic    int64  // how many messages a topic may have before its first ones are removed; no limit: not positive
	maxMessage  int    // how large one may be; no limit: not positive
}

func (s *stream) snapshot() *snapshot { return s.last.Load() }

// open looks at the stream for the first time.
func (s *stream) open(ctx context.Context) (*jetstream.StreamInfo, error) {
	if v := s.js.Conn().ConnectedServerVersion(); !atLeast(v, 2, 11) {
		return nil, fmt.Errorf("natsbroker: server is of version %q, want 2.11 or later", v)
	}
	s.looking.Lock()
	defer s.looking.Unlock()
	at := time.Now()
	info, err := s.ask(ctx)
	if err != nil {
		return nil, err
	}
	s.note(at, info)
	return info, nil
}

// atLeast compares the first two numbers of a version.
func atLeast(version string, major, minor int) bool {
	var a, b int
	_, err := fmt.Sscanf(version, "%d.%d.", &a, &b)
	return err == nil && (a > major || a == major && b >= minor)
}

// suspect has the broker look at the stream soon.
func (s *stream) suspect() {
	select {
	case s.doubt <- struct{}{}:
	default:
	}
}

// look returns what the server says of the stream at a time or later, and creates
// the stream if there is none. It blocks.
func (s *stream) look(ctx context.Context, since time.Time) (*snapshot, error) {
	s.looking.Lock()
	defer s.looking.Unlock()
	if last := s.last.Load(); last != nil && last.at.After(since) {
		return last, nil // another goroutine has asked meanwhile
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	at := time.Now()
	info, err := s.ask(ctx)
	if err != nil {
		return nil, err
	}
	return s.note(at, info), nil
}

// note keeps a snapshot. It is entered with looking held.
func (s *stream) note(at time.Time, info *jetstream.StreamInfo) *snapshot {
	next := &snapshot{
		at:          at,
		incarnation: incarnationOf(info) + s.local,
		first:       max(1, info.State.FirstSeq),
		end:         info.State.LastSeq + 1,
		perTopic:    info.Config.MaxMsgsPerSubject,
		maxMessage:  int(info.Config.MaxMsgSize),
	}
	before := s.last.Swap(next)
	if before != nil && before.incarnation != next.incarnation {
		s.changed()
	}
	return next
}

// incarnationOf names one life of a stream: a stream that is created again, or has
// lost messages that it had, counts its messages from a number that it has used.
func incarnationOf(info *jetstream.StreamInfo) string {
	return strconv.FormatInt(info.Created.UnixNano(), 36) + info.Config.Metadata[epochKey]
}

func (s *stream) ask(ctx context.Context) (*jetstream.StreamInfo, error) {
	found, err := s.js.Stream(ctx, s.config.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) && s.last.Load() != nil {
		select {
		case <-time.After(createWait + rand.N(createWait)):
		case <-ctx.Done():
		}
		found, err = s.js.Stream(ctx, s.config.Name)
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		found, err = s.js.CreateStream(ctx, s.config)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process was faster
			found, err = s.js.Stream(ctx, s.config.Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("natsbroker: stream %s: %w", s.config.Name, err)
	}
	info := found.CachedInfo()
	return info, s.check(&info.Config)
}

// check returns why a stream that exists does not do, or nil. Its limits are the
// business of whoever made it.
func (s *stream) check(got *jetstream.StreamConfig) error {
	want := &s.config
	fault := ""
	switch {
	case !slices.Contains(got.Subjects, want.Subjects[0]):
		fault = fmt.Sprintf("subjects %q, want %q", got.Subjects, want.Subjects[0])
	case got.RePublish == nil || got.RePublish.Source != want.RePublish.Source || got.RePublish.Destination != want.RePublish.Destination || got.RePublish.HeadersOnly:
		fault = fmt.Sprintf("no republishing from %q to %q", want.RePublish.Source, want.RePublish.Destination)
	case !got.AllowDirect:
		fault = "no direct access (allow_direct)"
	case got.SubjectTransform != nil:
		fault = "a transform of subjects"
	case got.MaxMsgSize > 0 && got.MaxMsgSize < 2*headerRoom:
		fault = fmt.Sprintf("a limit of %d bytes on a message, want at least %d", got.MaxMsgSize, 2*headerRoom)
	case got.NoAck:
		fault = "no acknowledgements (no_ack)"
	case got.Retention != jetstream.LimitsPolicy:
		fault = "a retention other than limits"
	default:
		return nil
	}
	return fmt.Errorf("natsbroker: stream %s has %s: edit it, or give Config.Stream and Config.Prefix others", s.config.Name, fault)
}

// forgot gives the stream another incarnation, since the server no longer has
// messages of the given one that it has had: it was restored from a backup, or lost
// power before its disk had them. All processes see that; only those that use the
// stream do if it cannot be updated.
func (s *stream) forgot(ctx context.Context, incarnation string) error {
	s.looking.Lock()
	defer s.looking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	at := time.Now()
	info, err := s.ask(ctx)
	if err != nil {
		return err
	}
	if s.note(at, info).incarnation != incarnation {
		return nil // another goroutine or process was faster
	}
	epoch := "z" + strconv.FormatInt(at.UnixNano(), 36)
	config := info.Config
	config.Metadata = maps.Clone(config.Metadata)
	if config.Metadata == nil {
		config.Metadata = map[string]string{}
	}
	config.Metadata[epochKey] = epoch
	updated, err := s.js.UpdateStream(ctx, config)
	if err != nil {
		s.local = epoch
		s.note(at, info)
		return fmt.Errorf("natsbroker: stream %s cannot be updated, ids are this process's from now on: %w", s.config.Name, err)
	}
	s.note(at, updated.CachedInfo())
	return nil
}
