package main

import (
	"os"
	"testing"

	"weir/internal/leak"
)

// asWeir is set in the environment of a process that is to be weir, and not
// its tests.
const asWeir = "WEIR_TEST_AS_WEIR"

func TestMain(m *testing.M) {
	if os.Getenv(asWeir) != "" {
		main()
	}
	os.Exit(leak.Check(m))
}
