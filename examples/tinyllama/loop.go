package tinyllama

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"weir/examples/tinyllama/llama"
	"weir/plugin"
)

// DefaultSlots is the number of sequences that are computed together if a loop
// sets none.
const DefaultSlots = 256

// stepPrompt is the number of prompt tokens that one step takes in, over all
// sequences: those that are in the middle of their output wait at most that
// long.
const stepPrompt = 128

// ErrStopped is why a sequence ends when its loop does, and what a loop that
// has ended returns for a new one.
var ErrStopped = errors.New("tinyllama: the decode loop has stopped")

// Loop is a decode loop: one goroutine that computes the next token of all its
// sequences together, and sends them all with one plugin.SendBatch, over and
// over. A sequence joins between any two steps and reads its prompt while the
// others continue; one whose client has disconnected is removed before the
// next.
//
// A client that does not keep up delays no other: its sequence pauses until it
// has read what was sent.
type Loop struct {
	model *llama.Model
	slots int
	teams []*team

	wake chan struct{} // has a token when there is something in waiting or back

	mu      sync.Mutex
	stopped bool
	waiting []*sequence // for a slot
	back    []comeback

	// The loop's goroutine's own.
	active []*sequence // those with a slot
	ready  []*sequence // those of active that take part in this step
	free   []*slot
	items  []plugin.Item

	senders sync.WaitGroup // of paused sequences
}

// A comeback is a sequence that was paused, and the result of its send.
type comeback struct {
	s  *sequence
	to state
}

// A slot is the memory of a sequence; it serves one after the other.
type slot struct {
	cache  llama.Cache
	logits []float32
}

// NewLoop returns a loop that computes up to that many sequences together, on
// that many processors: for 0, DefaultSlots and all of them. Run starts it.
func NewLoop(m *llama.Model, slots, threads int) *Loop {
	if slots <= 0 {
		slots = DefaultSlots
	}
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	l := &Loop{model: m, slots: slots, wake: make(chan struct{}, 1)}
	for range threads {
		l.teams = append(l.teams, &team{worker: m.NewWorker()})
	}
	return l
}

// Run decodes until ctx is done; sequences that have not ended are then
// aborted. Call it once.
func (l *Loop) Run(ctx context.Context) {
	defer l.stop()
	for ctx.Err() == nil {
		l.admit()
		l.plan()
		if len(l.ready) > 0 {
			l.compute()
			l.send()
			continue
		}
		select {
		case <-ctx.Done():
		case <-l.wake:
		}
	}
}

// submit passes a sequence to the loop. It never waits and is safe for
// concurrent use.
func (l *Loop) submit(s *sequence) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return ErrStopped
	}
	l.waiting = append(l.waiting, s)
	l.rouse()
	return nil
}

func (l *Loop) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// admit adds the sequences that have come since the last step.
func (l *Loop) admit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.back {
		b.s.state = b.to
	}
	l.back = l.back[:0]
	n := 0
	for ; n < len(l.waiting) && len(l.active) < l.slots; n++ {
		if s := l.waiting[n]; !s.sink.Cancelled() {
			s.slot = l.takeSlot()
			l.active = append(l.active, s)
		}
	}
	l.waiting = slices.Delete(l.waiting, 0, n)
}

func (l *Loop) takeSlot() *slot {
	if n := len(l.free); n > 0 {
		s := l.free[n-1]
		l.free = l.free[:n-1]
		return s
	}
	return &slot{logits: make([]float32, l.model.Tokenizer.Size())}
}

// plan removes the sequences that have ended, and decides which take part in
// the next step and with how many tokens.
func (l *Loop) plan() {
	l.ready = l.ready[:0]
	prompt := stepPrompt
	l.active = slices.DeleteFunc(l.active, func(s *sequence) bool {
		switch {
		case s.state == paused: // Send reports its end
			return false
		case s.state == over || s.sink.Cancelled():
			s.slot.cache.Reset()
			l.free = append(l.free, s.slot)
			return true
		}
		if s.share = 1; len(s.tokens) > 1 {
			s.share = min(len(s.tokens), prompt)
			prompt -= s.share
		}
		if s.share > 0 {
			l.ready = append(l.ready, s)
		}
		return false
	})
}

// compute lets every team advance its part of those that are ready.
func (l *Loop) compute() {
	var others sync.WaitGroup
	rest := l.ready
	for i, t := range l.teams {
		n := (len(rest) + len(l.teams) - i - 1) / (len(l.teams) - i)
		part := rest[:n]
		rest = rest[n:]
		if len(rest) == 0 { // the last part, and for a single sequence the only one, is this goroutine's
			t.advance(part)
			break
		}
		others.Go(func() { t.advance(part) })
	}
	others.Wait()
}

// send gives every client its part of the step.
func (l *Loop) send() {
	l.items = l.items[:0]
	n := 0
	for _, s := range l.ready {
		if len(s.out) > 0 {
			l.items = append(l.items, plugin.Item{Sink: s.sink, Data: s.out})
			l.ready[n] = s
			n++
		}
	}
	plugin.SendBatch(l.items)
	for i, s := range l.ready[:n] {
		if err := l.items[i].Err; errors.Is(err, plugin.ErrBacklog) {
			l.pause(s)
		} else {
			s.state = s.after(err)
		}
	}
	clear(l.items)
	clear(l.ready)
}

// pause takes a sequence out of the steps until its client has read what there
// is for it. It keeps its slot: the server ends a client that never does.
func (l *Loop) pause(s *sequence) {
	s.state = paused
	l.senders.Go(func() {
		to := s.after(s.sink.Send(s.out))
		l.mu.Lock()
		defer l.mu.Unlock()
		l.back = append(l.back, comeback{s, to})
		l.rouse()
	})
}

// stop aborts all sequences.
func (l *Loop) stop() {
	l.mu.Lock()
	l.stopped = true
	all := append(l.waiting, l.active...)
	l.waiting, l.active = nil, nil
	l.mu.Unlock()
	for _, s := range all {
		s.sink.Abort(ErrStopped) // does nothing to one that has ended
	}
	l.senders.Wait()
}
