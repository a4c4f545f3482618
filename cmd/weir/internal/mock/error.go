package mock

import (
	"strconv"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/known"
)

// appendError appends the body of a response that is an error, in the dialect
// of the request's path.
func appendError(dst []byte, path string, f *dialect.Fault) []byte {
	return known.Of(path).AppendError(dst, f)
}

// refused is the error of a response that was set to have a status.
func refused(status int) *dialect.Fault {
	return &dialect.Fault{
		Status:  status,
		Message: "The mock was set to respond with " + strconv.Itoa(status) + ".",
		Code:    "mock_" + strconv.Itoa(status),
	}
}

// ErrorBody returns the body of a response with that status, from 400 on, in
// chat's dialect.
func ErrorBody(status int) []byte { return appendError(nil, chatPath, refused(status)) }

func refusal(in *incoming, f *dialect.Fault) answer {
	return answer{status: f.Status, body: appendError(nil, in.path, f)}
}

func notAllowed(in *incoming, allow string) answer {
	a := refusal(in, dialect.MethodNotAllowed(in.Method, in.path))
	a.fields = []Field{{"Allow", allow}}
	return a
}

func healthAnswer(status int) answer {
	if status >= 400 {
		return answer{status: status, body: ErrorBody(status)}
	}
	return answer{status: status, body: []byte(`{"status":"ok"}`)}
}
