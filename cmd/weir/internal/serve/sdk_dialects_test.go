package serve

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"weir/cmd/weir/internal/clients"
	"weir/cmd/weir/internal/mock"
)

// allDialects is a gateway before two upstreams that speak everything: model m
// fails over from b to a.
const allDialects = `
upstreams:
  a: {url: %q, dialects: [openai, responses, anthropic, ollama]}
  b: {url: %q, dialects: [openai, responses, anthropic, ollama], breaker: {share: 0}}
retry_budget: {share: 1, floor: 1000}
models:
  m: {targets: [{upstream: b}], fallback: [spare], retries: 1}
  spare: {targets: [{upstream: a, model: m}]}
`

// The packages that people use do in each dialect, through the gateway, what
// they do without it: texts whole and streamed, tools, and a stream that is
// given up. The first upstream has failed before its model said anything.
func TestSDKDialects(t *testing.T) {
	up, failing := mock.Start(t, mock.Config{}), mock.Start(t, mock.Config{})
	if err := failing.SetRules(mock.Rule{Set: mock.Set{"fault": "close-after=1", "status": "503"}}); err != nil {
		t.Fatal(err)
	}
	g := serve(t, fmt.Sprintf(allDialects, up.URL(), failing.URL()))
	slots := make(chan struct{}, 3) // of processes at once
	for _, c := range clients.All {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			said := func(more ...string) map[string]string {
				set := map[string]string{"x-mock-text": "It rains."}
				for i := 0; i < len(more); i += 2 {
					set[more[i]] = more[i+1]
				}
				return set
			}
			cases := []clients.Case{
				{Base: up.URL(), Case: "text", Headers: said()},
				{Base: g.url, Case: "text", Headers: said()},
				{Base: g.url, Case: "whole", Headers: said()},
				{Base: g.url, Case: "abort", Headers: map[string]string{"x-mock-tokens": "100000", "x-mock-pace": "1ms"}},
				{Base: g.url, Case: "text", Headers: map[string]string{"x-mock-fault": "error-event=6"}},
				{Base: g.url, Case: "text", Headers: map[string]string{"x-mock-fault": "error-event-first"}},
				{Base: g.url, Case: "tool", Headers: said("x-mock-tool", "weather", "x-mock-arguments", `{"city":"Ghent"}`)},
			}
			if !c.Tools() {
				cases = cases[:6]
			}
			got := c.Run(t, cases...)
			for i, r := range got {
				t.Logf("%s: %+v", cases[i].Case, r)
			}
			if direct := got[0]; direct.Text != "It rains." || !reflect.DeepEqual(got[1], direct) {
				t.Errorf("text: got %+v, want %+v, as without the gateway", got[1], direct)
			}
			if whole := got[2]; whole.Error != "" || whole.Text != "It rains." {
				t.Errorf("whole: got %+v, want the text", whole)
			}
			if abort := got[3]; abort.Error != "" || !strings.HasPrefix(abort.Text, "token 0 ") {
				t.Errorf("abort: got %+v, want the first token", abort)
			}
			if broken := got[4]; broken.Error == "" && broken.Finish != "failed" { // which openai-node says in its response
				t.Errorf("broken: got %+v, want an error", broken)
			}
			if told := got[5]; told.Error == "" || told.Text != "" || told.Status < 500 { // G2: its status is the error's
				t.Errorf("told: got %+v, want an error with a status", told)
			}
			if c.Tools() {
				if tool := got[6]; tool.Error != "" || tool.Text != "It rains." || !slices.Equal(tool.Calls, []string{"weather"}) {
					t.Errorf("tool: got %+v, want one call and the text", tool)
				}
			}
		})
	}
}
