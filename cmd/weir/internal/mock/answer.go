package mock

import "weir/cmd/weir/internal/dialect"

// answer is the response to a request: stream or body is set.
type answer struct {
	status int
	fields []Field
	stream *Body
	body   []byte
}

// respond reads the rest of the request and sends the response. It reports
// whether the connection can have another request.
func (c *conn) respond(in *incoming) (keep bool, f fate) {
	p, err := c.srv.planAhead(in)
	if err == nil && !p.early {
		if !c.pause(p.slowBody) || !c.readBody(in) {
			return false, c.brokenBody()
		}
		p, err = c.srv.planBehind(in, p)
	}
	if err == nil {
		err = p.fit(in)
	}
	a := c.srv.choose(in, &p, err)
	c.srv.seen.update(func(*Counts) { in.Faults = p.faults })
	play := newPlayer(c, in, &p, a)
	f = play.play()
	if f == fateWhole && p.early && play.keep && !c.readBody(in) {
		return false, f
	}
	c.keep, c.idle = p.keep, p.idle
	return play.keep, f
}

// brokenBody is the fate of a response to an incomplete request.
func (c *conn) brokenBody() fate {
	select {
	case <-c.disconnected:
		return fateDisconnected
	default: // not chunks
		c.finish(true)
		return fateEnded
	}
}

// planAhead returns the plan as far as the head determines it, which is all of
// it unless a rule asks for the model.
func (s *Server) planAhead(in *incoming) (plan, error) {
	var set Set
	if !s.rules.needsModel() {
		set = s.rules.match(in.path, "")
		in.ruled = true
	}
	return s.plan(set, in)
}

// planBehind returns the plan when the body has arrived.
func (s *Server) planBehind(in *incoming, ahead plan) (plan, error) {
	if in.ruled {
		return ahead, nil
	}
	return s.plan(s.rules.match(in.path, in.Model), in)
}

func (s *Server) plan(rule Set, in *incoming) (plan, error) {
	p := s.base
	if err := rule.apply(&p); err != nil {
		return s.base, err
	}
	if err := in.settings.apply(&p); err != nil {
		return s.base, err
	}
	return p, nil
}

// choose returns the response. wrong is what is wrong with the request's
// settings.
func (s *Server) choose(in *incoming, p *plan, wrong error) answer {
	var a answer
	switch {
	case wrong != nil:
		a = refusal(in, &dialect.Fault{Status: 400, Code: "mock_setting", Message: wrong.Error()})
	case p.status >= 400:
		a = answer{status: p.status, body: appendError(nil, in.path, refused(p.status))}
	default:
		a = s.endpoint(in, p)
		if p.status > 0 {
			a.status = p.status
		}
	}
	kind := Field{"Content-Type", "application/json"}
	if a.stream != nil {
		kind.Value = a.stream.dialect().MediaType
	}
	a.fields = append([]Field{kind}, a.fields...)
	return a
}
