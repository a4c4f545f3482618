package responses

import (
	"math/rand/v2"
	"strconv"

	"weir/cmd/weir/internal/dialect"
)

// response is one that has failed, or has just begun: it has no output.
type response struct {
	id      string
	model   string
	created int64 // Unix time in seconds
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

// appendEvent appends an event with the whole response. Readers want all its
// members, null or not. A response without a fault is in progress.
func (r *response) appendEvent(dst []byte, kind string, number int64, f *dialect.Fault) []byte {
	dst = append(append(append(dst, "event: "...), kind...), "\ndata: {\"type\":\""...)
	dst = strconv.AppendInt(append(append(dst, kind...), `","sequence_number":`...), number, 10)
	dst = dialect.AppendString(append(dst, `,"response":{"id":`...), r.id)
	dst = strconv.AppendInt(append(dst, `,"object":"response","created_at":`...), r.created, 10)
	if f == nil {
		dst = append(dst, `,"status":"in_progress","error":null`...)
	} else {
		dst = dialect.AppendString(append(dst, `,"status":"failed","error":{"code":`...), codeOf(f))
		dst = append(dialect.AppendString(append(dst, `,"message":`...), f.Message), '}')
	}
	dst = append(dst, `,"background":false,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":`...)
	dst = dialect.AppendString(dst, r.model)
	return append(dst, `,"output":[],"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,`+
		`"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","store":false,`+
		`"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1.0,`+
		`"presence_penalty":0.0,"frequency_penalty":0.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}}}`+"\n\n"...)
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
