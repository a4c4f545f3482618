package mock

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	for _, tc := range []struct {
		name  string
		rules []Rule
		calls []string // model, or a path
		want  []int    // status of each
	}{
		{"none", nil, []string{"m", "m"}, []int{200, 200}},
		{"all", []Rule{{Set: Set{"status": "500"}}}, []string{"m", "/health"}, []int{500, 500}},
		{"nth", []Rule{{Nth: 2, Set: Set{"status": "500"}}}, []string{"m", "m", "m"}, []int{200, 500, 200}},
		{"nth and times", []Rule{{Nth: 2, Times: 2, Set: Set{"status": "500"}}}, []string{"m", "m", "m", "m"}, []int{200, 500, 500, 200}},
		{"times", []Rule{{Times: 2, Set: Set{"status": "500"}}}, []string{"m", "m", "m"}, []int{500, 500, 200}},
		{"path", []Rule{{Path: "/health", Set: Set{"status": "503"}}}, []string{"m", "/health"}, []int{200, 503}},
		{"model", []Rule{{Model: "n", Set: Set{"fault": "status=429"}}}, []string{"m", "n"}, []int{200, 429}},
		{"nth of a model", []Rule{{Model: "n", Nth: 2, Set: Set{"status": "429"}}}, []string{"n", "m", "n"}, []int{200, 200, 429}},
		{"the first that is meant", []Rule{{Nth: 1, Set: Set{"status": "500"}}, {Set: Set{"status": "502"}}}, []string{"m", "m"}, []int{500, 502}},
		{"an exception", []Rule{{Nth: 2}, {Set: Set{"status": "500"}}}, []string{"m", "m", "m"}, []int{500, 200, 500}},
		{"each counts by itself", []Rule{{Nth: 1, Set: Set{"status": "500"}}, {Nth: 2, Set: Set{"status": "502"}}}, []string{"m", "m", "m"}, []int{500, 502, 200}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := Start(t, Config{Rules: tc.rules})
			for i, to := range tc.calls {
				method, path, body := "POST", chatPath, fmt.Sprintf(`{"model":%q}`, to)
				if strings.HasPrefix(to, "/") {
					method, path, body = "GET", to, ""
				}
				if got, _ := call(t, s, method, path, body); got != tc.want[i] {
					t.Errorf("call %d: got %d, want %d", i+1, got, tc.want[i])
				}
			}
		})
	}
}

// TestRequestOverRule: what the request says itself comes last.
func TestRequestOverRule(t *testing.T) {
	s := Start(t, Config{Rules: []Rule{{Model: "m", Set: Set{"status": "500", "tokens": "2"}}}})
	status, answer := call(t, s, "POST", chatPath, unaryBody, "x-mock-status: 200")
	if want := string(UnaryBody(Body{Model: "m", Tokens: 2})); status != 200 || answer != want {
		t.Errorf("got %d %s, want 200 %s", status, answer, want)
	}
}

// TestFields: fields of the answer, in the order of their names.
func TestFields(t *testing.T) {
	s := Start(t, Config{Tokens: fewTokens, Rules: []Rule{{Set: Set{"header-x-b": "2", "header-X-A": "1", "retry-after": "3"}}}})
	r := chat{body: unaryBody}
	c := dial(t, s)
	c.send(r.String())
	body := UnaryBody(faultBody(Body{}))
	want := r.head("200 OK", []string{jsonType, "X-A: 1", "x-b: 2", "retry-after: 3"}, []string{fmt.Sprintf("Content-Length: %d", len(body))}) + string(body)
	if got, _ := c.rest(); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestParseScript(t *testing.T) {
	want := []Rule{
		{Path: chatPath, Model: "m", Nth: 2, Times: 1, Set: Set{"fault": "reset-after=3, crlf", "tokens": "8"}},
		{Set: Set{"ttft": "5ms"}},
	}
	for _, text := range []string{
		"rules:\n- {path: /v1/chat/completions, model: m, nth: 2, times: 1, set: {fault: 'reset-after=3, crlf', tokens: 8}}\n- set:\n    ttft: 5ms\n",
		`{"rules":[{"path":"/v1/chat/completions","model":"m","nth":2,"times":1,"set":{"fault":"reset-after=3, crlf","tokens":8}},{"set":{"ttft":"5ms"}}]}`,
	} {
		got, err := ParseScript([]byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v and %v, want %+v", text, got, err, want)
		}
	}
	if got, err := ParseScript(nil); err != nil || len(got) != 0 {
		t.Errorf("nothing: got %v and %v, want no rules", got, err)
	}
}

func TestWrongScripts(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"rules: [{pth: /}]", `unknown field "pth"`},
		{"rule: []", `unknown field "rule"`},
		{"rules: [{set: {fault: [1]}}]", "setting fault: want a string or a number"},
		{"rules: [{}, {nth: -1}]", "rule 2: nth and times must not be negative"},
		{"rules: [{set: {fault: explode}}]", `rule 1: mock: there is no fault "explode"`},
		{"rules: [{set: {fault: crlf=1}}]", "fault crlf: it takes no argument"},
		{"rules: [{set: {fault: cut-inside=0}}]", "fault cut-inside: events count from 1"},
		{"rules: [{set: {fault: reset-after}}]", `fault reset-after: want a number from 0 on, got ""`},
		{"rules: [{set: {fault: slow-head=1}}]", `fault slow-head: want a duration such as "10ms", got "1"`},
		{"rules: [{set: {fault: status=99}}]", `fault status: want a number from 200 to 599, got "99"`},
		{"rules: [{set: {framing: odd}}]", `setting framing: want auto, length, chunked or close, got "odd"`},
		{"rules: [{set: {split: 3/2}}]", `setting split: want offsets in ascending order, got "3/2"`},
		{"rules: [{set: {header-a b: c}}]", "setting header-a b: http1: "},
		{"rules: [{set: {pace: -1s}}]", `setting pace: want a duration such as "10ms", got "-1s"`},
	} {
		_, err := ParseScript([]byte(tc.text))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %s", tc.text, err, tc.want)
		}
	}
}

// TestWrongRulesChangeNothing also for rules that run.
func TestWrongRulesChangeNothing(t *testing.T) {
	s := Start(t, Config{Rules: []Rule{{Set: Set{"status": "500"}}}})
	if err := s.SetRules(Rule{Set: Set{"status": "x"}}); err == nil {
		t.Error("got no error for a status that is none")
	}
	if got, _ := call(t, s, "GET", "/health", ""); got != 500 {
		t.Errorf("got %d, want the old rule's 500", got)
	}
	if status, text := call(t, s, "PUT", "/mock/rules", "rules: [{set: {status: 502}}]"); status != 200 {
		t.Errorf("got %d %s, want the rules taken", status, text)
	}
	if got, _ := call(t, s, "GET", "/health", ""); got != 502 {
		t.Errorf("got %d, want the new rule's 502", got)
	}
	call(t, s, "DELETE", "/mock/rules", "")
	if got, _ := call(t, s, "GET", "/health", ""); got != 200 {
		t.Errorf("got %d, want 200 without rules", got)
	}
}
