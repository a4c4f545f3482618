package known

import (
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/transcript"
	"weir/cmd/weir/internal/speak"
)

// What weir's own models say is complete to the judge of its dialect, and nothing in it is an error or strange, wherever it
// is cut; a stream that fails is told as such.
func TestSpoken(t *testing.T) {
	for path, d := range map[string]*speak.Dialect{
		"/v1/chat/completions": speak.Chat, "/v1/completions": speak.Completions, "/v1/responses": speak.Responses,
		"/v1/messages": speak.Messages, "/api/chat": speak.OllamaChat, "/api/generate": speak.OllamaGenerate,
	} {
		e := endpointAt(t, path)
		head := speak.Head{ID: d.ID("1"), Model: `m"1`, Created: time.Unix(1767225600, 5e8)}
		for _, text := range []string{"", "Grüße \"日本\" 🙂\n"} {
			t.Run(d.Name, func(t *testing.T) {
				s := d.Stream(head, speak.Options{Prompt: 7, Usage: true})
				out := s.AppendText(s.AppendThought(s.AppendBegin(nil), "Hm."), text)
				told := s.AppendError(out[:len(out):len(out)], speak.Error{Type: "server_error", Code: "x", Message: "gone"})
				out = s.AppendCall(out, speak.Call{ID: "call_1", Name: "weather", Arguments: `{"city":"Zürich"}`})
				out = s.AppendEnd(out, speak.Calls, speak.Usage{Prompt: 7, Completion: 3})
				for body, want := range map[string]string{string(out): "complete", string(told): "reported"} {
					verdicts := transcript.Verdicts(e, []byte(body))
					if !strings.HasSuffix(verdicts, "properly: "+want+"\ncut: "+want+"\n") || strings.Contains(verdicts, "failed") != (want == "reported") || strings.Contains(verdicts, "alien") {
						t.Errorf("got verdicts\n%s\nof\n%s", verdicts, body)
					}
					transcript.Split(t, e, []byte(body))
				}
			})
		}
	}
}

func endpointAt(t *testing.T, path string) *dialect.Endpoint {
	for _, e := range Of(path).Endpoints() {
		if e.Path == path {
			return e
		}
	}
	t.Fatalf("nothing at %s", path)
	return nil
}
