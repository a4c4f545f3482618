package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// The types that errors have.
const (
	TypeInvalidRequest = "invalid_request_error"
	TypeAuthentication = "authentication_error"
	TypeRateLimit      = "rate_limit_error"
	TypeServer         = "server_error"
)

// Error is a response that refuses a request. The zero values of Param and Code
// are written as null.
type Error struct {
	Status  int    // HTTP status
	Message string // for people
	Type    string // one of the Type constants
	Param   string // the field that is wrong, as in messages[0].role
	Code    string // for programs, as in model_not_found
}

func (e *Error) Error() string { return "openai: " + e.Message }

// Append appends the error's body.
func (e *Error) Append(dst []byte) []byte {
	dst = AppendString(append(dst, `{"error":{"message":`...), e.Message)
	dst = AppendString(append(dst, `,"type":`...), e.Type)
	dst = appendNullable(append(dst, `,"param":`...), e.Param)
	dst = appendNullable(append(dst, `,"code":`...), e.Code)
	return append(dst, "}}"...)
}

// AppendEvent appends the error as an event, for a stream whose head was sent.
// No [DONE] follows it: a response that failed must not look complete.
func (e *Error) AppendEvent(dst []byte) []byte {
	return append(e.Append(append(dst, "data: "...)), "\n\n"...)
}

// Event makes an error's body an event, as AppendEvent does; nil if it is not
// an error of this dialect.
func Event(body []byte) []byte {
	event := bytes.NewBufferString("data: ")
	if json.Compact(event, body) != nil {
		return nil
	}
	event.WriteString("\n\n")
	if !IsErrorEvent(nil, event.Bytes()) {
		return nil
	}
	return event.Bytes()
}

func invalid(param, code, format string, args ...any) *Error {
	return &Error{
		Status:  http.StatusBadRequest,
		Message: fmt.Sprintf(format, args...),
		Type:    TypeInvalidRequest,
		Param:   param,
		Code:    code,
	}
}

// under moves an error about a value to the place where that value is.
func (e Error) under(place string) *Error {
	moved := place + e.Param
	e.Message = strings.Replace(e.Message, "'"+e.Param+"'", "'"+moved+"'", 1)
	e.Param = moved
	return &e
}

func missing(param string) *Error {
	return invalid(param, "missing_required_parameter", "Missing required parameter: '%s'.", param)
}

// BadJSON refuses a body that is not a JSON object.
func BadJSON() *Error {
	return invalid("", "", "We could not parse the JSON body of your request: want one JSON object.")
}

// MissingModel refuses a request that names no model.
func MissingModel() *Error { return missing("model") }

// ModelNotFound refuses a model that is not served.
func ModelNotFound(model string) *Error {
	return &Error{
		Status:  http.StatusNotFound,
		Message: fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", model),
		Type:    TypeInvalidRequest,
		Param:   "model",
		Code:    "model_not_found",
	}
}

// Loop refuses a request that has come through the gateway too often
// (RFC 5842 7.2).
func Loop() *Error {
	return &Error{
		Status:  http.StatusLoopDetected,
		Message: "The request is in a loop: Via names this gateway too many times.",
		Type:    TypeServer,
		Code:    "loop_detected",
	}
}

// NotFound refuses a path that is not served.
func NotFound(method, path string) *Error {
	return &Error{
		Status:  http.StatusNotFound,
		Message: fmt.Sprintf("Invalid URL (%s %s)", method, path),
		Type:    TypeInvalidRequest,
		Code:    "unknown_url",
	}
}

// MethodNotAllowed refuses a method that the path does not have. The response
// also needs an Allow header.
func MethodNotAllowed(method, path string) *Error {
	return &Error{
		Status:  http.StatusMethodNotAllowed,
		Message: fmt.Sprintf("Not allowed to %s on %s.", method, path),
		Type:    TypeInvalidRequest,
		Code:    "method_not_supported",
	}
}

// TooLarge refuses a body beyond limit bytes.
func TooLarge(limit int64) *Error {
	return &Error{
		Status:  http.StatusRequestEntityTooLarge,
		Message: fmt.Sprintf("The request body is larger than %d bytes.", limit),
		Type:    TypeInvalidRequest,
		Code:    "request_too_large",
	}
}

// Overloaded refuses a request for which there is no slot. The response also
// needs a Retry-After header.
func Overloaded() *Error {
	return Unavailable("overloaded", "The server is at its limit of concurrent requests.")
}

// NoRoom refuses a request for whose body there is no memory. The response also
// needs a Retry-After header.
func NoRoom() *Error {
	return Unavailable("request_memory_exhausted", "The server has no memory left for request bodies.")
}

// Unavailable refuses a request for which no upstream is available. The
// response also needs a Retry-After header.
func Unavailable(code, message string) *Error {
	return &Error{
		Status:  http.StatusServiceUnavailable,
		Message: message + " Please try again later.",
		Type:    TypeServer,
		Code:    code,
	}
}

// ServerError is a failure that is not the client's: status is 500, or 502 and
// 504 for an upstream's.
func ServerError(status int, message string) *Error {
	return &Error{Status: status, Message: message, Type: TypeServer}
}

// Refused is the error for an upstream's response with that status and no body
// that could be passed on.
func Refused(status int) *Error {
	e := ServerError(status, fmt.Sprintf("The upstream responded with %d %s.", status, http.StatusText(status)))
	switch {
	case status == http.StatusTooManyRequests:
		e.Type = TypeRateLimit
	case status < 500:
		e.Type = TypeInvalidRequest
	}
	return e
}
