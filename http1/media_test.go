package http1

import (
	"errors"
	"mime"
	"strings"
	"testing"
)

func TestIsMediaType(t *testing.T) {
	for value, want := range map[string]bool{
		"text/event-stream":                  true,
		"Text/Event-Stream":                  true,
		"TEXT/EVENT-STREAM; charset=UTF-8":   true,
		"text/event-stream;charset=utf-8":    true,
		"text/event-stream ; x":              true,
		" text/event-stream\t":               true,
		"text/event-stream;":                 true,
		"text/event-streamX":                 false,
		"text/event-stream-x":                false,
		"text/event-stream x":                false,
		"text/event-stream,":                 false,
		"text/html, text/event-stream":       false,
		"text/html; x=\"text/event-stream\"": false,
		"text/event-strea":                   false,
		"application/json":                   false,
		"":                                   false,
		";":                                  false,
	} {
		if got := IsMediaType([]byte(value), "text/event-stream"); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

// FuzzMediaType compares media types with package mime, which is stricter about parameters,
// and in these cases wider:
//   - it trims all of Unicode's white space, and not SP and HTAB alone (RFC 9110 5.6.3);
//   - it takes letters beyond ASCII whose lower case is an ASCII letter, such as Kelvin's sign.
func FuzzMediaType(f *testing.F) {
	for _, s := range []string{"text/event-stream", "Text/Event-Stream; charset=utf-8", "text/event-stream ; x", "text/event-streamX", "text", "a/b/c", "a/b;x=y;x=z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, _, err := mime.ParseMediaType(value)
		if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
			// What is wrong may be the parameters all the same: mime has no other word for those given twice.
			got, _, err = mime.ParseMediaType(before(value))
		}
		if strings.ContainsFunc(before(value), func(r rune) bool { return r > '~' || r < ' ' && r != '\t' }) {
			return
		}
		known := err == nil || errors.Is(err, mime.ErrInvalidMediaParameter)
		if known && got != "" && !IsMediaType([]byte(value), got) {
			t.Errorf("%q: got another media type than mime's %q", value, got)
		}
		for _, other := range []string{"text/event-stream", "application/json"} {
			if is := IsMediaType([]byte(value), other); is != (known && got == other) {
				t.Errorf("%q is %s: got %v, mime says %q, %v", value, other, is, got, err)
			}
		}
	})
}

// before is what is before the parameters.
func before(value string) string {
	value, _, _ = strings.Cut(value, ";")
	return value
}
