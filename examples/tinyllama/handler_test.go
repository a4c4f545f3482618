package tinyllama

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/examples/tinyllama/llama/llamatest"
	"weir/plugin"
)

// TestRegistered: importing the package registers the handler, which finds its model by the environment.
func TestRegistered(t *testing.T) {
	h, ok := plugin.Lookup(Name)
	if !ok || h.Stream == nil || h.Doc == "" {
		t.Fatalf("got %+v, %v", h, ok)
	}
	before := used.Swap(nil)
	defer used.Store(before)
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, llamatest.File(llamatest.Context, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(WeightsVariable, path)
	s := newSink()
	if err := h.Stream(call{body: `{"prompt":"the","max_tokens":7,"temperature":0}`}, s); err != nil {
		t.Fatal(err)
	}
	<-s.ends
	text, _ := s.got()
	want := `"text":` + string(appendString(nil, []byte(greedy(small, "the", 7))))
	if !strings.Contains(text, want) || s.head["Content-Type"] != "application/json" {
		t.Errorf("got %s, want it to hold %s", text, want)
	}
}
