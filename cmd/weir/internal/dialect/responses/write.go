package responses

import (
	"math/rand/v2"
	"strconv"

	"weir/cmd/weir/internal/dialect"
)

// A Response is the object of that name: a whole response, or what the events of
// a stream begin and end with.
type Response struct {
	ID      string
	Model   string
	Created int64 // Unix time in seconds

	Status     string // in_progress, completed, incomplete or failed
	Incomplete string // why it is incomplete; "" = it is not
	Code       string // of the error with which it failed; "" = it did not
	Message    string // of that error
	Output     []byte // its items, as JSON with commas between them
	Usage      *Usage // nil = it is not known
}

// Usage is the tokens of a response.
type Usage struct{ Input, Output int }

// Append appends the object. Members that say nothing are there, too: clients of
// this dialect want them all.
func (r *Response) Append(dst []byte) []byte {
	dst = dialect.AppendString(append(dst, `{"id":`...), r.ID)
	dst = strconv.AppendInt(append(dst, `,"object":"response","created_at":`...), r.Created, 10)
	dst = dialect.AppendString(append(dst, `,"status":`...), r.Status)
	if r.Incomplete == "" {
		dst = append(dst, `,"incomplete_details":null`...)
	} else {
		dst = append(dialect.AppendString(append(dst, `,"incomplete_details":{"reason":`...), r.Incomplete), '}')
	}
	if r.Code == "" {
		dst = append(dst, `,"error":null`...)
	} else {
		dst = dialect.AppendString(append(dst, `,"error":{"code":`...), r.Code)
		dst = append(dialect.AppendString(append(dst, `,"message":`...), r.Message), '}')
	}
	dst = dialect.AppendString(append(dst, `,"model":`...), r.Model)
	dst = append(append(append(dst, `,"output":[`...), r.Output...), `],"usage":`...)
	dst = r.Usage.append(dst)
	return append(dst, `,"completed_at":null,"instructions":null,"temperature":1,"top_p":1,"top_logprobs":0`+
		`,"text":{"format":{"type":"text"}},"truncation":"disabled","reasoning":{"effort":null,"summary":null}`+
		`,"metadata":{},"store":false,"background":false,"service_tier":"default","presence_penalty":0`+
		`,"frequency_penalty":0,"max_output_tokens":null,"max_tool_calls":null,"previous_response_id":null`+
		`,"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"safety_identifier":null,"prompt_cache_key":null}`...)
}

func (u *Usage) append(dst []byte) []byte {
	if u == nil {
		return append(dst, "null"...)
	}
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), int64(u.Input), 10)
	dst = append(dst, `,"input_tokens_details":{"cached_tokens":0},"output_tokens":`...)
	dst = strconv.AppendInt(dst, int64(u.Output), 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":`...), int64(u.Input+u.Output), 10)
	return append(dst, '}')
}

// appendEvent appends an event that has the whole response and nothing else.
func (r *Response) appendEvent(dst []byte, kind string, number int64) []byte {
	dst = append(append(append(dst, "event: "...), kind...), "\ndata: {\"type\":\""...)
	dst = strconv.AppendInt(append(append(dst, kind...), `","sequence_number":`...), number, 10)
	return append(r.Append(append(dst, `,"response":`...)), "}\n\n"...)
}

// newID returns an id for a response. It is random, not secret.
func newID() string {
	const hex, prefix = "0123456789abcdef", "resp_"
	id := append(make([]byte, 0, len(prefix)+32), prefix...)
	for range 32 {
		id = append(id, hex[rand.IntN(len(hex))])
	}
	return string(id)
}

// codeOf returns what the dialect calls the error of a response.
func codeOf(f *dialect.Fault) string {
	switch {
	case f.Code != "":
		return f.Code
	case f.Status == 429:
		return "rate_limit_exceeded"
	case f.Status < 500:
		return "invalid_prompt"
	}
	return "server_error"
}
