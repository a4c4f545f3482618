package h1

func (c *Conn) readHead(p []byte) (n int, more bool) {
	if len(p) == 0 {
		return 0, false
	}
	if c.x == nil {
		c.x = c.group.host.Exchange(c)
	}
	x := c.x
	n, err := x.request.Parse(p, &c.group.limits.Head)
	switch {
	case err != nil:
		c.refuse(err)
		return 0, false
	case n == 0:
		c.awaitHead()
		return 0, false
	}
	return n, c.begin(x, p[:n], p[n:])
}

// awaitHead is a head of which only a part is here.
func (c *Conn) awaitHead() {
	switch {
	case c.rc.InputEnded():
		c.close()
	case c.phase == phaseIdle:
		c.phase = phaseHead
		c.since = c.Loop().Now()
		c.startTimer(c.since.Add(c.group.limits.HeadTime))
	}
}

// begin begins a request whose head is complete; rest is what has arrived
// behind it. It reports whether the connection can make another move.
func (c *Conn) begin(x *Exchange, head, rest []byte) (more bool) {
	hasBody := x.request.Chunked() || x.request.ContentLength() > 0
	if c.phase = phaseResponding; hasBody {
		c.beginBody(x, len(rest))
	}
	admitted, err := x.up.Begin(head, hasBody)
	switch {
	case err != nil:
		c.refuse(err)
	case !hasBody && admitted:
		c.Serve(x)
		return true
	case !hasBody:
		return true
	case admitted:
		more = c.planBody(x, rest)
	default:
		more = c.skipBody(x)
	}
	return more || !c.phase.ended()
}

// Serve has a request served that is complete.
func (c *Conn) Serve(x *Exchange) {
	c.phase = phaseResponding
	if c.rc.InputEnded() {
		x.up.Depart()
	}
	c.serve(x)
}

// serve has a request served, or refuses it.
func (c *Conn) serve(x *Exchange) (served bool) {
	left, err := x.up.Serve()
	if err != nil {
		c.refuseFor(err, c.phase == phaseResponding && x.received == 0)
		return false
	}
	if left && c.alarm == atDeadline && c.phase == phaseResponding {
		c.alarm = atReview
		c.startTimer(c.Loop().Now().Add(reviewAfter))
	}
	return true
}

// Leave is called when what the Handler has called on the loop has returned, or
// before that when the response is complete: it is written at the end of the
// turn. The output is locked, and Leave unlocks it.
func (c *Conn) Leave(x *Exchange) {
	if x.Over() {
		x.sealed, x.full = true, c.rc.Backlogged()
	}
	c.rc.Defer()
}
