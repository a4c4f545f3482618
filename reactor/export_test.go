package reactor

import "time"

// AwaitLog returns when the log has taken what was logged.
func (r *Reactor) AwaitLog() { r.logs.Wait(time.Minute) }
