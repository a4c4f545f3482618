package main

import (
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/weirtest"
)

// It counts ten numbers a second, and stops when its client disconnects: the test
// fails if its goroutine does not end.
func TestCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := weirtest.Start(t, &weir.Server{Handler: weir.HandlerFunc(count)})
		c := s.Get("/count")
		s.Tick(250 * time.Millisecond)
		if res := c.Response(); res.Body != "0\n1\n2\n" || res.Complete {
			t.Errorf("got %+v, want three numbers so far", res)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
