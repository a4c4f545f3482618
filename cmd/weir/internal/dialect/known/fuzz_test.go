package known

import (
	"os"
	"path/filepath"
	"testing"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/transcript"
)

// FuzzReader has each dialect read a response of any bytes: wherever it is cut, its events have the same verdicts and it
// ends the same.
func FuzzReader(f *testing.F) {
	paths, err := filepath.Glob("../*/testdata/*.body")
	if err != nil || len(paths) < len(Dialects) {
		f.Fatal(paths, err)
	}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body[:min(len(body), 300)], uint(150)) // short ones are tried more often
	}
	f.Add([]byte("\xef\xbb\xbfdata:[DONE] \r\rid\n\r\ndata\ndata: {\"error\":\r\ndata: 1}"), uint(20))
	f.Fuzz(func(t *testing.T, body []byte, cut uint) {
		at := int(cut % uint(len(body)+1))
		for _, d := range Dialects {
			for _, e := range d.Endpoints() {
				if e.Kind != dialect.Generate {
					continue
				}
				want := transcript.Verdicts(e, body)
				if got := transcript.Verdicts(e, body[:at], body[at:]); got != want {
					t.Fatalf("%s: %q cut at %d: got\n%s\nwant\n%s", e.Path, body, at, got, want)
				}
				if got := transcript.Verdicts(e, transcript.Bytes(body)...); got != want {
					t.Fatalf("%s: %q byte by byte: got\n%s\nwant\n%s", e.Path, body, got, want)
				}
			}
		}
	})
}
