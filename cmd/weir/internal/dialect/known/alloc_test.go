//go:build !race

package known

import (
	"os"
	"testing"

	"weir/cmd/weir/internal/dialect"
)

// A response that passes costs no allocation, nor does the next one on the same Reader.
func TestReaderAllocatesNothing(t *testing.T) {
	for _, tt := range []struct {
		endpoint *dialect.Endpoint
		body     string
	}{
		{Dialects[0].Endpoints()[0], "../openai/testdata/vllm.body"},
		{Dialects[1].Endpoints()[0], "../responses/testdata/text.body"},
		{Dialects[2].Endpoints()[0], "../anthropic/testdata/tools.body"},
		{Dialects[3].Endpoints()[0], "../ollama/testdata/chat.body"},
	} {
		body, err := os.ReadFile(tt.body)
		if err != nil {
			t.Fatal(err)
		}
		var r dialect.Reader
		read := func() {
			r.Reset(tt.endpoint)
			for rest := body; len(rest) > 0; {
				n, _ := r.Next(rest)
				rest = rest[n:]
			}
			if r.Close(true) != dialect.Complete {
				t.Fatal("not complete")
			}
		}
		if got := testing.AllocsPerRun(100, read); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", tt.body, got)
		}
	}
}
