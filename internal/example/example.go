// Package example runs a test in an Example, where there is no *testing.T.
package example

import (
	"flag"
	"fmt"
	"sync"
	"testing"
)

// Run runs a test: without a word, and once, whatever -v, -count, -cpu and -skip
// say. If it fails it prints FAIL, which no Example wants. Examples run one after
// the other.
func Run(test func(t *testing.T)) {
	for name, value := range map[string]string{"test.v": "false", "test.skip": ""} {
		f := flag.Lookup(name)
		before := f.Value.String()
		defer func() { _ = f.Value.Set(before) }() // it was valid
		_ = f.Value.Set(value)
	}
	var once sync.Once
	f := func(t *testing.T) { once.Do(func() { test(t) }) }
	all := func(_, _ string) (bool, error) { return true, nil }
	if !testing.RunTests(all, []testing.InternalTest{{Name: "Test", F: f}}) {
		fmt.Println("FAIL")
	}
}
