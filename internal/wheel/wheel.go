// Package wheel is a hierarchical timing wheel with a tick of one
// millisecond, for the timers of one event loop.
//
// Five levels of 64 slots hold every timer in an intrusive list: level 0 has a
// slot a tick, level 1 a slot for 64 ticks, and so on. A timer sits in the
// level of the highest bit in which its deadline differs from the current time,
// and falls one or more levels when the current time reaches its slot:
//
//	now        deadline     level  slot
//	0          5            0      5
//	0          70           1      1        (falls to level 0, slot 6, at 64)
//	60         70           1      1
//
// Adding, moving and removing a timer cost the same however many there are;
// the next deadline is found from five bitmaps. Nothing is allocated.
package wheel

import (
	"math/bits"
	"time"
)

const (
	tick     = time.Millisecond
	slotBits = 6
	slots    = 1 << slotBits
	levels   = 5
	horizon  = 1<<(slotBits*levels) - 1 // about twelve days; what is farther waits there and is placed again
	topSlot  = 1 << (slotBits * (levels - 1))
)

// A Task is what a timer runs when it expires. It may start and stop any timer
// of the wheel, its own included.
type Task interface{ Run() }

// A Timer is one deadline. It is embedded in what it belongs to, may be
// restarted at any time and must not be copied while it is running. The zero
// value is a stopped timer.
type Timer struct {
	Task Task // set once, before Start

	next, prev  *Timer // a circle through the slot's head while running
	when        int64  // in ticks
	level, slot uint8
}

// Running reports whether t has been started and has not yet expired.
func (t *Timer) Running() bool { return t.next != nil }

// A Wheel holds the timers of one loop. It must be used only on that loop. Make
// one with [New].
type Wheel struct {
	epoch time.Time
	now   int64 // in ticks since epoch
	count int
	used  [levels]uint64
	heads [levels][slots]Timer
}

// New returns an empty wheel whose time starts at now.
func New(now time.Time) *Wheel { return &Wheel{epoch: now} }

// Len returns the number of running timers.
func (w *Wheel) Len() int { return w.count }

// Start makes t expire once at the deadline, never before it and within a tick
// after it, when [Wheel.Advance] reaches it. A running timer is moved.
func (w *Wheel) Start(t *Timer, deadline time.Time) {
	w.Stop(t)
	t.when = max(w.ticks(deadline.Add(tick-1)), w.now+1)
	w.place(t)
	w.count++
}

// Stop stops t; a stopped timer may be stopped again.
func (w *Wheel) Stop(t *Timer) {
	if !t.Running() {
		return
	}
	w.unlink(t)
	w.count--
}

// Next returns the moment at which Advance next has work to do. It may be
// earlier than the earliest deadline, never later. ok is false if no timer is
// running.
func (w *Wheel) Next() (at time.Time, ok bool) {
	when, _, _, ok := w.next()
	return w.epoch.Add(time.Duration(when) * tick), ok
}

// Advance moves the wheel's time to now and runs the task of each timer that
// expired by then, in the order of their deadlines.
func (w *Wheel) Advance(now time.Time) {
	target := w.ticks(now)
	for {
		when, level, slot, ok := w.next()
		if !ok || when > target {
			break
		}
		w.now = max(w.now, when)
		head := &w.heads[level][slot]
		for t := head.next; t != nil && t != head; t = head.next {
			w.unlink(t)
			if t.when > w.now {
				w.place(t)
				continue
			}
			w.count--
			t.Task.Run()
		}
	}
	w.now = max(w.now, target)
}

func (w *Wheel) ticks(at time.Time) int64 { return int64(at.Sub(w.epoch) / tick) }

// next finds the occupied slot that the current time reaches first: the lowest
// level with an occupied slot, since what lies in a higher one differs from the
// current time in a higher bit.
func (w *Wheel) next() (when int64, level, slot int, ok bool) {
	for level, used := range w.used {
		if used == 0 {
			continue
		}
		shift := level * slotBits
		at := int(w.now>>shift) & (slots - 1)
		ahead := bits.TrailingZeros64(bits.RotateLeft64(used, -at))
		round := w.now &^ (1<<(shift+slotBits) - 1)
		slot := (at + ahead) & (slots - 1)
		when := round + int64(slot)<<shift
		if slot < at { // only beyond the horizon: the next round of the top level
			when += 1 << (shift + slotBits)
		}
		return when, level, slot, true
	}
	return 0, 0, 0, false
}

func (w *Wheel) place(t *Timer) {
	when := min(t.when, w.now+horizon-topSlot) // so that its slot is not the current one, which is reached already
	level := (bits.Len64(uint64(w.now^when)|(slots-1)) - 1) / slotBits
	if level >= levels { // crosses the top level's round: its slot is in the next one
		level = levels - 1
	}
	slot := int(when>>(level*slotBits)) & (slots - 1)
	t.level, t.slot = uint8(level), uint8(slot)
	head := &w.heads[level][slot]
	if head.next == nil {
		head.next, head.prev = head, head
	}
	t.prev, t.next = head.prev, head
	head.prev.next, head.prev = t, t
	w.used[level] |= 1 << slot
}

func (w *Wheel) unlink(t *Timer) {
	t.prev.next, t.next.prev = t.next, t.prev
	head := &w.heads[t.level][t.slot]
	if head.next == head {
		w.used[t.level] &^= 1 << t.slot
	}
	t.next, t.prev = nil, nil
}
