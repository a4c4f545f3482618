package dialect

import (
	"encoding/json"
	"testing"
)

// FuzzUnescape compares with encoding/json.
func FuzzUnescape(f *testing.F) {
	for _, s := range []string{`a\"b\\c\/\b\f\n\r\t`, `\u00e9\u65e5`, `\ud83d\ude42`, `\ud83d`, `\ud83dx`, `\ude42\ud83d`, `\ud83d\u0041`, `\x`, `\u12`, `\u+123`, `\`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := []byte(`"` + s + `"`)
		for _, c := range s {
			if c < ' ' || c == '\ufffd' {
				t.Skip()
			}
		}
		var want string
		err := json.Unmarshal(quoted, &want)
		if err == nil && !json.Valid(quoted) {
			t.Skip()
		}
		got, ok := unescape([]byte(s))
		if err == nil && (!ok || string(got) != want) {
			t.Errorf("%s: got %q, %v, want %q", s, got, ok, want)
		}
	})
}
