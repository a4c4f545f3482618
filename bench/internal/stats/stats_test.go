package stats

import (
	"math"
	"testing"
)

func TestQuantile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	tests := []struct {
		name    string
		samples []float64
		q, want float64
	}{
		{"one sample", []float64{7}, 0.99, 7},
		{"p0 is the smallest", []float64{3, 1, 2}, 0, 1},
		{"p100 is the largest", []float64{3, 1, 2}, 1, 3},
		{"p50 of a hundred", hundred, 0.50, 50},
		{"p99 of a hundred", hundred, 0.99, 99},
		{"p99 of few is the largest", []float64{1, 2, 3}, 0.99, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Sort(tt.samples).Quantile(tt.q); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestMedian(t *testing.T) {
	tests := []struct {
		name    string
		samples []float64
		want    float64
	}{
		{"odd", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 2, 9}, 3},
		{"one", []float64{2}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Sort(tt.samples).Median(); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestEmptyIsNaN(t *testing.T) {
	var s Sorted
	for name, got := range map[string]float64{"median": s.Median(), "p99": s.Quantile(0.99), "min": s.Min(), "max": s.Max()} {
		if !math.IsNaN(got) {
			t.Errorf("%s: got %v, want NaN", name, got)
		}
	}
}
