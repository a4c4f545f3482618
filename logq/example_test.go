package logq_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"weir/logq"
)

// An access log that is written on event loops: nothing waits for its reader.
func ExampleWriter() {
	out := logq.NewWriter(os.Stdout, true)
	fmt.Fprintf(out, "GET /count 200\n")
	out.Wait(time.Second) // at the end of the program
	// Output: GET /count 200
}

// A logger whose handler may take its time, for weir.Server.Logger or a loop.
func ExampleHandler() {
	slow := slog.NewJSONHandler(io.Discard, nil) // a network, say
	h := logq.NewHandler(slow)
	slog.New(h).Info("started")
	fmt.Println(h.Wait(time.Second), h.Lost())
	// Output: true 0
}
