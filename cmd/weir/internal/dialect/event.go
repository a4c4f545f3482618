package dialect

import (
	"bytes"
	"cmp"
)

// FaultOf returns the error that the last event of stream reports, with the
// status that it names. stream is what has arrived of a response to a request of
// e, or the end of that; the event need not have its own end.
func (e *Endpoint) FaultOf(stream []byte) *Fault {
	data := lastLine(stream)
	if e.Framing == SSE {
		data = lastData(stream)
	}
	f, ok := readFault(data)
	if !ok {
		f = new(Fault) // it is an error, whatever it says
	}
	f.Status = cmp.Or(f.named, 502)
	f.Message = cmp.Or(f.Message, "The upstream sent an error in place of a response.")
	return f
}

// lastLine returns the last line with something on it.
func lastLine(stream []byte) []byte {
	stream = bytes.TrimSpace(stream)
	return stream[bytes.LastIndexByte(stream, '\n')+1:]
}

// lastData returns the data of the last event that has some.
func lastData(stream []byte) (last []byte) {
	var data [][]byte
	end := func() {
		if data != nil {
			last, data = bytes.Join(data, []byte("\n")), nil
		}
	}
	for stream = bytes.TrimPrefix(stream, []byte(bom)); len(stream) > 0; {
		var line []byte
		if line, stream = cutLine(stream); len(line) == 0 {
			end()
			continue
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); string(name) == "data" {
			data = append(data, bytes.TrimPrefix(value, []byte(" ")))
		}
	}
	end()
	return last
}

// cutLine cuts the first line off, with its line break.
func cutLine(b []byte) (line, rest []byte) {
	end := lineEnd(b)
	if end < 0 {
		return b, nil
	}
	line, rest = b[:end], b[end+1:]
	if b[end] == '\r' {
		rest = bytes.TrimPrefix(rest, []byte("\n"))
	}
	return line, rest
}

// statuses are what the errors of a stream name by a word, in the dialects and
// in the engines that speak them.
var statuses = map[string]int{
	"invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403, "not_found_error": 404,
	"request_too_large": 413, "rate_limit_error": 429, "api_error": 500, "timeout_error": 504, "overloaded_error": 529, // Anthropic's

	"invalid_prompt": 400, "context_length_exceeded": 400, "invalid_api_key": 401, "permission_denied": 403, "model_not_found": 404,
	"rate_limit_exceeded": 429, "insufficient_quota": 429, "server_error": 500, "server_is_overloaded": 503, "slow_down": 503, "timeout": 504, // OpenAI's

	"BadRequestError": 400, "exceed_context_size_error": 400, "NotFoundError": 404, "InternalServerError": 500, "internal_error": 500,
	"unavailable_error": 503, "service_unavailable": 503, "overloaded": 503, // vLLM's, SGLang's, llama.cpp's and of gateways
}
