package weirtest_test

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"weir/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }

// run runs a test in an Example: without a word, and once, whatever -count, -cpu
// and -skip say.
func run(test func(t *testing.T)) {
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
