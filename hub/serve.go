package hub

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"weir"
)

// Options are how one subscriber is served.
type Options struct {
	Format Format // SSE by default
	Policy Policy // Config.Policy by default
	From   string // id of the last event that it has; by default the request's Last-Event-ID, or what Subscribe is called with
	All    bool   // one without such an id gets what is kept
}

func (o *Options) check() error {
	switch {
	case o.Format >= formats:
		return fmt.Errorf("hub: Options.Format is %d: want SSE or NDJSON", o.Format)
	case o.Policy > Skip:
		return fmt.Errorf("hub: Options.Policy is %d: want Cut or Skip", o.Policy)
	}
	return nil
}

// Serve makes the response a subscription to a topic, which ends when the client
// disconnects. It returns at once, unless the Broker has to be waited for: the
// events come from the event loops. It can be called by an inline handler with
// the memory Broker, and with others on goroutines only. o may be nil.
//
// The head is sent at once. Its field Weir-Replay says where the events begin:
//
//	live       with the next one
//	from=<id>  behind that one, of which the request has given the id: nothing is missed
//	gap=<id>   with that one: the id is not known, or events behind it are not kept any more
//
// With a gap, a subscriber of SSE gets "event: gap" first, with the same id as
// its data. If nothing is kept, it is the id for what was published before, and
// the events begin with the next one. That event has an id, too: a client that
// comes back with it gets what follows, without another gap.
//
// If the subscription is refused, the response has the status of [Status]; and
// 204 if the topic has ended and the client has all of it.
func (h *Hub) Serve(w *weir.Response, r *weir.Request, topic string, o *Options) {
	if o == nil {
		o = new(Options)
	}
	if err := o.check(); err != nil {
		refuse(w, err)
		return
	}
	from := o.From
	if from == "" {
		from = r.LastEventID()
	}
	l, err := h.subscribe(topic)
	if err != nil {
		refuse(w, err)
		return
	}
	l.awaitID(from)
	at := l.locate(from, o.All)
	if at.ended && at.known() {
		h.unsubscribe(l)
		w.SetStatus(204)
		return
	}
	at.describe(w, o.Format)
	l.using[o.Format].Add(1)
	l.group.Feed(w, &source{
		log: l, drain: h.drainOf(w.Draining()), next: at.number, beat: h.beats.Load(), leave: leaveStep(),
		format: o.Format, skip: cmp.Or(o.Policy, h.config.Policy) == Skip,
	})
}

// refuse responds with an error.
func refuse(w *weir.Response, err error) {
	status := Status(err)
	if status == 503 {
		w.Header().Set("Retry-After", "1")
	}
	w.Error(status, err.Error())
}

// subscribe counts a subscriber in.
func (h *Hub) subscribe(topic string) (*Log, error) {
	l, err := h.open(topic)
	if err != nil {
		return nil, err
	}
	all, here := h.subs.Add(1), l.subs.Add(1)
	switch {
	case h.limits.Subscribers > 0 && all > int64(h.limits.Subscribers):
		err = fmt.Errorf("%w subscribers: %d", ErrTooMany, h.limits.Subscribers)
	case h.limits.PerTopic > 0 && here > int64(h.limits.PerTopic):
		err = fmt.Errorf("%w subscribers of the topic: %d", ErrTooMany, h.limits.PerTopic)
	default:
		return l, nil
	}
	h.unsubscribe(l)
	return nil, err
}

func (h *Hub) unsubscribe(l *Log) {
	h.subs.Add(-1)
	l.subs.Add(-1)
	h.leave(l)
}

// place is where a subscriber begins.
type place struct {
	number uint64 // of the first event that it gets
	before string // the id that stands for all before it
	id     string // from, or that of the gap; "" = live
	gap    bool   // it may have missed some before
	ended  bool   // there is nothing behind it, and will not be
}

// known reports whether the subscriber has said where it is.
func (p *place) known() bool { return p.id != "" && !p.gap }

// locate returns where a subscriber begins whose last event has the id from.
func (l *Log) locate(from string, all bool) (p place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := l.first + uint64(l.count())
	switch at, known := parseID(l.epoch, from); {
	case from == "" && all:
		p.number, p.before = l.first, idOf(l.epoch, l.floor)
	case from == "":
		p.number, p.before = end, idOf(l.epoch, l.last)
	case !known, at.Before(l.floor), l.ahead(at):
		p.gap = true
		p.number, p.before, p.id = l.gapAt()
	default:
		p.number, p.before, p.id = l.after(at), from, from
	}
	p.ended = l.end != nil && p.number == end
	return p
}

// describe says in the head, and before the first event, where that is.
func (p *place) describe(w *weir.Response, f Format) {
	replay := "live"
	switch {
	case p.gap:
		replay = "gap=" + p.id
	case p.id != "":
		replay = "from=" + p.id
	}
	head := w.Header()
	head.Set("Weir-Replay", replay)
	for _, field := range [...][2]string{{"Content-Type", contentTypes[f]}, {"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}} {
		if !head.Has(field[0]) {
			head.Set(field[0], field[1])
		}
	}
	switch {
	case f != SSE:
	case p.gap:
		w.Write(appendGap(nil, f, p.before, p.id))
	case p.id == "":
		w.Write(appendPlace(nil, p.before))
	}
}

// source is one subscriber: its number in the log.
type source struct {
	log    *Log
	drain  *drain
	next   uint64 // number of the event that it gets next
	beat   uint32 // the clock's when it got something last
	leave  uint8  // the step of a drain in which it leaves
	format Format
	skip   bool
}

// eventsPerChunk is how many events a subscriber gets in one chunk, at most.
const eventsPerChunk = 32

// Next implements weir.Source.
func (s *source) Next(dst []byte) ([]byte, error) {
	if step := s.drain.step.Load(); step > 0 && step >= uint32(s.leave) {
		return dst, io.EOF
	}
	var found [eventsPerChunk]*entry
	n, what := s.log.read(s.next, found[:])
	for i, e := range found[:n] {
		if i > 0 && len(dst)+e.length(s.format) > cap(dst) {
			what = more
			break
		}
		dst = e.appendTo(dst, s.format)
		s.next++
	}
	beats := s.log.hub.beats.Load()
	if n > 0 {
		s.beat = beats
	}
	switch what {
	case behind:
		if !s.skip {
			return dst, fmt.Errorf("%w: %w", ErrBehind, weir.ErrSlowClient)
		}
		number, before, first := s.log.skip()
		s.next = number
		return appendGap(dst, s.format, before, first), nil
	case ended:
		return dst, s.end()
	case current:
		if s.format == SSE && beats-s.beat >= 2 {
			s.beat = beats
			dst = append(dst, ":\n\n"...)
		}
		return dst, weir.ErrNotReady
	}
	return dst, nil
}

// end is how a response ends whose topic has no more events.
func (s *source) end() error {
	if err := s.log.endedBy(); !errors.Is(err, ErrEnded) && !errors.Is(err, ErrClosed) {
		return err
	}
	return io.EOF
}

// Close implements weir.Source.
func (s *source) Close(error) {
	s.log.using[s.format].Add(-1)
	s.log.hub.unsubscribe(s.log)
}

var _ weir.Source = (*source)(nil)
