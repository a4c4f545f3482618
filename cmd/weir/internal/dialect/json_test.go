package dialect

import (
	"bytes"
	"encoding/json"
	"testing"
)

// encoding/json without its escaping of HTML is the oracle.
func FuzzAppendString(f *testing.F) {
	f.Add("日本 </script> \"quoted\\\"")
	f.Add("\xff\xe2\x80\b\f\r\t\x1f\x7f\u2029\ufffd\U0001F600")
	f.Fuzz(func(t *testing.T, s string) {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(s); err != nil {
			t.Fatal(err)
		}
		got := append(AppendString([]byte("x"), s), '\n')
		if string(got[1:]) != want.String() {
			t.Errorf("%q: got %s, want %s", s, got[1:], want.Bytes())
		}
	})
}
