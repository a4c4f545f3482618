package weir

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A Group is the sources that the same news concerns: the subscribers of a
// topic, each with its own place in the topic's history. It is safe for
// concurrent use. The zero value is empty and ready.
//
// Wake costs one notification for each event loop, however many sources there
// are, and never waits. Each loop then calls Next of its sources, some of them a
// turn, of all groups together. A source that it has not reached when Wake is
// called again gets one call for both.
type Group struct {
	mu     sync.Mutex
	parts  []*groupPart // one for each loop that has some
	guests []*pump      // those of net/http's servers
	size   atomic.Int64
}

// Feed makes the response a stream that src feeds, as [Response.StreamFrom]
// does, and that Wake wakes, until it has ended. The head is committed at once.
// src is closed in every case.
func (g *Group) Feed(w *Response, src Source) {
	p := newPump(w.ex, src)
	p.member.group = g
	g.size.Add(1)
	s := &w.ex.stream
	s.openWith(w.ex, p)
	_ = s.Commit() // the source is closed with the error
}

// Len returns how many sources the group has.
func (g *Group) Len() int { return int(g.size.Load()) }

// Wake is [Stream.Wake] for all sources of the group.
func (g *Group) Wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, part := range g.parts {
		part.wake()
	}
	for _, p := range g.guests {
		p.post()
	}
}

// member is a pump's place in a group: in members of a part, or in guests. All
// but forget and countOut are for the pump's turn.
type member struct {
	group *Group
	part  *groupPart
	at    int
}

// join adds p to its group, if it has one.
func (m *member) join(p *pump) {
	g := m.group
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	sh := p.to.home()
	if sh == nil {
		m.at = len(g.guests)
		g.guests = append(g.guests, p)
		return
	}
	m.part = g.of(sh)
	m.at = len(m.part.members)
	m.part.members = append(m.part.members, p)
}

// of returns the part of a loop. The group is locked.
func (g *Group) of(sh *shard) *groupPart {
	for _, part := range g.parts {
		if part.shard == sh {
			return part
		}
	}
	part := &groupPart{shard: sh}
	g.parts = append(g.parts, part)
	return part
}

// leave removes p, if it has joined a group.
func (m *member) leave(p *pump) {
	switch g := m.group; {
	case g == nil:
	case m.part != nil:
		if m.part.members = without(m.part.members, m.at); len(m.part.members) == 0 {
			g.remove(m.part)
		}
	default:
		g.mu.Lock()
		defer g.mu.Unlock()
		if m.at < len(g.guests) && g.guests[m.at] == p { // it has joined
			g.guests = without(g.guests, m.at)
		}
	}
}

// without removes the pump at i, in whose place the last one comes.
func without(all []*pump, i int) []*pump {
	last := len(all) - 1
	all[i] = all[last]
	all[i].member.at = i
	all[last] = nil
	return all[:last]
}

// forget is leave where the loop has stopped, and with it all that was there.
func (m *member) forget(p *pump) {
	if m.part != nil {
		m.group.remove(m.part)
	} else {
		m.leave(p)
	}
}

// remove forgets a loop.
func (g *Group) remove(part *groupPart) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parts = slices.DeleteFunc(g.parts, func(p *groupPart) bool { return p == part })
}

func (m *member) countOut() {
	if m.group != nil {
		m.group.size.Add(-1)
	}
}

// groupPart is the members on one loop, and of that loop's: only wake is safe
// for concurrent use.
//
// A round goes through members from the last to the first. One that has left is
// replaced by the last, which the round has called already or which is new, and
// a new one begins by itself.
type groupPart struct {
	shard   *shard
	members []*pump
	left    int         // of members, to be called in this round
	again   bool        // there is news since the round began
	posted  atomic.Bool // the loop will hear of the news
}

func (part *groupPart) wake() {
	if !part.posted.Swap(true) {
		part.shard.loop.Post(part)
	}
}

// Run begins a round.
func (part *groupPart) Run() {
	part.posted.Store(false)
	if part.left > 0 {
		part.again = true
		return
	}
	if part.left = len(part.members); part.left > 0 {
		q := &part.shard.woken
		q.add(q, part)
	}
}

// call calls at most n members, and returns how many.
func (part *groupPart) call(n int) (called int) {
	for ; called < n; called++ {
		if part.left = min(part.left, len(part.members)); part.left == 0 {
			break
		}
		part.left--
		part.members[part.left].run()
	}
	if part.left == 0 && part.again {
		part.left, part.again = len(part.members), false
	}
	return called
}

// roundQueue is a loop's parts of groups that are in a round. Large ones give
// way to the others after each turn.
type roundQueue struct{ queue[*groupPart] }

// Run calls some members of all parts together, and the others in the turns to
// come.
func (q *roundQueue) Run() {
	for room := writesPerTurn; room > 0 && q.len() > 0; {
		part := q.pop()
		if room -= part.call(room); part.left > 0 {
			q.items = append(q.items, part)
		}
	}
	q.rest(q)
}
