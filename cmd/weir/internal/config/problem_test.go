package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestProblems compares what is told of each file in testdata/bad with the text
// beside it; -update rewrites the texts.
func TestProblems(t *testing.T) {
	environment(t)
	for _, name := range files(t, "testdata/bad/*.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			c, err := Load(name)
			var problems Problems
			if !errors.As(err, &problems) || c != nil {
				t.Fatalf("got %v and error %v, want Problems alone", c, err)
			}
			got := strings.ReplaceAll(problems.Error(), filepath.ToSlash(name), filepath.Base(name)) + "\n"
			golden := strings.TrimSuffix(name, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
