package weir

// What happens to an exchange is noted under the output's lock and reported
// when the lock is released, in here, so that nothing of the user's is called
// under it: the one who releases the lock reports what was noted while it was
// held. Each of the functions below is entered with the lock and left without.

// notes say what is to be reported.
type notes uint8

const (
	noteEnd   notes = 1 << iota // to Done, Context and OnClose: the request has ended
	notePump                    // to the source: its stream has ended
	noteTrace                   // to the Trace: there are stations, and nobody else reports them
)

// flush has what is pending written: by the loop at the end of its turn while
// an inline handler runs, else at once.
func (ex *exchange) flush() { ex.flushWith(nil, nil) }

// flushWith is flush with a large payload behind what is pending, which is not
// for inline handlers.
func (ex *exchange) flushWith(big, tail []byte) {
	switch {
	case ex.noted != 0:
		news := ex.takeNews(false)
		ex.flushWith(big, tail)
		news.announce()
	case ex.onLoop:
		ex.rc.Unlock()
	default:
		ex.rc.FlushWith(big, tail)
	}
}

// flushLater has what is pending written at the end of the loop's turn. On the
// loop.
func (ex *exchange) flushLater() {
	if ex.noted != 0 {
		ex.report(true, ex.rc.Defer)
		return
	}
	ex.rc.Defer()
}

// unlock leaves what is pending to a later flush.
func (ex *exchange) unlock() {
	if ex.noted != 0 {
		ex.report(false, ex.rc.Unlock)
		return
	}
	ex.rc.Unlock()
}

// unlockOnLoop is unlock for the loop.
func (ex *exchange) unlockOnLoop() { ex.report(true, ex.rc.Unlock) }

// report releases the lock and reports what was noted.
func (ex *exchange) report(onLoop bool, release func()) {
	news := ex.takeNews(onLoop)
	release()
	news.announce()
}
