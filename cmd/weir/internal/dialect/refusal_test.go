package dialect

import "testing"

// An upstream's error is read in whatever shape it has; what is no error is not one.
func TestReadFault(t *testing.T) {
	for _, tt := range []struct {
		body                string
		ok                  bool
		message, code, line string
		shape               Shape
	}{
		{`{"error":{"message":"none","type":"t","param":"p","code":"c"}}`, true, "none", "c", `{"error":{"message":"none","type":"t","param":"p","code":"c"}}`, ShapeObject},
		{"{\"error\" : {\"message\":\"none\",\n\"code\":503}}", true, "none", "", `{"error":{"message":"none","code":503}}`, ShapeObject},
		{`{"type":"error","error":{"type":"overloaded_error","message":"busy"}}`, true, "busy", "", `{"type":"error","error":{"type":"overloaded_error","message":"busy"}}`, ShapeTyped},
		{`{"error":"gone"}`, true, "gone", "", `{"error":"gone"}`, ShapeText},
		{`{"object":"error","message":"busy","type":"t","code":503}`, true, "busy", "", "", ShapeOther},
		{`{"error":{"a":1}}`, true, "The upstream responded with 503 Service Unavailable.", "", `{"error":{"a":1}}`, ShapeObject},
		{`{"error":{"message":1}}`, true, "The upstream responded with 503 Service Unavailable.", "", `{"error":{"message":1}}`, ShapeObject},
		{`{"error":true}`, true, "The upstream responded with 503 Service Unavailable.", "", `{"error":true}`, ShapeObject},
		{`{"error":null,"choices":[]}`, false, "", "", "", 0},
		{`{"error":"","choices":[]}`, false, "", "", "", 0},
		{`{"error":{ },"choices":[]}`, false, "", "", "", 0},
		{`{"error":false}`, false, "", "", "", 0},
		{`{"error":0}`, false, "", "", "", 0},
		{`{"choices":[]}`, false, "", "", "", 0},
		{`{"error":{"message"`, false, "", "", "", 0},
		{`[]`, false, "", "", "", 0},
		{``, false, "", "", "", 0},
	} {
		f, ok := ReadFault(503, []byte(tt.body))
		if ok != tt.ok {
			t.Errorf("%s: got an error: %v, want %v", tt.body, ok, tt.ok)
		}
		if !ok {
			continue
		}
		line, _ := f.AppendBody(nil, tt.shape)
		if tt.shape == ShapeOther {
			line = nil
		}
		if f.Status != 503 || f.Message != tt.message || f.Code != tt.code || string(line) != tt.line {
			t.Errorf("%s: got %+v, %s", tt.body, f, line)
		}
	}
}
