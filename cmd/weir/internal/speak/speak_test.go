package speak_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/speak"
)

var update = flag.Bool("update", false, "write the golden files")

var dialects = []*speak.Dialect{
	speak.Chat, speak.Completions, speak.Responses, speak.Messages, speak.OllamaChat, speak.OllamaGenerate,
}

var (
	head  = speak.Head{ID: "resp_1", Model: "m", Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	usage = speak.Usage{Prompt: 7, Completion: 3, Took: time.Second}
	calls = []speak.Call{
		{ID: "call_1", Name: "weather", Arguments: `{"city":"Zürich","unit":"celsius"}`},
		{ID: "call_2", Name: "time", Arguments: `{}`},
	}
)

// turns are the responses that are written in each dialect.
var turns = []struct {
	name string
	turn speak.Turn
}{
	{"text", speak.Turn{Text: "Hello, \"world\"\n", Finish: speak.Stop}},
	{"empty", speak.Turn{Finish: speak.Stop}},
	{"cut", speak.Turn{Text: "Hel", Finish: speak.Length}},
	{"calls", speak.Turn{Calls: calls, Finish: speak.Calls}},
	{"all", speak.Turn{Thought: "Hm. Well.", Text: "Let me see.", Calls: calls, Finish: speak.Calls}},
}

// stream writes a turn, three bytes of its texts at a time.
func stream(d *speak.Dialect, t speak.Turn) []byte {
	s := d.Stream(head, speak.Options{Prompt: usage.Prompt, Usage: true})
	out := s.AppendBegin(nil)
	each := func(text string, add func([]byte, string) []byte) {
		for part := range slices.Chunk([]byte(text), 3) {
			out = add(out, string(part))
		}
	}
	each(t.Thought, s.AppendThought)
	each(t.Text, s.AppendText)
	for _, c := range t.Calls {
		out = s.AppendCall(out, c)
	}
	return s.AppendEnd(out, t.Finish, usage)
}

func TestGolden(t *testing.T) {
	for _, d := range dialects {
		for _, tt := range turns {
			t.Run(d.Name+"/"+tt.name, func(t *testing.T) {
				tt.turn.Usage = usage
				got := append(stream(d, tt.turn), "---\n"...)
				got = append(d.AppendWhole(got, head, tt.turn), '\n')
				file := filepath.Join("testdata", strings.ReplaceAll(d.Name, " ", "-")+"-"+tt.name+".txt")
				if *update {
					if err := os.WriteFile(file, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}

// A stream that fails ends with an error instead of its end mark, and the end
// mark is told from all other events.
func TestErrorAndEnd(t *testing.T) {
	for _, d := range dialects {
		t.Run(d.Name, func(t *testing.T) {
			s := d.Stream(head, speak.Options{})
			body := s.AppendError(s.AppendText(s.AppendBegin(nil), `,"done":true,"done_reason":"`), speak.Error{Type: "server_error", Code: "mock", Message: "Broken."})
			for rest := body; len(rest) > 0; {
				n := d.Next(rest)
				if n == 0 || d.IsEnd(rest[:n]) {
					t.Fatalf("an end, or not a whole event: %q", rest)
				}
				if rest = rest[n:]; len(rest) == 0 {
					break
				}
			}
			if !bytes.Contains(body, []byte("Broken.")) {
				t.Errorf("no error in %s", body)
			}
			whole := stream(d, turns[4].turn)
			for len(whole) > 0 {
				n := d.Next(whole)
				if end := d.IsEnd(whole[:n]); end != (n == len(whole)) {
					t.Errorf("%q: end is %v", whole[:n], end)
				}
				whole = whole[n:]
			}
			if d.Next([]byte("data: {}\n")) != 0 && d.Separator == "\n\n" {
				t.Error("half an event is a whole one")
			}
		})
	}
}

// object is a JSON object.
type object = map[string]any

// events returns the data of a stream's events, checked for what every reader
// relies on.
func events(t *testing.T, body []byte) (names []string, data []object) {
	t.Helper()
	for block := range strings.SplitAfterSeq(string(body), "\n\n") {
		if block == "" {
			continue
		}
		name := ""
		lines := strings.Split(strings.TrimSuffix(block, "\n\n"), "\n")
		if rest, ok := strings.CutPrefix(lines[0], "event: "); ok {
			name, lines = rest, lines[1:]
		}
		text, ok := strings.CutPrefix(lines[0], "data: ")
		if !ok || len(lines) != 1 {
			t.Fatalf("not an event with one line of data: %q", block)
		}
		if text == "[DONE]" {
			continue
		}
		var v object
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		if name != "" && v["type"] != name {
			t.Errorf("event %s has the type %v", name, v["type"])
		}
		names, data = append(names, name), append(data, v)
	}
	return names, data
}

// Blocks are numbered densely from 0, and one is closed before the next begins.
func TestMessageBlocks(t *testing.T) {
	for _, tt := range turns {
		t.Run(tt.name, func(t *testing.T) {
			names, data := events(t, stream(speak.Messages, tt.turn))
			if names[0] != "message_start" || names[len(names)-1] != "message_stop" || names[len(names)-2] != "message_delta" {
				t.Fatalf("got %v", names)
			}
			next, open, text := 0.0, false, ""
			for i, name := range names {
				switch name {
				case "content_block_start":
					if open || data[i]["index"] != next {
						t.Fatalf("block %v begins, want %v; one is open: %v", data[i]["index"], next, open)
					}
					open = true
				case "content_block_delta":
					if !open || data[i]["index"] != next {
						t.Fatalf("delta of block %v, want %v; it is open: %v", data[i]["index"], next, open)
					}
					s, _ := data[i]["delta"].(object)["text"].(string)
					text += s
				case "content_block_stop":
					open = false
					next++
				}
			}
			if open || next == 0 || text != tt.turn.Text {
				t.Errorf("got %v blocks with %q, want %q; one is open: %v", next, text, tt.turn.Text, open)
			}
		})
	}
}

// Events are numbered without holes, items too, and what was sent in pieces is
// repeated whole: in its item and in the last event.
func TestResponseOrder(t *testing.T) {
	for _, tt := range turns {
		t.Run(tt.name, func(t *testing.T) {
			names, data := events(t, stream(speak.Responses, tt.turn))
			var done []any
			pieces := map[string]string{}
			for i, v := range data {
				if v["sequence_number"] != float64(i) {
					t.Fatalf("event %d has the number %v", i, v["sequence_number"])
				}
				id, _ := v["item_id"].(string)
				if delta, ok := v["delta"].(string); ok {
					pieces[id] += delta
				}
				switch names[i] {
				case "response.output_item.added", "response.output_item.done":
					if v["output_index"] != float64(len(done)) {
						t.Fatalf("item %v, want %d", v["output_index"], len(done))
					}
				case "response.output_text.done":
					if v["text"] != pieces[id] {
						t.Errorf("got %q, want %q", v["text"], pieces[id])
					}
				case "response.function_call_arguments.done":
					if v["arguments"] != pieces[id] {
						t.Errorf("got %q, want %q", v["arguments"], pieces[id])
					}
				}
				if names[i] == "response.output_item.done" {
					done = append(done, v["item"])
				}
			}
			last := data[len(data)-1]["response"].(object)
			want, _ := json.Marshal(done)
			got, _ := json.Marshal(last["output"])
			if done != nil && !bytes.Equal(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
			var whole object
			if err := json.Unmarshal(speak.Responses.AppendWhole(nil, head, tt.turn), &whole); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Each line of Ollama's is an object of its own, and only the last is done.
func TestOllamaLines(t *testing.T) {
	for _, d := range []*speak.Dialect{speak.OllamaChat, speak.OllamaGenerate} {
		for _, tt := range turns {
			t.Run(d.Name+"/"+tt.name, func(t *testing.T) {
				body := stream(d, tt.turn)
				lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
				text := ""
				for i, line := range lines {
					var v struct {
						Done     bool
						Response string
						Message  struct{ Content string }
					}
					if err := json.Unmarshal([]byte(line), &v); err != nil {
						t.Fatalf("%v: %q", err, line)
					}
					if v.Done != (i == len(lines)-1) {
						t.Errorf("line %d of %d: done is %v", i, len(lines), v.Done)
					}
					text += v.Response + v.Message.Content
				}
				if text != tt.turn.Text {
					t.Errorf("got %q, want %q", text, tt.turn.Text)
				}
			})
		}
	}
}

// A token costs no allocation.
func TestTextAllocatesNothing(t *testing.T) {
	for _, d := range dialects {
		if d == speak.Responses {
			continue // it keeps the text, to repeat it
		}
		t.Run(d.Name, func(t *testing.T) {
			s := d.Stream(head, speak.Options{})
			out := s.AppendText(s.AppendBegin(make([]byte, 0, 4096)), "a")
			if n := testing.AllocsPerRun(100, func() { s.AppendText(out[:0], "token") }); n > 0 {
				t.Errorf("got %v allocations, want none", n)
			}
		})
	}
}

func TestNewID(t *testing.T) {
	for _, d := range dialects {
		a, b := d.NewID(), d.NewID()
		if d.MediaType == speak.OllamaChat.MediaType {
			if a != "" {
				t.Errorf("%s: got %q, want none", d.Name, a)
			}
		} else if a == b || len(a) < 30 {
			t.Errorf("%s: got %q and %q", d.Name, a, b)
		}
	}
	if a, b := speak.NewCallID(), speak.NewCallID(); a == b {
		t.Errorf("got %q twice", a)
	}
}
