package dialect

import "time"

// A Speaker writes one response of a model in a dialect, as a server does: for
// the demo and the mock. A stream is
//
//	AppendStart, and then in any order and number
//	  AppendThinking, AppendText                   pieces of text
//	  AppendCall and its pieces of AppendArguments
//	AppendEnd
//
// each of which appends whole events, or none where the dialect has to wait for
// more. A whole response is AppendWhole alone. A Speaker is for one response
// and not safe for concurrent use.
type Speaker interface {
	AppendStart(dst []byte) []byte
	AppendThinking(dst []byte, text string) []byte
	AppendText(dst []byte, text string) []byte
	// AppendCall begins a call of a tool; its Arguments are not looked at.
	AppendCall(dst []byte, c Call) []byte
	// AppendArguments appends a piece of the JSON of a call's arguments.
	AppendArguments(dst []byte, text string) []byte
	AppendEnd(dst []byte, s Stop, u Usage) []byte

	// AppendWhole appends the body of a response that is not a stream.
	AppendWhole(dst []byte, parts []Part, s Stop, u Usage) []byte
}

// A Head is what all parts of a response have in common.
type Head struct {
	ID      string // without the dialect's prefix: visible ASCII
	Model   string
	Created time.Time
	Usage   bool // a stream that ends with its usage, where the client has to ask for it
}

// A Call is a call of a tool.
type Call struct {
	ID, Name  string
	Arguments string // a JSON object
}

// A Part of a whole response is one of these.
type Part struct {
	Thinking, Text string
	Call           *Call
}

// Stop is why a response ended. That it called tools is seen from its calls.
type Stop uint8

// The reasons.
const (
	Ended Stop = iota // by itself, or at a stop sequence
	Cut               // by the token limit
)

// Usage counts the tokens of a request and its response.
type Usage struct {
	Input, Output int
	Cached        int           // of the input
	Thinking      int           // of the output
	Took          time.Duration // the response
}

// Speak appends a whole response as a stream.
func Speak(dst []byte, to Speaker, parts []Part, s Stop, u Usage) []byte {
	dst = to.AppendStart(dst)
	for _, p := range parts {
		switch {
		case p.Call != nil:
			dst = to.AppendCall(dst, *p.Call)
			dst = to.AppendArguments(dst, p.Call.Arguments)
		case p.Thinking != "":
			dst = to.AppendThinking(dst, p.Thinking)
		default:
			dst = to.AppendText(dst, p.Text)
		}
	}
	return to.AppendEnd(dst, s, u)
}
