package mock

import (
	"encoding/json"
	"strconv"

	"weir/cmd/weir/internal/openai"
	"weir/cmd/weir/internal/speak"
)

// appendError appends the body of a response that is an error of the dialect's.
func appendError(dst []byte, d *speak.Dialect, e speak.Error) []byte {
	switch family(d) {
	case "anthropic":
		return appendJSON(dst, map[string]any{
			"type": "error", "request_id": "req_" + answerID,
			"error": map[string]string{"type": e.Type, "message": e.Message},
		})
	case "ollama":
		return appendJSON(dst, map[string]string{"error": e.Message})
	}
	whole := openai.Error{Message: e.Message, Type: e.Type, Code: e.Code}
	return whole.Append(dst)
}

func appendJSON(dst []byte, v any) []byte {
	text, _ := json.Marshal(v) // maps of strings
	return append(dst, text...)
}

// refused is the error of a response that was set to have a status.
func refused(status int) speak.Error {
	return speak.Error{
		Message: "The mock was set to respond with " + strconv.Itoa(status) + ".",
		Type:    openai.TypeServer,
		Code:    "mock_" + strconv.Itoa(status),
	}
}

// ErrorBody returns the body of a response with that status, from 400 on, in
// chat's dialect.
func ErrorBody(status int) []byte { return appendError(nil, speak.Chat, refused(status)) }

func refusal(in *incoming, status int, e speak.Error) answer {
	return answer{status: status, body: appendError(nil, in.dialect(), e)}
}

func notAllowed(in *incoming, allow string) answer {
	e := openai.MethodNotAllowed(in.Method, in.path)
	a := refusal(in, e.Status, speak.Error{Type: e.Type, Code: e.Code, Message: e.Message})
	a.fields = []Field{{"Allow", allow}}
	return a
}

func healthAnswer(status int) answer {
	if status >= 400 {
		return answer{status: status, body: ErrorBody(status)}
	}
	return answer{status: status, body: []byte(`{"status":"ok"}`)}
}
