package responses

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/transcript"
)

var generate = endpoints[0]

func TestTranscripts(t *testing.T) {
	transcript.Check(t, "testdata", func(string) *dialect.Endpoint { return generate })
}

// ev is an event as OpenAI's servers send it.
func ev(kind string, number int, members string) string {
	return "event: " + kind + "\ndata: {\"type\":\"" + kind + `","sequence_number":` + strconv.Itoa(number) + members + "}\n\n"
}

const object = `,"response":{"id":"resp_1","object":"response","created_at":1756000000,"status":"in_progress","error":null,"model":"m","output":[]}`

var (
	created = ev("response.created", 0, object)
	working = ev("response.in_progress", 1, object)
	item    = ev("response.output_item.added", 2, `,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}`)
	part    = ev("response.content_part.added", 3, `,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}`)
	delta   = ev("response.output_text.delta", 4, `,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hel","logprobs":[]`)
	whole   = ev("response.completed", 5, object)
)

// G2, G4: what each event is, and how the response ended.
func TestVerdicts(t *testing.T) {
	const none, sub, end, failed = "data", "data substance", "data end", "data failed"
	transcript.Run(t, generate, []transcript.Case{
		{"usual", created + working + item + part + delta + whole, []string{none, none, none, none, sub, end}, "complete", "complete"},
		{"queued, keepalive", ev("response.queued", 0, object) + ev("keepalive", 1, ""), []string{none, none}, "dead", "dead"},
		{"incomplete", delta + ev("response.incomplete", 5, object), []string{sub, end}, "complete", "complete"},
		{"failed first", created + ev("response.failed", 1, object), []string{none, "data end failed"}, "reported", "reported"},
		{"failed mid-stream", delta + ev("response.failed", 5, object), []string{sub, "data end failed"}, "reported", "reported"},
		{"error first", created + ev("error", 1, `,"code":"server_error","message":"x","param":null`), []string{none, failed}, "reported", "reported"},
		{"error without a type", "data: {\"error\":{\"message\":\"x\"}}\n\n", []string{failed}, "reported", "reported"},
		{"no end", created + delta, []string{none, sub}, "dead", "dead"},
		{"[DONE] is no end", created + delta + "data: [DONE]\n\n", []string{none, sub, "data alien"}, "dead", "dead"},
		{"[DONE] behind the end", delta + whole + "data: [DONE]\n\n", []string{sub, end, "data alien"}, "complete", "complete"},
		{"completed, no empty line", delta + strings.TrimSuffix(whole, "\n"), []string{sub}, "complete", "complete"},
		{"completed, cut", delta + whole[:len(whole)-4], []string{sub}, "dead", "dead"},
		{"a call", created + ev("response.output_item.added", 1, `,"item":{"id":"fc_1","type":"function_call","name":"f","arguments":""}`), []string{none, sub}, "dead", "dead"},
		{"a thought", created + ev("response.output_item.added", 1, `,"item":{"id":"rs_1","type":"reasoning","summary":[]}`) + ev("response.reasoning_summary_part.added", 2, `,"part":{"type":"summary_text","text":""}`) + ev("response.reasoning_summary_text.delta", 3, `,"delta":"Hm"`), []string{none, none, none, sub}, "dead", "dead"},
		{"an empty delta", created + ev("response.output_text.delta", 1, `,"delta":""`), []string{none, none}, "dead", "dead"},
		{"an empty response", created + whole, []string{none, end}, "complete", "complete"},
		{"unnamed", strings.ReplaceAll(created+delta+whole, "event: ", ": "), []string{none, sub, end}, "complete", "complete"},
		{"a name and no type", "event: response.completed\ndata: {\"response\":{}}\n\n", []string{end}, "complete", "complete"},
		{"unknown", ev("response.web_search_call.searching", 1, ""), []string{sub}, "dead", "dead"},
		{"CRLF", strings.ReplaceAll(created+delta+whole, "\n", "\r\n"), []string{none, sub, end}, "complete", "complete"},
		{"nothing", "", nil, "dead", "dead"},
	})
}

// G4: a failure continues what the client was sent: the response's id, and the sequence number behind the last one.
func TestFault(t *testing.T) {
	stamp := dialect.Stamp{Model: "asked", Time: time.Unix(1700000000, 0)}
	for _, tt := range []struct {
		name, body  string
		events      int
		number      int64
		id, model   string
		code, state string
	}{
		{"nothing was sent", "", 2, 1, "", "asked", "server_error", "failed"},
		{"the beginning", created + working, 1, 2, "resp_1", "m", "server_error", "failed"},
		{"text", created + delta, 1, 5, "resp_1", "m", "server_error", "failed"},
		{"more text", created + delta + ev("response.output_text.delta", 41, `,"delta":"x"`), 1, 42, "resp_1", "m", "server_error", "failed"},
		{"a part of an event", created + delta + "event: response.out", 1, 5, "resp_1", "m", "server_error", "failed"},
		{"no numbers", `data: {"type":"response.created","response":{"id":"r","model":"m"}}` + "\n\n", 1, 0, "r", "m", "server_error", "failed"},
		{"a fraction", `data: {"response":{"created_at":1756000000.5,"id":"r","model":"m"},"sequence_number":7,"type":"response.created"}` + "\n\n", 1, 8, "r", "m", "server_error", "failed"},
	} {
		for _, pieces := range [][][]byte{{[]byte(tt.body)}, transcript.Bytes([]byte(tt.body))} {
			var r dialect.Reader
			transcript.Read(&r, generate, pieces...)
			out := strings.TrimLeft(string(r.AppendFault(nil, dialect.ServerError(502, "gone"), stamp)), "\n")
			events := strings.Split(strings.TrimSuffix(out, "\n\n"), "\n\n")
			name, data, _ := strings.Cut(events[len(events)-1], "\ndata: ")
			var got struct {
				Type     string
				Number   int64 `json:"sequence_number"`
				Response struct {
					ID, Object, Status, Model string
					Created                   int64 `json:"created_at"`
					Error                     struct{ Code, Message string }
				}
			}
			if err := json.Unmarshal([]byte(data), &got); err != nil || len(events) != tt.events || name != "event: response.failed" || got.Type != "response.failed" {
				t.Fatalf("%s: got %s, %v", tt.name, out, err)
			}
			g := got.Response
			if got.Number != tt.number || tt.id != "" && g.ID != tt.id || g.ID == "" || g.Model != tt.model || g.Status != tt.state || g.Error.Code != tt.code || g.Error.Message != "gone" || g.Object != "response" || g.Created == 0 && tt.name != "no numbers" {
				t.Errorf("%s: got %s", tt.name, data)
			}
		}
	}
}
