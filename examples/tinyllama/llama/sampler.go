package llama

import (
	"math"
	"math/rand/v2"
)

// Sampler chooses the next token. The zero value chooses the likeliest one.
type Sampler struct {
	temperature float64
	random      *rand.Rand
}

// NewSampler returns a sampler that is the more daring the higher the
// temperature; at 0 it takes the likeliest token. The same seed makes the same
// choices.
func NewSampler(temperature float64, seed uint64) Sampler {
	if temperature <= 0 {
		return Sampler{}
	}
	return Sampler{temperature, rand.New(rand.NewPCG(seed, 0))}
}

// Choose returns a token. It uses up the logits.
func (s *Sampler) Choose(logits []float32) int {
	if s.random == nil {
		return likeliest(logits)
	}
	for i, v := range logits {
		logits[i] = float32(float64(v) / s.temperature)
	}
	softmax(logits)
	at := s.random.Float64()
	for i, p := range logits {
		if at -= float64(p); at < 0 {
			return i
		}
	}
	return likeliest(logits) // what rounding left
}

func likeliest(x []float32) int {
	best, top := 0, float32(math.Inf(-1))
	for i, v := range x {
		if v > top {
			best, top = i, v
		}
	}
	return best
}
