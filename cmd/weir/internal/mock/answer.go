package mock

import (
	"strings"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/openai"
)

// answer is the response to a request: one of the two is set.
type answer struct {
	status int
	fields []Field
	stream *speech
	body   []byte
}

const (
	chatPath   = "/v1/chat/completions"
	modelsPath = "/v1/models"
	healthPath = "/health"
)

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
		ahead.body.Model, ahead.body.Usage = in.Model, in.usage
		return ahead, nil
	}
	return s.plan(s.rules.match(in.path, in.Model), in)
}

func (s *Server) plan(rule Set, in *incoming) (plan, error) {
	p := s.base
	p.body.Model, p.body.Usage = in.Model, in.usage
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
		a = refusal(&dialect.Fault{Status: 400, Message: wrong.Error(), Code: "mock_setting"})
	case p.status >= 400:
		a = answer{status: p.status, body: ErrorBody(p.status)}
	default:
		a = s.endpoint(in, p)
		if p.status > 0 {
			a.status = p.status
		}
	}
	kind := Field{"Content-Type", "application/json"}
	if a.stream != nil {
		kind.Value = "text/event-stream"
	}
	a.fields = append([]Field{kind}, a.fields...)
	return a
}

// endpoint returns the response of a server without faults.
func (s *Server) endpoint(in *incoming, p *plan) answer {
	one, isModel := strings.CutPrefix(in.path, modelsPath+"/")
	switch {
	case in.path == chatPath && in.Method != "POST":
		return notAllowed(in, "POST")
	case in.path == chatPath && in.Stream:
		return answer{status: 200, stream: newSpeech(p.body)}
	case in.path == chatPath:
		return answer{status: 200, body: UnaryBody(p.body)}
	case in.path != modelsPath && in.path != healthPath && !isModel:
		return refusal(dialect.NotFound(in.Method, in.path))
	case in.Method != "GET":
		return notAllowed(in, "GET")
	case in.path == healthPath:
		return healthAnswer(int(s.health.Load()))
	case isModel:
		return answer{status: 200, body: openai.AppendModel(nil, modelNamed(one))}
	}
	var models []openai.Model
	for _, id := range s.cfg.Models {
		models = append(models, modelNamed(id))
	}
	return answer{status: 200, body: openai.AppendModels(nil, models)}
}

func modelNamed(id string) openai.Model {
	return openai.Model{ID: id, Created: created, OwnedBy: "weir-mock"}
}

func healthAnswer(status int) answer {
	if status >= 400 {
		return answer{status: status, body: ErrorBody(status)}
	}
	return answer{status: status, body: []byte(`{"status":"ok"}`)}
}

func notAllowed(in *incoming, allow string) answer {
	a := refusal(dialect.MethodNotAllowed(in.Method, in.path))
	a.fields = []Field{{"Allow", allow}}
	return a
}

func refusal(e *dialect.Fault) answer {
	return answer{status: e.Status, body: openai.Dialect.AppendError(nil, e)}
}
