package dialect

import (
	"fmt"
	"strings"

	"weir/http1"
)

// A Fault is why a request failed, in no dialect.
type Fault struct {
	Status  int    // of HTTP
	Param   string // the field of the request that is wrong, as in messages[0].role; "" = none
	Code    string // for programs, as in model_not_found; "" = none
	Message string // for people

	// What an upstream sent, if the fault was read from that.
	body  []byte
	shape Shape
	named int // the status that it names; 0 = none
}

// Error returns the message.
func (f *Fault) Error() string { return f.Message }

// Invalid is the fault of a request with something wrong in the field param.
func Invalid(param, code, format string, args ...any) *Fault {
	return &Fault{Status: 400, Param: param, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Missing refuses a request that lacks a field.
func Missing(param string) *Fault {
	return Invalid(param, "missing_required_parameter", "Missing required parameter: '%s'.", param)
}

// Under moves a fault about a value to the place where that value is.
func (f Fault) Under(place string) *Fault {
	moved := place + f.Param
	f.Message = strings.Replace(f.Message, "'"+f.Param+"'", "'"+moved+"'", 1)
	f.Param = moved
	return &f
}

// BadJSON refuses a body that is not a JSON object.
func BadJSON() *Fault {
	return Invalid("", "", "We could not parse the JSON body of your request: want one JSON object.")
}

// BadForm refuses a multipart body that cannot be read.
func BadForm() *Fault {
	return Invalid("", "", "We could not parse the multipart body of your request: want parts of form-data between the boundaries that Content-Type names.")
}

// ModelNotFound refuses a model that is not served.
func ModelNotFound(model string) *Fault {
	return &Fault{
		Status:  404,
		Message: fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", model),
		Param:   "model",
		Code:    "model_not_found",
	}
}

// Untranslated refuses a request for a model whose upstreams speak other
// dialects than the client (G23).
func Untranslated(model, client string, speak []string) *Fault {
	return &Fault{
		Status: 400,
		Message: fmt.Sprintf("The model `%s` cannot be asked in the dialect %s: its servers speak %s. If they speak more, `dialects` of the gateway's upstreams can say so.",
			model, client, strings.Join(speak, ", ")),
		Param: "model",
		Code:  "dialect_not_supported",
	}
}

// Loop refuses a request that has come through the gateway too often
// (RFC 5842 7.2).
func Loop() *Fault {
	return &Fault{
		Status:  508,
		Message: "The request is in a loop: Via names this gateway too many times.",
		Code:    "loop_detected",
	}
}

// NotFound refuses a path that is not served.
func NotFound(method, path string) *Fault {
	return &Fault{
		Status:  404,
		Message: fmt.Sprintf("Invalid URL (%s %s)", method, path),
		Code:    "unknown_url",
	}
}

// MethodNotAllowed refuses a method that the path does not have. The response
// also needs an Allow field.
func MethodNotAllowed(method, path string) *Fault {
	return &Fault{
		Status:  405,
		Message: fmt.Sprintf("Not allowed to %s on %s.", method, path),
		Code:    "method_not_supported",
	}
}

// NoUpgrade refuses a request for another protocol.
func NoUpgrade(protocol string) *Fault {
	return &Fault{
		Status:  426,
		Message: fmt.Sprintf("The protocol %s is not served here: send the request over HTTP.", protocol),
		Code:    "upgrade_not_supported",
	}
}

// BadCoding refuses a body in a content coding that is not known.
func BadCoding(coding string) *Fault {
	return &Fault{
		Status:  415,
		Message: fmt.Sprintf("The content coding %s of the request body is not supported: send it as it is, or with gzip or zstd.", coding),
		Code:    "unsupported_content_encoding",
	}
}

// TooLarge refuses a body beyond limit bytes.
func TooLarge(limit int64) *Fault {
	return &Fault{
		Status:  413,
		Message: fmt.Sprintf("The request body is larger than %d bytes.", limit),
		Code:    "request_too_large",
	}
}

// Overloaded refuses a request for which there is no slot. The response also
// needs a Retry-After field.
func Overloaded() *Fault {
	return Unavailable("overloaded", "The server is at its limit of concurrent requests.")
}

// NoRoom refuses a request for whose body there is no memory. The response also
// needs a Retry-After field.
func NoRoom() *Fault {
	return Unavailable("request_memory_exhausted", "The server has no memory left for request bodies.")
}

// Unavailable refuses a request for which no upstream is available. The
// response also needs a Retry-After field.
func Unavailable(code, message string) *Fault {
	return &Fault{
		Status:  503,
		Message: message + " Please try again later.",
		Code:    code,
	}
}

// ServerError is a failure that is not the client's: status is 500, or 502 and
// 504 for an upstream's.
func ServerError(status int, message string) *Fault { return &Fault{Status: status, Message: message} }

// Refused is the fault for an upstream's response with that status whose body
// cannot be passed on.
func Refused(status int) *Fault {
	return ServerError(status, fmt.Sprintf("The upstream responded with %d %s.", status, http1.StatusText(status)))
}
