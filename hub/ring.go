package hub

import (
	"sort"
	"time"
)

// This file is the ring of a Log. These methods are for the holder of its lock:

func (l *Log) count() int { return len(l.entries) - l.head }

// settled reports whether subscribers can read. While the Broker has not passed
// on what it keeps, nothing is news to them.
func (l *Log) settled() bool { return l.ready || l.end != nil }

// ahead reports whether events may be missing that came up to a position.
func (l *Log) ahead(at Position) bool { return l.last.Before(at) && l.reached.Before(at) }

// upToDate reports whether a look for the entry with that number would find
// nothing.
func (l *Log) upToDate(number uint64) bool {
	return !l.settled() || l.end == nil && number == l.first+uint64(l.count())
}

// gapAt returns where a subscriber continues that may have missed something:
// with the oldest entry, whose id is first, or if there is none, with the next.
// before is the id for all that it does not get, first as well then.
func (l *Log) gapAt() (number uint64, before, first string) {
	if l.count() == 0 {
		before = idOf(l.epoch, l.last)
		return l.first, before, before
	}
	return l.first, idOf(l.epoch, l.floor), l.entries[l.head].ID
}

func (l *Log) grow(n int) {
	l.bytes += int64(n)
	l.hub.bytes.Add(int64(n))
}

func (l *Log) dropFirst() {
	e := l.entries[l.head]
	l.entries[l.head] = nil
	l.head++
	l.first++
	l.floor = e.at
	l.grow(-e.size())
	if l.head > len(l.entries)/2 {
		n := copy(l.entries, l.entries[l.head:])
		clear(l.entries[n:])
		l.entries, l.head = l.entries[:n], 0
		if n == 0 || cap(l.entries) > 64 && n < cap(l.entries)/8 {
			l.entries = append(make([]*entry, 0, 2*n), l.entries...)
		}
	}
}

// after returns the number of the first entry behind a position.
func (l *Log) after(at Position) uint64 {
	kept := l.entries[l.head:]
	n := sort.Search(len(kept), func(i int) bool { return at.Before(kept[i].at) })
	return l.first + uint64(n)
}

// And these take the lock.

// add adds an entry that was made for the epoch, and drops what there is no
// room for. The newest one stays.
func (l *Log) add(epoch string, e *entry) (added bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end != nil || l.epoch != epoch || !l.last.Before(e.at) {
		return false
	}
	l.entries = append(l.entries, e)
	l.last = e.at
	l.grow(e.size())
	for l.bytes > int64(l.hub.limits.History) && l.count() > 1 {
		l.dropFirst()
	}
	return true
}

// dropOld drops what is older than the limit, and reports whether nothing is
// left.
func (l *Log) dropOld(now time.Time) (empty bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	age := l.hub.limits.Age
	for age > 0 && l.count() > 0 && now.Sub(l.entries[l.head].kept) > age {
		l.dropFirst()
	}
	return l.count() == 0
}

// empty drops all that there is.
func (l *Log) empty() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.count() > 0 {
		l.dropFirst()
	}
}

// outcome is what a look for events has found.
type outcome uint8

const (
	more    outcome = iota // there may be more
	current                // that was all
	behind                 // the next event was dropped: see skip
	ended                  // that was all, and no more will come: see endedBy
)

// read copies entries from the number on into to, and returns how many.
func (l *Log) read(number uint64, to []*entry) (n int, what outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.settled():
		return 0, current
	case number < l.first:
		return 0, behind
	}
	rest := l.entries[l.head+int(number-l.first):]
	n = copy(to, rest)
	switch {
	case n < len(rest):
		return n, more
	case l.end != nil:
		return n, ended
	}
	return n, current
}

// skip is gapAt for a subscriber that is behind.
func (l *Log) skip() (number uint64, before, first string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gapAt()
}
