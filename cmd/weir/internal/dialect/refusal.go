package dialect

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"strconv"
)

// Shape is how the body of an error is made.
type Shape uint8

// The shapes.
const (
	ShapeOther  Shape = iota
	ShapeObject       // {"error":{"message":"…","type":"…","code":"…"}}
	ShapeTyped        // {"type":"error","error":{"type":"…","message":"…"}}
	ShapeText         // {"error":"…"}
)

// ReadFault reads the body of an upstream's response that is an error, in any
// dialect's shape. ok is false if it is not one.
func ReadFault(status int, body []byte) (f *Fault, ok bool) {
	if f, ok = readFault(body); ok {
		f.Status = status
		f.Message = cmp.Or(f.Message, Refused(status).Message)
	}
	return f, ok
}

// readFault reads what may be an error: the body of a response, or an event.
// Members that have another type than in the dialects are not taken.
func readFault(body []byte) (f *Fault, ok bool) {
	var b struct {
		Object          string
		Error, Response json.RawMessage
		errorText
	}
	if err := json.Unmarshal(body, &b); err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
		return nil, false
	}
	f = &Fault{body: body}
	switch f.named = b.status(); {
	case !isEmpty(b.Error):
		f.read(b.Error)
		if f.shape == ShapeObject && b.Type == "error" {
			f.shape = ShapeTyped
		}
	case b.Type == "response.failed": // an event of Responses
		var in struct{ Error json.RawMessage }
		_ = json.Unmarshal(b.Response, &in)
		f.read(in.Error)
		f.shape = ShapeOther
	case b.Object == "error", b.Type == "error": // vLLM's before 2025, SGLang's; an event of Responses
		f.take(&b.errorText)
	default:
		return nil, false
	}
	return f, true
}

// read reads the value of error.
func (f *Fault) read(value json.RawMessage) {
	if json.Unmarshal(value, &f.Message) == nil {
		f.shape = ShapeText
		return
	}
	var in errorText
	_ = json.Unmarshal(value, &in)
	f.take(&in)
	f.shape = ShapeObject
}

// errorText is what an error says.
type errorText struct {
	Type, Message, Param string
	Code, Status         any // engines also send numbers
}

func (f *Fault) take(t *errorText) {
	f.Message, f.Param = t.Message, t.Param
	f.Code, _ = t.Code.(string)
	f.named = cmp.Or(t.status(), f.named)
}

// status returns the status that an error names; 0 = none.
func (t *errorText) status() int {
	for _, name := range [...]any{t.Code, t.Status, t.Type} {
		n := 0
		switch name := name.(type) {
		case float64:
			n = int(name)
		case string:
			if n = statuses[name]; n == 0 {
				n, _ = strconv.Atoi(name) // else it is another name
			}
		}
		if 400 <= n && n < 600 {
			return n
		}
	}
	return 0
}

// isEmpty reports whether a JSON value is absent, null, false, 0, "", {} or [].
func isEmpty(value json.RawMessage) bool {
	switch b := bytes.TrimSpace(value); {
	case len(b) == 0:
		return true
	case b[0] == '{' || b[0] == '[':
		return len(bytes.TrimSpace(b[1:len(b)-1])) == 0
	case b[0] == '"':
		return len(b) == 2
	case b[0] == '-' || b[0]-'0' < 10:
		return isZero(b)
	default:
		return b[0] != 't'
	}
}

// AppendBody appends the body from which the fault was read, on one line, if it
// has that shape: an upstream's own words are worth more than ours.
func (f *Fault) AppendBody(dst []byte, want Shape) (out []byte, ok bool) {
	if f.shape != want {
		return dst, false
	}
	var line bytes.Buffer
	if json.Compact(&line, f.body) != nil {
		return dst, false
	}
	return append(dst, line.Bytes()...), true
}
