package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/examples/tinyllama/llama/llamatest"
)

// TestServe: a server that is told to stop ends without an error, and one that cannot start says why.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	model, garbage := filepath.Join(dir, "model.gguf"), filepath.Join(dir, "garbage.gguf")
	for path, content := range map[string][]byte{model: llamatest.File(llamatest.Context, nil), garbage: []byte("garbage")} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	tests := []struct{ name, weights, listen, want string }{
		{"good", model, "127.0.0.1:0", ""},
		{"no weights", "", "127.0.0.1:0", "--weights"},
		{"no such file", model + ".none", "127.0.0.1:0", "no such file"},
		{"garbage", garbage, "127.0.0.1:0", "does not begin with GGUF"},
		{"no address", model, "nowhere", "nowhere"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := serve(stopped, tt.weights, tt.listen, 1, 1)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}
