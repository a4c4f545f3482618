// Package stats summarises samples: order statistics only, since every figure
// here has a long tail.
package stats

import (
	"math"
	"slices"
)

// Sorted is a set of samples in ascending order. The zero value is an empty
// set, whose every statistic is NaN.
type Sorted []float64

// Sort takes ownership of samples and returns them in order.
func Sort(samples []float64) Sorted {
	slices.Sort(samples)
	return samples
}

// Quantile returns the smallest sample that at least the share q of all
// samples do not exceed (nearest rank), q in [0, 1].
func (s Sorted) Quantile(q float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	rank := int(math.Ceil(q * float64(len(s))))
	return s[min(max(rank, 1), len(s))-1]
}

// Median returns the middle sample, or the mean of the middle two.
func (s Sorted) Median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	half := len(s) / 2
	if len(s)%2 == 1 {
		return s[half]
	}
	return (s[half-1] + s[half]) / 2
}

// Min returns the smallest sample.
func (s Sorted) Min() float64 { return s.Quantile(0) }

// Max returns the largest sample.
func (s Sorted) Max() float64 { return s.Quantile(1) }
