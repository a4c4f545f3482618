package hub

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// This file is what happens with time: heartbeats, what becomes too old, and a
// shutdown.

// forgetAfter is how long a topic that has no users and keeps nothing stays, so
// that those who come back are still known to be up to date.
const forgetAfter = 5 * time.Minute

// pace is how often the Hub's clock ticks, and how many ticks are a beat: a
// subscriber gets a heartbeat when it has got nothing for two beats.
type pace struct {
	period time.Duration
	beat   uint64
}

// paceOf returns a pace of at most 15 s, and at which nothing is kept a quarter
// of its age too long.
func paceOf(c *Config) pace {
	period := 15 * time.Second
	if c.Limits.Age > 0 {
		period = min(period, max(c.Limits.Age/4, time.Millisecond))
	}
	if c.Heartbeat < 0 {
		return pace{period, 0}
	}
	half := max(c.Heartbeat/2, time.Millisecond)
	ticks := (half + period - 1) / period
	return pace{half / ticks, uint64(ticks)}
}

// startClock starts the clock, which ticks while there are topics. The Hub is
// locked.
func (h *Hub) startClock() {
	if !h.ticking {
		h.ticking = true
		time.AfterFunc(h.pace.period, h.tick)
	}
}

// tick looks after each topic by itself: loops that need the Hub meanwhile do
// not wait for all of them.
func (h *Hub) tick() {
	now := time.Now()
	h.ticks++
	beat := h.pace.beat > 0 && h.ticks%h.pace.beat == 0
	if beat {
		h.beats.Add(1)
	}
	for _, l := range h.all() {
		empty := l.dropOld(now)
		switch {
		case h.removeIdle(l, now, empty):
			h.forget(l)
		case beat && l.using[SSE].Load() > 0:
			l.group.Wake()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ticking = len(h.topics) > 0; h.ticking {
		time.AfterFunc(h.pace.period, h.tick)
	}
}

// removeIdle removes a topic that nobody has used for long enough.
func (h *Hub) removeIdle(l *Log, now time.Time, empty bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.removed || l.users > 0 || now.Sub(l.used) < h.stay(empty) {
		return false
	}
	h.remove(l)
	return true
}

// stay is how long a topic without users is followed. One that keeps something
// which nobody else does is until that is too old.
func (h *Hub) stay(empty bool) time.Duration {
	switch {
	case h.broker.Keeps():
		return min(forgetAfter, max(h.limits.Age, time.Minute))
	case !empty:
		return 1<<63 - 1
	}
	return forgetAfter
}

// drain is the shutdown of one server, as its subscribers see it.
type drain struct{ step atomic.Uint32 } // 0 = it has not begun

// drainSteps is in how many steps the subscribers of a server that shuts down
// leave.
const drainSteps = 50

// drainOf returns the drain of the server whose channel that is.
func (h *Hub) drainOf(begun <-chan struct{}) *drain {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.drains[begun]
	if d == nil {
		d = new(drain)
		h.drains[begun] = d
		go h.awaitDrain(begun, d)
	}
	return d
}

// awaitDrain ends the responses of a server that shuts down, one by one, so that
// their clients do not all come back at once.
func (h *Hub) awaitDrain(begun <-chan struct{}, d *drain) {
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.drains, begun)
	}()
	select {
	case <-begun:
	case <-h.done:
		return
	}
	if h.config.Spread < 0 {
		return
	}
	for range drainSteps {
		if h.subs.Load() == 0 {
			return
		}
		select {
		case <-time.After(h.config.Spread / drainSteps):
		case <-h.done:
			return // all topics have ended
		}
		d.step.Add(1)
		for _, l := range h.all() {
			l.group.Wake()
		}
	}
}

func (h *Hub) all() []*Log {
	h.mu.Lock()
	defer h.mu.Unlock()
	logs := make([]*Log, 0, len(h.topics))
	for _, l := range h.topics {
		logs = append(logs, l)
	}
	return logs
}

// leaveStep is the step in which a subscriber leaves.
func leaveStep() uint8 { return uint8(1 + rand.N(drainSteps)) }
