package patience

import "testing"

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text string
		want float64 // 0: it panics
	}{
		{"", 1}, {"1", 1}, {"5", 5}, {"0.5", 0.5}, {"100", 100},
		{"0", 0}, {"-1", 0}, {"101", 0}, {"NaN", 0}, {"5s", 0}, {" 5", 0},
	} {
		if got := parsed(tt.text); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.text, got, tt.want)
		}
	}
}

func parsed(text string) (n float64) {
	defer func() { _ = recover() }()
	return parse(text)
}
