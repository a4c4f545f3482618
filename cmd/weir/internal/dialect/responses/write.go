package responses

import (
	"math/rand/v2"
	"strconv"

	"weir/cmd/weir/internal/dialect"
)

// NewID returns a new id for a response. It is random, not secret.
func NewID() string { return newID("resp_") }

func newID(prefix string) string {
	const hex = "0123456789abcdef"
	id := make([]byte, 0, len(prefix)+32)
	id = append(id, prefix...)
	for range 32 {
		id = append(id, hex[rand.IntN(len(hex))])
	}
	return string(id)
}

// Response is what all events of one response have in common.
type Response struct {
	ID      string // NewID
	Model   string
	Created int64 // Unix time in seconds
}

// Status is how far a response has come.
type Status string

// The statuses.
const (
	InProgress Status = "in_progress"
	Completed  Status = "completed"
	Incomplete Status = "incomplete" // cut by the token limit
	Failed     Status = "failed"
)

// append appends the response object: output is its items, a JSON array's
// content. Readers want all its members, null or not.
func (r *Response) append(dst []byte, status Status, output []byte, u *Usage, f *dialect.Fault) []byte {
	dst = dialect.AppendString(append(dst, `{"id":`...), r.ID)
	dst = strconv.AppendInt(append(dst, `,"object":"response","created_at":`...), r.Created, 10)
	dst = append(append(append(dst, `,"status":"`...), status...), `","background":false,"error":`...)
	dst = appendError(dst, f)
	dst = append(dst, `,"incomplete_details":`...)
	if status == Incomplete {
		dst = append(dst, `{"reason":"max_output_tokens"}`...)
	} else {
		dst = append(dst, "null"...)
	}
	dst = dialect.AppendString(append(dst, `,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":`...), r.Model)
	dst = append(append(append(dst, `,"output":[`...), output...), ']')
	dst = append(dst, `,"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,`+
		`"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","store":false,`+
		`"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1.0,`+
		`"presence_penalty":0.0,"frequency_penalty":0.0,"truncation":"disabled","usage":`...)
	if u == nil {
		dst = append(dst, "null"...)
	} else {
		dst = u.append(dst)
	}
	return append(dst, `,"user":null,"metadata":{}}`...)
}

func appendError(dst []byte, f *dialect.Fault) []byte {
	if f == nil {
		return append(dst, "null"...)
	}
	dst = dialect.AppendString(append(dst, `{"code":`...), codeOf(f))
	dst = dialect.AppendString(append(dst, `,"message":`...), f.Message)
	return append(dst, '}')
}

// Usage counts the tokens of a request and its response.
type Usage struct{ Input, Cached, Output, Reasoning int }

func (u *Usage) append(dst []byte) []byte {
	for _, part := range [...]struct {
		name  string
		count int
	}{
		{`{"input_tokens":`, u.Input},
		{`,"input_tokens_details":{"cached_tokens":`, u.Cached},
		{`},"output_tokens":`, u.Output},
		{`,"output_tokens_details":{"reasoning_tokens":`, u.Reasoning},
		{`},"total_tokens":`, u.Input + u.Output},
	} {
		dst = strconv.AppendInt(append(dst, part.name...), int64(part.count), 10)
	}
	return append(dst, '}')
}

// appendEvent appends an event of that type up to the members that are its own.
func appendEvent(dst []byte, kind string, number int64) []byte {
	dst = append(append(append(dst, "event: "...), kind...), "\ndata: {\"type\":\""...)
	dst = strconv.AppendInt(append(append(dst, kind...), `","sequence_number":`...), number, 10)
	return append(dst, ',')
}
