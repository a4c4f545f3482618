package known

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/transcript"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

var (
	head  = dialect.Head{ID: "1", Model: `m"1`, Created: time.Date(2026, 1, 2, 3, 4, 5, 6e8, time.UTC), Usage: true}
	usage = dialect.Usage{Input: 10, Cached: 4, Output: 7, Thinking: 2, Took: 3 * time.Second}
	parts = []dialect.Part{
		{Thinking: "Hm.\n"}, {Text: `Grüße "日本" 🙂`},
		{Call: &dialect.Call{ID: "call_1", Name: "weather", Arguments: `{"city":"Zürich"}`}},
		{Call: &dialect.Call{ID: "call_2", Name: "time", Arguments: `{}`}},
	}
)

// What each dialect's speaker says is what its judge takes for a complete response, wherever it is cut.
func TestSpeakers(t *testing.T) {
	for _, d := range Dialects {
		for _, e := range d.Endpoints() {
			if e.Speaker == nil {
				continue
			}
			name := strings.ReplaceAll(strings.TrimPrefix(e.Path, "/"), "/", "-")
			t.Run(name, func(t *testing.T) {
				stream := dialect.Speak(nil, e.Speaker(head), parts, dialect.Ended, usage)
				golden(t, name+".stream", stream)
				golden(t, name+".json", e.Speaker(head).AppendWhole(nil, parts, dialect.Ended, usage))
				golden(t, name+"-cut.stream", dialect.Speak(nil, e.Speaker(head), parts[1:2], dialect.Cut, usage))
				golden(t, name+"-cut.json", e.Speaker(head).AppendWhole(nil, parts[1:2], dialect.Cut, usage))
				checkStream(t, e, stream)
				checkStream(t, e, dialect.Speak(nil, e.Speaker(head), nil, dialect.Ended, usage))
			})
		}
	}
}

func checkStream(t *testing.T, e *dialect.Endpoint, stream []byte) {
	t.Helper()
	verdicts := transcript.Verdicts(e, stream)
	if !strings.HasSuffix(verdicts, "properly: complete\ncut: complete\n") || strings.Contains(verdicts, "failed") || strings.Contains(verdicts, "alien") {
		t.Errorf("got verdicts\n%s\nof\n%s", verdicts, stream)
	}
	transcript.Split(t, e, stream)
	for line := range strings.SplitSeq(string(stream), "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if e.Framing == dialect.Lines {
			data, ok = line, line != ""
		}
		if ok && data != "[DONE]" && !json.Valid([]byte(data)) {
			t.Errorf("got %s, want JSON", data)
		}
	}
	whole := e.Speaker(head).AppendWhole(nil, parts, dialect.Ended, usage)
	if _, failed := dialect.ReadFault(200, whole); failed || !json.Valid(whole) {
		t.Errorf("got %s, want JSON that is no error", whole)
	}
}
