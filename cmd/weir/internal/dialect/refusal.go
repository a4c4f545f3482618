package dialect

import (
	"bytes"
	"encoding/json"
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
	var b struct {
		Object, Type string
		Error        json.RawMessage
		refusalText
	}
	if json.Unmarshal(body, &b) != nil {
		return nil, false
	}
	f = &Fault{Status: status, body: body}
	switch {
	case b.Object == "error" && isEmpty(b.Error): // vLLM's before 2025, SGLang's
		f.take(&b.refusalText)
		f.class = b.Type
	case isEmpty(b.Error):
		return nil, false
	case json.Unmarshal(b.Error, &f.Message) == nil:
		f.shape = ShapeText
	default:
		var in struct {
			Type string
			refusalText
		}
		_ = json.Unmarshal(b.Error, &in) // what has another type is not taken
		f.take(&in.refusalText)
		f.class, f.shape = in.Type, ShapeObject
		if b.Type == "error" {
			f.shape = ShapeTyped
		}
	}
	if f.Message == "" {
		f.Message = Refused(status).Message
	}
	return f, true
}

// refusalText is what an error says beside its type.
type refusalText struct {
	Message, Param string
	Code           any // engines also send numbers
}

func (f *Fault) take(t *refusalText) {
	f.Message, f.Param = t.Message, t.Param
	f.Code, _ = t.Code.(string)
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

// Class returns what an upstream with bodies of that shape called the kind of
// error; "" if it was no such upstream.
func (f *Fault) Class(of Shape) string {
	if f.shape != of {
		return ""
	}
	return f.class
}
