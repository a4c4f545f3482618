package weirtest_test

import (
	"os"
	"testing"

	"weir/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }
