package main

import (
	"os"
	"syscall"
	"testing"

	"weir/internal/leak"
)

// asWeir is set in the environment of a process that is to be weir, and not
// its tests.
const asWeir = "WEIR_TEST_AS_WEIR"

// hungUp is set, too, where SIGHUP arrives before main runs.
const hungUp = "WEIR_TEST_HUNG_UP"

func TestMain(m *testing.M) {
	if os.Getenv(asWeir) != "" {
		if os.Getenv(hungUp) != "" {
			if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
				panic(err)
			}
		}
		main()
	}
	os.Exit(leak.Check(m))
}
