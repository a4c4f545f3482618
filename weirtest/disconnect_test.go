package weirtest_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/weirtest"
)

// README.md and the package's documentation show this test, to the letter.

func TestDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		mux := new(weir.Mux)
		mux.HandleFunc("GET /count", func(w *weir.Response, r *weir.Request) {
			r.OnClose(func(err error) { cause = err })
			stream := w.Stream()
			for i := 0; stream.Send(fmt.Appendf(nil, "%d\n", i)) == nil; i++ {
				time.Sleep(100 * time.Millisecond)
			}
		})
		s := weirtest.Start(t, &weir.Server{Handler: mux})

		c := s.Get("/count")
		s.Tick(250 * time.Millisecond)
		if got := c.Response().Body; got != "0\n1\n2\n" {
			t.Errorf("got %q after 250 ms", got)
		}
		c.Reset() // in the middle of the stream
		s.Settle()
		if !errors.Is(cause, weir.ErrClientGone) {
			t.Errorf("got cause %v, want %v", cause, weir.ErrClientGone)
		}
	})
}

func TestDisconnectIsShown(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, test, _ := strings.Cut(read("disconnect_test.go"), "\nfunc TestDisconnect")
	test, _, _ = strings.Cut("func TestDisconnect"+test, "\n}\n")
	test += "\n}\n"
	if !strings.Contains(read("../README.md"), "\n```go\n"+test+"```\n") {
		t.Error("README.md shows another test")
	}
	var comment strings.Builder
	for line := range strings.Lines(test) {
		comment.WriteString(strings.TrimRight("//\t"+line, "\n\t") + "\n")
	}
	if !strings.Contains(read("doc.go"), comment.String()) {
		t.Errorf("doc.go shows another test; want\n%s", comment.String())
	}
}
