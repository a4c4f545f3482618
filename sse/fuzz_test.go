package sse

import (
	"strings"
	"testing"
	"time"
)

// reference decodes a whole stream the way the standard words it: lines first, then fields.
func reference(stream string) (r result) {
	whole := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(stream)
	lines := strings.Split(whole, "\n")
	rest := lines[len(lines)-1]
	lines[0] = strings.TrimPrefix(lines[0], "\xef\xbb\xbf")
	var data []string
	name, id, wait, pending := "", "-", time.Duration(0), false
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			if id != "-" {
				r.lastID = strings.TrimPrefix(id, "=")
			}
			if data != nil {
				text := name + "|" + strings.TrimPrefix(id, "=") + "|" + strings.Join(data, "\n")
				if wait != 0 {
					text += "|" + wait.String()
				}
				r.events = append(r.events, text)
			}
			data, name, id, wait, pending = nil, "", "-", 0, false
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "data":
			data, pending = append(data, value), true
		case "event":
			name, pending = value, true
		case "id":
			if !strings.Contains(value, "\x00") {
				id, pending = "="+value, true // so that an id of "-" is not taken for none
			}
		case "retry":
			if value != "" && strings.TrimLeft(value, "0123456789") == "" {
				wait = parseRetry([]byte(value))
				r.retry = wait
			}
		}
	}
	if pending || rest != "" {
		r.err = ErrTruncated
	}
	return r
}

func FuzzDecoder(f *testing.F) {
	for _, tt := range streams {
		f.Add(tt.stream, uint16(3), uint16(8))
	}
	f.Fuzz(func(t *testing.T, stream string, i, j uint16) {
		a, b := int(i)%(len(stream)+1), int(j)%(len(stream)+1)
		a, b = min(a, b), max(a, b)
		pieces := []string{stream[:a], stream[a:b], stream[b:]}
		if got, want := decode(t, new(Decoder), pieces...), reference(stream); !got.equal(want) {
			t.Fatalf("%q: got %v, want %v", pieces, got, want)
		}
		compareFramer(t, pieces...)
	})
}

// FuzzAppendEvent decodes what was encoded: one event, the same one, and nothing that an id or a name or a
// comment could have smuggled in.
func FuzzAppendEvent(f *testing.F) {
	for _, tt := range encodings {
		f.Add(tt.event.Name, tt.event.ID, tt.event.Data, int64(tt.event.Retry), tt.event.Comment)
	}
	f.Fuzz(func(t *testing.T, name, id string, data []byte, retry int64, comment string) {
		e := &Event{Name: name, ID: id, Data: data, Retry: time.Duration(retry), Comment: comment}
		stream, err := AppendEvent(nil, e)
		refused := strings.ContainsAny(name+id, "\r\n\x00") || retry < 0 || retry > 1 && retry < int64(time.Millisecond)
		if refused != (err != nil) || refused && len(stream) > 0 {
			t.Fatalf("%+v: got %q, %v, want refused: %v", e, stream, err, refused)
		}
		if refused {
			return
		}
		d := &Decoder{MaxLine: 1 << 30, MaxEvent: 1 << 30}
		got := decode(t, d, string(AppendComment(stream, comment)))
		if want := expected(e); !got.equal(want) {
			t.Fatalf("%+v: got %v, want %v", e, got, want)
		}
	})
}

// expected is what a client makes of e.
func expected(e *Event) (r result) {
	r.lastID = e.ID
	if e.Retry > 0 {
		r.retry = max(e.Retry.Truncate(time.Millisecond), RetryNow)
	}
	if e.Data == nil && e.Name == "" {
		return r
	}
	id := e.ID
	if id == "" {
		id = "-"
	}
	text := e.Name + "|" + id + "|" + strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(e.Data))
	if r.retry != 0 {
		text += "|" + r.retry.String()
	}
	r.events = []string{text}
	return r
}
