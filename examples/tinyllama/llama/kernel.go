package llama

import "math"

// Every sum here is taken in one order, however many rows are computed
// together: the result of a sequence does not depend on the others.

// multiply computes out = x · wᵀ: x has rows of n numbers, w a row of n numbers
// for each number of a row of out.
func multiply(out, w, x []float32, n int) {
	width := len(w) / n
	o := 0
	for ; o+4 <= width; o += 4 {
		w0, w1, w2, w3 := w[o*n:][:n], w[(o+1)*n:][:n], w[(o+2)*n:][:n], w[(o+3)*n:][:n]
		for r := range len(x) / n {
			to := out[r*width+o:][:4]
			to[0], to[1], to[2], to[3] = dots(x[r*n:][:n], w0, w1, w2, w3)
		}
	}
	for ; o < width; o++ {
		for r := range len(x) / n {
			out[r*width+o] = dot(x[r*n:][:n], w[o*n:])
		}
	}
}

// dots is four times dot. Four sums that do not wait for each other keep the
// processor busy.
func dots(x, w0, w1, w2, w3 []float32) (a, b, c, d float32) {
	w0, w1, w2, w3 = w0[:len(x)], w1[:len(x)], w2[:len(x)], w3[:len(x)]
	for i, v := range x {
		a += v * w0[i]
		b += v * w1[i]
		c += v * w2[i]
		d += v * w3[i]
	}
	return a, b, c, d
}

func dot(x, w []float32) (sum float32) {
	w = w[:len(x)]
	for i, v := range x {
		sum += v * w[i]
	}
	return sum
}

// norm puts into y the rows of x, each scaled to a mean square of 1 and then by
// the weights.
func norm(y, x, weights []float32, eps float32) {
	n := len(weights)
	for ; len(x) > 0; x, y = x[n:], y[n:] {
		var squares float64
		for _, v := range x[:n] {
			squares += float64(v * v)
		}
		scale := 1 / float32(math.Sqrt(float64(float32(squares/float64(n))+eps)))
		for i, v := range x[:n] {
			y[i] = v * scale * weights[i]
		}
	}
}

// softmax makes of scores what adds up to 1.
func softmax(x []float32) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	var sum float64
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - top)))
		sum += float64(x[i])
	}
	scale := float32(1 / sum)
	for i := range x {
		x[i] *= scale
	}
}

// activate is the gate of the feed-forward net (SwiGLU).
func activate(gate, up []float32) {
	for i, g := range gate {
		gate[i] = g / (1 + float32(math.Exp(-float64(g)))) * up[i]
	}
}

func add(x, y []float32) {
	for i := range x {
		x[i] += y[i]
	}
}
