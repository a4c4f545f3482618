package h1

// This file counts what of a connection's input is not consumed.

// fewInput is how much of it is not counted: a part of an ordinary head.
const fewInput = 4 << 10

// keepInput counts what is not consumed by now, and reports false if there is
// no room for it.
func (c *Conn) keepInput(rest int) bool {
	bodies, more := c.group.limits.Bodies, -c.input
	if rest > fewInput && !c.phase.ended() {
		more += int64(rest)
	}
	switch {
	case more > 0 && !bodies.Take(more):
		return false
	case more < 0:
		bodies.Give(-more)
	}
	c.input += more
	return true
}

// dropInput discards input for which there is no room. A request that is
// arriving is refused, and another protocol's connection ends. Requests that wait
// behind a response are not served: the connection closes with that response.
func (c *Conn) dropInput() {
	switch {
	case c.x == nil:
		c.close()
	case c.phase == phaseSwitched, c.phase == phaseResponding && c.switching():
		c.endWith(ErrBodiesFull)
	case c.phase == phaseResponding:
		c.closeAfter(c.x)
		c.rc.Pause()
	default:
		c.refuse(ErrBodiesFull)
	}
	c.keepInput(0)
}
