package mock

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"weir/cmd/weir/internal/speak"
)

// fit makes the plan's body one for the request: in the dialect of its path,
// with the call that is next, and in JSON if that was asked for.
func (p *plan) fit(in *incoming) error {
	b := &p.body
	b.Dialect, b.Model, b.Usage = in.dialect(), in.Model, in.asked.Usage
	b.Calls, b.Text = nil, p.text
	if item, first := nextCalls(p.tools, in.asked.Results); item != "" {
		calls, err := p.calls(item, first, in.asked.Tools)
		b.Calls, b.Text = calls, ""
		return err
	}
	if in.asked.JSON != nil && b.Text == "" {
		b.Text = speak.Sample(in.asked.JSON)
	}
	return nil
}

// nextCalls returns what of the setting tool is called now: its items, which
// are separated by commas, take their turns, each once the results of those
// before it are there. An item is a name, or several with a + between them,
// which are called at once. first is the number of calls before it.
func nextCalls(tools string, results int) (item string, first int) {
	for item := range strings.SplitSeq(tools, ",") {
		if results <= first {
			return strings.TrimSpace(item), first
		}
		first += 1 + strings.Count(item, "+")
	}
	return "", first
}

// calls makes the calls of an item. The name * is the first tool that the
// client offers.
func (p *plan) calls(item string, first int, offered []speak.Tool) (list []speak.Call, err error) {
	for name := range strings.SplitSeq(item, "+") {
		if name == "*" {
			if len(offered) == 0 {
				return nil, errors.New("mock: setting tool: the request offers none")
			}
			name = offered[0].Name
		}
		n := first + len(list)
		list = append(list, speak.Call{ID: "call_" + answerID + strconv.Itoa(n), Name: name, Arguments: p.argumentsOf(name, n, offered)})
	}
	return list, nil
}

// argumentsOf returns the arguments of a call: those of the setting, or what
// the tool's own schema allows.
func (p *plan) argumentsOf(name string, at int, offered []speak.Tool) string {
	var each []json.RawMessage
	_ = json.Unmarshal([]byte(p.arguments), &each) // one object, or nothing, is not a list
	switch {
	case at < len(each):
		return string(each[at])
	case each == nil && p.arguments != "":
		return p.arguments
	}
	for _, t := range offered {
		if t.Name == name && t.Schema != nil {
			return speak.Sample(t.Schema)
		}
	}
	return "{}"
}

func (p *plan) setArguments(value string) error {
	if !json.Valid([]byte(value)) || value[0] != '{' && value[0] != '[' {
		return fmt.Errorf("want a JSON object, or an array of one for each call, got %q", value)
	}
	p.arguments = value
	return nil
}

func (p *plan) setFinish(value string) error {
	switch f := speak.Finish(value); f {
	case speak.Stop, speak.Length, speak.Calls:
		p.body.Finish = f
		return nil
	}
	return fmt.Errorf("want stop, length or tool_calls, got %q", value)
}
