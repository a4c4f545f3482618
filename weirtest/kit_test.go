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

// run runs a test in an Example: without a word, and once, whatever -count and -cpu
// say.
func run(test func(t *testing.T)) {
	verbose := flag.Lookup("test.v")
	before := verbose.Value.String()
	defer func() { _ = verbose.Value.Set(before) }() // it was valid
	_ = verbose.Value.Set("false")
	var once sync.Once
	f := func(t *testing.T) { once.Do(func() { test(t) }) }
	all := func(_, _ string) (bool, error) { return true, nil }
	if !testing.RunTests(all, []testing.InternalTest{{Name: "Test", F: f}}) {
		fmt.Println("FAIL")
	}
}
