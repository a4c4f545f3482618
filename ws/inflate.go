package ws

// This file is how a connection inflates messages. How long that takes is up to
// their sender: a message may have a thousand times its size, or blocks without
// content. So an inline connection does on its loop what is short, up to a share
// of a turn, and the rest on a goroutine, for which what comes behind it waits.

const (
	inflateShort = 2 << 10  // bytes of a compressed message that is inflated on the loop
	inflateShare = 64 << 10 // bytes that a connection inflates there in a turn
	inflateCost  = 16       // of that share, at most, for a byte that is compressed
)

// inflate inflates a message of an inline connection, and delivers it.
func (c *Conn) inflate(f *inflater) {
	if len(f.in) <= inflateShort && c.share > 0 {
		done, err := f.step(int(c.share))
		c.share -= int32(len(f.out) + inflateCost*len(f.in))
		if done || err != nil {
			c.deliverInflated(f, err)
			return
		}
	}
	c.inflating, f.conn = true, c
	go f.run()
}

// run is the goroutine.
func (f *inflater) run() {
	defer f.conn.rescue()
	f.err = f.conn.inflateAll(f)
	f.conn.link.loop().Post((*inflatedTask)(f))
}

// inflatedTask is an inflater that is ready, as a task of the loop.
type inflatedTask inflater

func (t *inflatedTask) Run() {
	f, c := (*inflater)(t), t.conn
	c.inflating, c.share = false, inflateShare
	c.deliverInflated(f, f.err)
	c.hold(0)
	c.proceed()
}

// deliverInflated passes on what has become of a message. On the loop.
func (c *Conn) deliverInflated(f *inflater, err error) {
	switch {
	case err != nil:
		f.drop()
		c.finish(err)
	case c.ended, c.deaf.Load():
		f.drop()
	default:
		kind, body := f.kind, f.hand()
		c.deliver(kind, body)
		release(body)
	}
}

// inflated returns the message of an item; ok is false if it is none.
func (c *Conn) inflated(it item) (body []byte, ok bool) {
	if !it.deflated {
		return it.body, true
	}
	f := newInflater(it.body, it.kind, c.set.MaxMessage)
	if err := c.inflateAll(f); err != nil {
		f.drop()
		c.deaf.Store(true)
		c.conclude(err)
		return nil, false
	}
	return f.hand(), true
}

// inflateAll inflates a message, and counts what it holds. On a goroutine.
func (c *Conn) inflateAll(f *inflater) error {
	for {
		done, err := f.step(inflateShare)
		if err == nil && !c.hold(f.held()) {
			err = errKept
		}
		if done || err != nil {
			return err
		}
	}
}
