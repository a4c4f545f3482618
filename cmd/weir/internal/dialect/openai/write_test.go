package openai

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/cmd/weir/internal/dialect"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// golden compares with a file of testdata.
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

var answer = Answer{ID: "chatcmpl-0123456789", Model: "weir-demo", Created: 1700000000}

// tokens have all that needs care in JSON or in an event.
var tokens = []string{"Hello", ",", " world", "\n\n", ` "quoted\"`, "日本", " </script>", "\u2028", "\x00", "."}

func stream(usage bool) []byte {
	c := NewChunks(answer, usage)
	out := c.AppendRole(nil)
	for _, token := range tokens {
		out = c.AppendContent(out, token)
	}
	out = c.AppendFinish(out, FinishStop)
	if usage {
		out = c.AppendUsage(out, Usage{Prompt: 11, Completion: len(tokens)})
	}
	return AppendDone(out)
}

func TestGolden(t *testing.T) {
	golden(t, "stream.txt", stream(false))
	golden(t, "stream-usage.txt", stream(true))
	golden(t, "completion.json", AppendCompletion(nil, answer, strings.Join(tokens, ""), FinishLength, Usage{11, len(tokens)}))
	model := Model{ID: "weir-demo", Created: 1700000000, OwnedBy: "weir"}
	golden(t, "model.json", AppendModel(nil, model))
	golden(t, "models.json", AppendModels(nil, []Model{model, {ID: "b/\"c\"", Created: 1, OwnedBy: "x"}}))
	golden(t, "models-none.json", AppendModels(nil, nil))
	golden(t, "error.json", Dialect.AppendError(nil, dialect.ModelNotFound("gpt-\"x\"")))
	golden(t, "error-event.txt", new(judge).AppendFault(nil, dialect.ServerError(500, "The upstream went away.\n"), dialect.Stamp{}))
}

// Every event of a stream is one line of JSON with an empty line behind it, and
// the contents together are the text.
func TestStreamShape(t *testing.T) {
	for _, usage := range []bool{false, true} {
		events := strings.Split(strings.TrimSuffix(string(stream(usage)), "\n\n"), "\n\n")
		if last := events[len(events)-1]; last != "data: [DONE]" {
			t.Errorf("got last event %q, want [DONE]", last)
		}
		var text strings.Builder
		for _, event := range events[:len(events)-1] {
			var chunk struct {
				Object  string
				Choices []struct{ Delta struct{ Content string } }
				Usage   *json.RawMessage
			}
			data, ok := strings.CutPrefix(event, "data: ")
			if err := json.Unmarshal([]byte(data), &chunk); !ok || err != nil || strings.Contains(data, "\n") {
				t.Fatalf("got event %q (%v), want one line of JSON", event, err)
			}
			if chunk.Object != "chat.completion.chunk" {
				t.Errorf("got object %q", chunk.Object)
			}
			if has := strings.Contains(data, `"usage":`); has != usage {
				t.Errorf("got usage field %v, want %v in %s", has, usage, data)
			}
			for _, choice := range chunk.Choices {
				text.WriteString(choice.Delta.Content)
			}
		}
		if got, want := text.String(), strings.Join(tokens, ""); got != want {
			t.Errorf("got text %q, want %q", got, want)
		}
	}
}

// G17
func TestErrorShape(t *testing.T) {
	errs := map[string][]*dialect.Fault{
		"invalid_request_error": {dialect.ModelNotFound("x"), dialect.NotFound("GET", "/v2"), dialect.MethodNotAllowed("PUT", "/v1/models"), dialect.TooLarge(8 << 20), dialect.Missing("model"), dialect.Refused(400)},
		"server_error":          {dialect.Overloaded(), dialect.ServerError(502, "bad gateway"), dialect.Loop()},
		"rate_limit_error":      {dialect.Refused(429)},
		"authentication_error":  {dialect.Refused(401)},
	}
	for kind, faults := range errs {
		for _, e := range faults {
			checkShape(t, e, kind)
		}
	}
}

func checkShape(t *testing.T, e *dialect.Fault, kind string) {
	var body struct{ Error map[string]any }
	if err := json.Unmarshal(Dialect.AppendError(nil, e), &body); err != nil {
		t.Fatal(err)
	}
	if len(body.Error) != 4 || body.Error["message"] != e.Message || body.Error["type"] != kind {
		t.Errorf("got %v, want the four fields of %+v and type %s", body.Error, e, kind)
	}
	for field, want := range map[string]string{"param": e.Param, "code": e.Code} {
		if got := body.Error[field]; got != want && (want != "" || got != nil) {
			t.Errorf("%s: got %v, want %q", field, got, want)
		}
	}
	if e.Status < 400 || e.Message == "" {
		t.Errorf("got %+v, want a status and a message", e)
	}
}

func TestNewID(t *testing.T) {
	a, b := NewID(), NewID()
	if a == b || len(a) != len("chatcmpl-")+29 || !strings.HasPrefix(a, "chatcmpl-") {
		t.Errorf("got %q and %q, want two ids", a, b)
	}
}

func BenchmarkAppendContent(b *testing.B) {
	c := NewChunks(answer, false)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = c.AppendContent(dst[:0], " token")
	}
	b.SetBytes(int64(len(dst)))
}

// G4: an upstream's error becomes an event of one line, word for word; one in another shape is told in this one.
func TestRefusal(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":{"message":"x"}}`:                           `{"error":{"message":"x"}}`,
		"{\n \"error\": {\n\"code\": null}\r\n}":              `{"error":{"code":null}}`,
		`{"error":"x"}`:                                       `{"error":{"message":"x","type":"rate_limit_error","param":null,"code":null}}`,
		`{"type":"error","error":{"type":"t","message":"x"}}`: `{"error":{"message":"x","type":"rate_limit_error","param":null,"code":null}}`,
	} {
		f, ok := dialect.ReadFault(429, []byte(body))
		if !ok {
			t.Fatalf("%s is not an error", body)
		}
		want = "data: " + want + "\n\n"
		if got := string(new(judge).AppendFault(nil, f, dialect.Stamp{})); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
}
