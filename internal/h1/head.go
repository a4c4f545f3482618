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
	if err := x.up.Begin(head, hasBody); err != nil {
		c.refuse(err)
		return !c.phase.ended()
	}
	switch {
	case hasBody:
		return c.beginBody(x, rest) || !c.phase.ended()
	case c.admits(x):
		c.Serve(x)
	default:
		c.phase = phaseResponding
	}
	return true
}

// admits asks whether the request is to be served.
func (c *Conn) admits(x *Exchange) bool {
	if x.up.Admit() {
		return true
	}
	x.sealed = x.Over()
	return false
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
	switch {
	case err != nil:
		c.refuseFor(err, c.phase == phaseResponding && x.received == 0)
		return false
	case !left:
		x.sealed = x.Over()
	case c.alarm == atDeadline && c.phase == phaseResponding:
		c.alarm = atReview
		c.startTimer(c.Loop().Now().Add(reviewAfter))
	}
	return true
}
