//go:build !race

package policy

import "testing"

// An event costs no allocation, whether its patch applies or not.
func TestEventsAllocateNothing(t *testing.T) {
	scalars := compiled(t, `[{"op":"test","path":"/object","value":"chat.completion.chunk"},{"op":"replace","path":"/model","value":"small"},
		{"op":"add","path":"/choices/0/delta/x","value":1},{"op":"remove","path":"/id"}]`)
	other := compiled(t, `[{"op":"test","path":"/object","value":"other"}]`)
	missing := compiled(t, `[{"op":"remove","path":"/usage"}]`)
	merge := merged(t, `{"model":"small","usage":{"x":1},"id":null}`)
	var e Editor
	for name, f := range map[string]func(){
		"scalars": func() { e.Event(scalars, []byte(chunk)) },
		"test":    func() { e.Event(other, []byte(chunk)) },
		"missing": func() { e.Event(missing, []byte(chunk)) },
		"no JSON": func() { e.Event(missing, []byte("data: [DONE]\n\n")) },
		"merge":   func() { e.Event(merge, []byte(chunk)) },
	} {
		if got := testing.AllocsPerRun(100, f); got > 1 { // the event itself
			t.Errorf("%s: got %v allocations, want none", name, got-1)
		}
	}
}
