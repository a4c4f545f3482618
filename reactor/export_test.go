package reactor

import (
	"os"
	"time"
)

// AwaitLog returns when the log has taken what was logged.
func (r *Reactor) AwaitLog() { r.logs.Wait(time.Minute) }

// LoseSpare lets somebody else have the spare descriptor, as one who opens a
// file at the wrong moment does; f is open then.
func (r *Reactor) LoseSpare() (f *os.File, err error) {
	r.spare.mu.Lock()
	defer r.spare.mu.Unlock()
	r.spare.give()
	return os.Open(os.DevNull)
}
