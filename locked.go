package weir

// locked is an exchange whose output is locked. What needs the lock is a method
// of it, or takes one. Exactly one of the methods that release the lock ends
// it: unlock, unlockOnLoop, flush, flushWith and later below, and those
// elsewhere whose comments say so.
//
// What happens to the exchange is noted while it is locked and reported when
// the lock is released, so that no function of the user's is called under it.
type locked struct{ ex *exchange }

// notes say what is to be reported.
type notes uint8

const (
	noteEnd   notes = 1 << iota // to Done, Context and OnClose: the request has ended
	notePump                    // to the source: its stream has ended
	noteTrace                   // to the Trace: there are stations, and no other goroutine reports them
)

func (ex *exchange) lock() locked {
	ex.wire.Lock()
	return locked{ex}
}

// append adds a piece of the body, framed.
func (l locked) append(p []byte) {
	b := l.ex.wire.Buffer()
	*b = l.ex.stream.frame(*b, p)
}

// flush writes what is pending and releases the lock. While an inline handler
// runs, it only releases the lock: the loop writes at the end of its turn.
func (l locked) flush() { l.flushWith(nil, nil) }

// flushWith is flush with a large payload behind what is pending, and a tail.
func (l locked) flushWith(big, tail []byte) {
	switch ex := l.ex; {
	case ex.noted != 0:
		news := l.takeNews(false)
		l.flushWith(big, tail)
		news.announce()
	case ex.onLoop:
		if len(big)+len(tail) > 0 {
			b := ex.wire.Buffer()
			*b = append(append(*b, big...), tail...)
		}
		ex.wire.Unlock()
	default:
		ex.wire.FlushWith(big, tail)
	}
}

// later releases the lock, and what is pending is written at the end of the
// loop's turn. On the loop.
func (l locked) later() {
	if l.ex.noted != 0 {
		l.report(true, l.ex.wire.Defer)
		return
	}
	l.ex.wire.Defer()
}

// unlock releases the lock; a later flush writes what is pending.
func (l locked) unlock() {
	if l.ex.noted != 0 {
		l.report(false, l.ex.wire.Unlock)
		return
	}
	l.ex.wire.Unlock()
}

// unlockOnLoop is unlock for the loop.
func (l locked) unlockOnLoop() { l.report(true, l.ex.wire.Unlock) }

// report releases the lock and reports what was noted.
func (l locked) report(onLoop bool, release func()) {
	news := l.takeNews(onLoop)
	release()
	news.announce()
}
