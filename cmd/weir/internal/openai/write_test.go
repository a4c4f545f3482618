package openai

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	golden(t, "error.json", ModelNotFound("gpt-\"x\"").Append(nil))
	golden(t, "error-event.txt", ServerError(500, "The upstream went away.\n").AppendEvent(nil))
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
	errs := []*Error{
		ModelNotFound("x"), NotFound("GET", "/v2"), MethodNotAllowed("PUT", "/v1/models"), TooLarge(8 << 20),
		Overloaded(), ServerError(502, "bad gateway"), missing("model"),
	}
	for _, e := range errs {
		var body struct{ Error map[string]any }
		if err := json.Unmarshal(e.Append(nil), &body); err != nil {
			t.Fatalf("%s: %v", e.Append(nil), err)
		}
		if len(body.Error) != 4 || body.Error["message"] != e.Message || body.Error["type"] != e.Type {
			t.Errorf("got %v, want the four fields of %+v", body.Error, e)
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
}

func TestNewID(t *testing.T) {
	a, b := NewID(), NewID()
	if a == b || len(a) != len("chatcmpl-")+29 || !strings.HasPrefix(a, "chatcmpl-") {
		t.Errorf("got %q and %q, want two ids", a, b)
	}
}

// encoding/json without its escaping of HTML is the oracle.
func FuzzAppendString(f *testing.F) {
	for _, token := range tokens {
		f.Add(token)
	}
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

func BenchmarkAppendContent(b *testing.B) {
	c := NewChunks(answer, false)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = c.AppendContent(dst[:0], " token")
	}
	b.SetBytes(int64(len(dst)))
}

// G4: an upstream's error becomes an event of one line; what is no error of this
// dialect becomes none.
func TestEvent(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":{"message":"x"}}`:              "data: {\"error\":{\"message\":\"x\"}}\n\n",
		"{\n \"error\": {\n\"code\": null}\r\n}": "data: {\"error\":{\"code\":null}}\n\n",
		`{"error":null}`:                         "",
		`{"detail":"x"}`:                         "",
		`<html>`:                                 "",
		``:                                       "",
		`{"error":{}} {"error":{}}`:              "",
	} {
		if got := string(Event([]byte(body))); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
}
