package weirtest_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"weir/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }

// run runs a test in an Example: once, and without a word.
func run(test func(t *testing.T)) {
	for name, value := range map[string]string{"test.count": "1", "test.v": "false"} {
		f := flag.Lookup(name)
		before := f.Value.String()
		defer func() { _ = f.Value.Set(before) }() // it was valid
		_ = f.Value.Set(value)
	}
	all := func(_, _ string) (bool, error) { return true, nil }
	if !testing.RunTests(all, []testing.InternalTest{{Name: "Test", F: test}}) {
		fmt.Println("FAIL")
	}
}
