package llama

import "math"

// Row asks for one step of one sequence.
type Row struct {
	Cache  *Cache
	Token  int
	Logits []float32 // filled with a number for each token of the vocabulary; nil if not needed, as within a prompt
}

// Cache is one sequence: the keys and values of its tokens. The zero value is
// an empty one. It grows with the sequence. Only one Worker at a time may use
// it.
type Cache struct {
	k, v [][]float32 // for each layer, tokens × kvHeads × headDim
	n    int
}

// Len is the number of tokens.
func (c *Cache) Len() int { return c.n }

// Reset makes it an empty sequence that keeps the memory.
func (c *Cache) Reset() {
	for i := range c.k {
		c.k[i], c.v[i] = c.k[i][:0], c.v[i][:0]
	}
	c.n = 0
}

// block is how many rows go through the layers together: enough that weights
// are read seldom, few enough that what is computed between the layers stays
// near.
const block = 32

// Worker has the memory that a computation needs. It is not safe for concurrent
// use; several workers compute faster.
type Worker struct {
	m *Model

	x, y     []float32 // rows × dim: the state that the layers add to, and a copy to work on
	q        []float32 // rows × dim
	k, v     []float32 // rows × kvHeads × headDim
	gate, up []float32 // rows × hidden
	angles   []float32 // rows × rotation's
	scores   []float32 // of one head, for each token of a sequence
}

// NewWorker returns a worker.
func (m *Model) NewWorker() *Worker {
	kv := m.kvHeads * m.headDim
	floats := func(n int) []float32 { return make([]float32, block*n) }
	return &Worker{m: m, x: floats(m.dim), y: floats(m.dim), q: floats(m.dim), k: floats(kv), v: floats(kv),
		gate: floats(m.hidden), up: floats(m.hidden)}
}

// Tokenizer is the model's.
func (w *Worker) Tokenizer() *Tokenizer { return w.m.Tokenizer }

// Forward takes rows in order: a sequence may have several, as it does at its
// prompt. The result of a row does not depend on the rows of other sequences,
// to the last bit. A sequence must not grow beyond Model.Context.
func (w *Worker) Forward(rows []Row) {
	for len(rows) > 0 {
		n := min(block, len(rows))
		w.forward(rows[:n])
		rows = rows[n:]
	}
}

func (w *Worker) forward(rows []Row) {
	m, n := w.m, len(rows)
	x, y, gate := w.x[:n*m.dim], w.y[:n*m.dim], w.gate[:n*m.hidden]
	w.begin(rows)
	for i := range m.layers {
		l := &m.layers[i]
		norm(y, x, l.attnNorm, m.eps)
		multiply(w.q[:n*m.dim], l.q, y, m.dim)
		multiply(w.k[:n*m.kvHeads*m.headDim], l.k, y, m.dim)
		multiply(w.v[:n*m.kvHeads*m.headDim], l.v, y, m.dim)
		w.attend(y, rows, i)
		multiply(w.q[:n*m.dim], l.o, y, m.dim)
		add(x, w.q)

		norm(y, x, l.ffnNorm, m.eps)
		multiply(gate, l.gate, y, m.dim)
		multiply(w.up[:n*m.hidden], l.up, y, m.dim)
		activate(gate, w.up)
		multiply(y, l.down, gate, m.hidden)
		add(x, y)
	}
	norm(y, x, m.norm, m.eps)
	for r, row := range rows {
		if row.Logits != nil {
			multiply(row.Logits, m.output, y[r*m.dim:][:m.dim], m.dim)
		}
	}
}

// begin reads the tokens: their embeddings, and their places in their
// sequences.
func (w *Worker) begin(rows []Row) {
	m := w.m
	w.angles = w.angles[:0]
	for r, row := range rows {
		copy(w.x[r*m.dim:][:m.dim], m.embedding[row.Token*m.dim:])
		c := row.Cache
		if c.k == nil {
			c.k, c.v = make([][]float32, len(m.layers)), make([][]float32, len(m.layers))
		}
		w.angles = m.turns.appendAngles(w.angles, c.n)
		c.n++
	}
}

// attend puts into out what each row finds in its sequence up to and including
// itself.
func (w *Worker) attend(out []float32, rows []Row, layer int) {
	m := w.m
	kv, turns := m.kvHeads*m.headDim, 2*len(m.turns)
	for r, row := range rows {
		q, k, v := w.q[r*m.dim:][:m.dim], w.k[r*kv:][:kv], w.v[r*kv:][:kv]
		angles := w.angles[r*turns:][:turns]
		turn(q, m.headDim, angles)
		turn(k, m.headDim, angles)
		c := row.Cache
		c.k[layer] = append(c.k[layer], k...)
		c.v[layer] = append(c.v[layer], v...)
		for h := range m.heads {
			shared := h / (m.heads / m.kvHeads) * m.headDim
			head := h * m.headDim
			w.attendHead(out[r*m.dim+head:][:m.headDim], q[head:][:m.headDim], c.k[layer][shared:], c.v[layer][shared:], kv)
		}
	}
}

// attendHead is one head: the mean of the values, weighted by how well the
// query fits the keys. Those lie stride apart.
func (w *Worker) attendHead(out, query, keys, values []float32, stride int) {
	scores := w.scores[:0]
	scale := float32(1 / math.Sqrt(float64(len(query))))
	for at := 0; at < len(keys); at += stride {
		scores = append(scores, dot(query, keys[at:])*scale)
	}
	w.scores = scores
	softmax(scores)
	clear(out)
	for i, s := range scores {
		for j, v := range values[i*stride:][:len(out)] {
			out[j] += s * v
		}
	}
}
