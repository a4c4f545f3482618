package relay

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
)

// G3: a client that leaves in the middle of its body frees the upstream at once,
// also while that takes no more of it, or cannot be connected to.
func TestLeaveInUpload(t *testing.T) {
	body := padded(`{"model":"m",`, 4<<20, `}`)
	head := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(body))
	t.Run("the upstream takes it", func(t *testing.T) {
		atRig(t, 1, func(r *rig) {
			c := r.dial(head + body[:2*gatherLimit])
			up := r.asked(0)
			r.seen(up)
			c.Close()
			r.left(up != nil && r.closed(up))
		})
	})
	t.Run("the upstream takes no more", func(t *testing.T) {
		atRig(t, 1, func(r *rig) {
			c := r.dial(head + body[:2*gatherLimit])
			up := r.asked(0)
			up.SetWindow(0)
			go func() { _, _ = io.WriteString(c, body[2*gatherLimit:]) }() // until it has to wait, and then fails
			synctest.Wait()
			c.Close()
			r.seen(up)
			r.left(r.closed(up))
		})
	})
	t.Run("nobody answers to connecting", func(t *testing.T) {
		atRig(t, 1, func(r *rig) {
			r.ups[0].Hang()
			c := r.dial(head + body[:2*gatherLimit])
			r.asked(0)
			c.Close()
			r.left(true)
		})
	})
}

// left checks that the last request's client is known to have left.
func (r *rig) left(closed bool) {
	r.Helper()
	r.asked(0) // nothing moves any more
	if r.record == nil || !r.record.Left || !closed {
		r.Errorf("got record %+v and an upstream that is closed %v, want a client that left", r.record, closed)
	}
}
