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
