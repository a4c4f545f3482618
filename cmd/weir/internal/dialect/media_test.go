package dialect

import "testing"

func TestSniff(t *testing.T) {
	for body, want := range map[string]bool{
		"data: {}\n\n": true, "event: x\n": true, ": hi\n\n": true, "id: 1\n": true, "retry: 1\n": true, "\xef\xbb\xbfdata:x": true, "\r\n\ndata: x": true,
		`{"a":1}`: false, " {}": false, "[]": false, "date: x": false, "datax": false, "null": false, "\xef\xbb\xbf{}": false,
	} {
		if events, known := Sniff([]byte(body)); !known || events != want {
			t.Errorf("%q: got %v, known %v, want %v", body, events, known, want)
		}
		for cut := range body {
			if events, known := Sniff([]byte(body[:cut])); known && events != want {
				t.Errorf("%q cut at %d: got %v, want %v or not known", body, cut, events, want)
			}
		}
	}
}

func TestEvents(t *testing.T) {
	sse, lines := &Endpoint{Judge: func() Judge { return opaque{} }}, &Endpoint{Framing: Lines, Judge: func() Judge { return opaque{} }}
	for _, tt := range []struct {
		kind               string
		sse, lines, sseMay bool
	}{
		{"Text/Event-Stream; charset=utf-8", true, false, false},
		{"application/x-ndjson", false, true, false},
		{"application/NDJSON", false, true, false},
		{"application/json; charset=utf-8", false, false, true},
		{"text/html", false, false, false},
		{"", false, false, false},
	} {
		kind := []byte(tt.kind)
		if got := [...]bool{sse.Events(kind), lines.Events(kind), sse.MayBeEvents(kind)}; got != [...]bool{tt.sse, tt.lines, tt.sseMay} {
			t.Errorf("%s: got %v", tt.kind, got)
		}
		if lines.MayBeEvents(kind) {
			t.Errorf("%s may be lines", tt.kind)
		}
	}
}
