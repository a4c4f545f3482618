package dialect

// opaque judges events of which nothing is known: each is of the model, and the
// response is complete when its body is.
type opaque struct{}

var nothing Node

func (opaque) Reset()                                           {}
func (opaque) Members() *Node                                   { return &nothing }
func (opaque) Member(Slot, Value) bool                          { return false }
func (opaque) Event(Event) Verdict                              { return Substance }
func (opaque) Finished() bool                                   { return true }
func (opaque) AppendFault(dst []byte, _ *Fault, _ Stamp) []byte { return dst }
func (opaque) AppendKeepAlive(dst []byte, _ Stamp) []byte       { return dst }

func (e *Endpoint) newJudge() Judge {
	if e.Judge == nil {
		return opaque{}
	}
	return e.Judge()
}
