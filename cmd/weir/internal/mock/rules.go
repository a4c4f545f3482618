package mock

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"sigs.k8s.io/yaml"
)

// A Rule sets the response to the requests that it matches. An empty Path or
// Model matches any; requests below /mock/ never match. Rules count for
// themselves what Path and Model match, whether or not an earlier rule applied.
type Rule struct {
	Path  string `json:"path"`
	Model string `json:"model"`
	Nth   int    `json:"nth"`   // the first match that is meant, from 1; 0 = 1
	Times int    `json:"times"` // how many matches from there on; 0 = one if Nth is set, else all
	Set   Set    `json:"set"`
}

// UnmarshalJSON takes strings, numbers and booleans as values.
func (s *Set) UnmarshalJSON(data []byte) error {
	var values map[string]any
	if err := json.Unmarshal(data, &values); err != nil {
		return err
	}
	*s = make(Set, len(values))
	for name, value := range values {
		switch v := value.(type) {
		case string:
			(*s)[name] = v
		case float64:
			(*s)[name] = strconv.FormatFloat(v, 'f', -1, 64)
		case bool:
			(*s)[name] = strconv.FormatBool(v)
		default:
			return fmt.Errorf("mock: setting %s: want a string or a number", name)
		}
	}
	return nil
}

// ParseScript reads rules from YAML or JSON: an object with a list named rules.
// Unknown fields and settings are errors.
func ParseScript(data []byte) ([]Rule, error) {
	var script struct {
		Rules []Rule `json:"rules"`
	}
	if err := yaml.UnmarshalStrict(data, &script); err != nil {
		return nil, fmt.Errorf("mock: script: %w", err)
	}
	return script.Rules, checkRules(script.Rules)
}

func checkRules(rules []Rule) error {
	for i, r := range rules {
		err := r.Set.apply(new(plan))
		if r.Nth < 0 || r.Times < 0 {
			err = errors.New("nth and times must not be negative")
		}
		if err != nil {
			return fmt.Errorf("rule %d: %w", i+1, err)
		}
	}
	return nil
}

// ruleBook is the rules and what each has counted. It is safe for concurrent
// use.
type ruleBook struct {
	mu      sync.Mutex
	rules   []Rule
	matched []int
}

// replace sets other rules, which have counted nothing.
func (b *ruleBook) replace(rules []Rule) error {
	if err := checkRules(rules); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rules, b.matched = slices.Clone(rules), make([]int, len(rules))
	return nil
}

// needsModel reports whether a rule asks for the model.
func (b *ruleBook) needsModel() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.rules, func(r Rule) bool { return r.Model != "" })
}

// match counts the request and returns the settings of the first rule that is
// meant for it, or none.
func (b *ruleBook) match(path, model string) Set {
	b.mu.Lock()
	defer b.mu.Unlock()
	var set Set
	found := false
	for i := range b.rules {
		r := &b.rules[i]
		if r.Path != "" && r.Path != path || r.Model != "" && r.Model != model {
			continue
		}
		b.matched[i]++
		if !found && r.means(b.matched[i]) {
			set, found = r.Set, true
		}
	}
	return set
}

// means reports whether the rule is for its nth match.
func (r *Rule) means(n int) bool {
	first, times := max(r.Nth, 1), r.Times
	if times == 0 && r.Nth > 0 {
		times = 1
	}
	return n >= first && (times == 0 || n < first+times)
}
