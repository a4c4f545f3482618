package babble

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"strings"
)

const (
	// A text without a limit ends with the first sentence that ends after
	// between ownLength and 3*ownLength tokens.
	ownLength = 60
	// window is the longest text without Options.MaxTokens.
	window = 4096
)

// Reason is why a text ended, in the words of the OpenAI dialect.
type Reason string

const (
	Stop   Reason = "stop"   // by itself, or at a stop sequence
	Length Reason = "length" // cut by the token limit
)

// Options control a text. The zero value is a random text that ends by itself.
type Options struct {
	Prompt      string
	Seed        *int64   // same model, options and seed: same text; nil: a random one
	Temperature *float64 // 0: always the most frequent token; nil: 1
	MaxTokens   int      // 0: no limit but the model's own, 4096
	IgnoreEnd   bool     // continue until the token limit (vLLM's ignore_eos)
	Stop        []string // end before the first of these; empty strings are ignored
}

// A Speaker generates one text, token by token. It is made by [Model.Start] and
// is not safe for concurrent use. It need not be closed.
type Speaker struct {
	m           *Model
	rng         rand.PCG
	temperature float64
	at, opening uint32    // the next tokens are text[at:opening], word for word
	context     [2]uint32 // the last two tokens, the later one first
	drawn       int       // tokens drawn
	said        int       // tokens that Next returned
	target      int       // the text ends with a sentence from here on
	limit       int
	reason      Reason // why no more tokens are drawn; empty while they are
	stops       stopFilter
}

// Start begins a text. It opens with a sentence about the prompt's topic, if
// the corpus has one.
func (m *Model) Start(o Options) *Speaker {
	s := &Speaker{m: m, temperature: 1, limit: o.MaxTokens, target: math.MaxInt}
	seed := rand.Uint64()
	if o.Seed != nil {
		seed = uint64(*o.Seed)
	}
	s.rng.Seed(seed, hash(o.Prompt))
	if o.Temperature != nil {
		s.temperature = max(*o.Temperature, 0)
	}
	if s.limit <= 0 {
		s.limit = window
	}
	if !o.IgnoreEnd {
		s.target = ownLength + s.intn(2*ownLength)
	}
	s.stops.add(o.Stop)
	s.open(o.Prompt)
	return s
}

// hash is FNV-1a: equal on every machine, unlike hash/maphash.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// open chooses the opening: a sentence up to the prompt's topic, or the first
// token of any sentence.
func (s *Speaker) open(prompt string) {
	m := s.m
	if len(m.starts) == 0 {
		s.reason = Stop
		return
	}
	if topic, ok := m.topic(prompt); ok {
		behind := m.after(topic)
		s.opening = behind[s.intn(len(behind))]
		if s.opening == 0 { // the corpus's last token: its follower is the first
			s.opening = uint32(len(m.text))
		}
		s.at = m.sentenceOf(s.opening - 1)
	} else {
		s.at = m.starts[s.intn(len(m.starts))]
		s.opening = s.at + 1
	}
	s.context = [2]uint32{m.before(s.at, 1), m.before(s.at, 2)}
}

// Next returns the next token: never empty, always whole UTF-8. ok is false
// when the text has ended. The string stays valid.
func (s *Speaker) Next() (token string, ok bool) {
	for {
		if token, ok = s.stops.pop(); ok {
			s.said++
			return token, true
		}
		if s.stops.hit {
			s.reason = Stop
		}
		if token, ok = s.draw(); ok && s.stops.idle() {
			s.said++
			return token, true
		}
		switch {
		case ok:
			s.stops.push(token)
		case !s.stops.flush():
			return "", false
		}
	}
}

// Reason returns why the text ended. It is empty until Next has returned false.
func (s *Speaker) Reason() Reason { return s.reason }

// Tokens returns how many tokens Next has returned.
func (s *Speaker) Tokens() int { return s.said }

// draw makes the next token, whatever the stop sequences.
func (s *Speaker) draw() (token string, ok bool) {
	if s.reason == "" && s.drawn >= s.limit {
		s.reason = Length
	}
	if s.reason != "" {
		return "", false
	}
	id := s.nextID()
	s.context = [2]uint32{id, s.context[0]}
	token = s.m.vocab[id]
	if s.drawn == 0 {
		token = strings.TrimPrefix(token, " ")
	}
	s.drawn++
	if s.drawn >= s.target && endsSentence(token) {
		s.reason = Stop
	}
	return token, true
}

func (s *Speaker) nextID() uint32 {
	if s.at < s.opening {
		s.at++
		return s.m.text[s.at-1]
	}
	one := s.m.after(s.context[0])
	two := s.m.afterPair(one, s.context[1])
	if s.float() < s.backOff(two) {
		return s.m.text[one[s.intn(len(one))]]
	}
	return s.choose(two)
}

// backOff returns the probability of leaving a context for the shorter one:
// Witten and Bell's, the share of novelties among all that the context has
// seen. Low temperatures keep to the longer context.
func (s *Speaker) backOff(positions []uint32) float64 {
	kinds, n := 0, len(positions)
	for len(positions) > 0 {
		positions = positions[s.run(positions):]
		kinds++
	}
	return float64(kinds) / float64(kinds+n) * min(s.temperature, 1)
}

// choose draws a token that stands at one of the positions, all behind the same
// two tokens, with the weight count^(1/temperature).
func (s *Speaker) choose(positions []uint32) uint32 {
	switch s.temperature {
	case 1:
		return s.m.text[positions[s.intn(len(positions))]]
	case 0:
		return s.mostFrequent(positions)
	}
	var total float64
	for rest := positions; len(rest) > 0; {
		n := s.run(rest)
		total += s.weight(n, len(positions))
		rest = rest[n:]
	}
	// Rounding may leave something of pick behind the last run, which then
	// wins.
	for pick := s.float() * total; ; {
		n := s.run(positions)
		pick -= s.weight(n, len(positions))
		if pick < 0 || n == len(positions) {
			return s.m.text[positions[0]]
		}
		positions = positions[n:]
	}
}

func (s *Speaker) weight(n, of int) float64 {
	return math.Pow(float64(n)/float64(of), 1/s.temperature)
}

// mostFrequent breaks ties by lot.
func (s *Speaker) mostFrequent(positions []uint32) (id uint32) {
	best, ties := 0, 0
	for len(positions) > 0 {
		n := s.run(positions)
		switch {
		case n > best:
			best, ties, id = n, 1, s.m.text[positions[0]]
		case n == best:
			if ties++; s.intn(ties) == 0 {
				id = s.m.text[positions[0]]
			}
		}
		positions = positions[n:]
	}
	return id
}

// run returns how many positions at the front hold the same token.
func (s *Speaker) run(positions []uint32) int {
	id, n := s.m.text[positions[0]], 1
	for n < len(positions) && s.m.text[positions[n]] == id {
		n++
	}
	return n
}

// intn returns a number below n, which must be positive.
func (s *Speaker) intn(n int) int {
	hi, _ := bits.Mul64(s.rng.Uint64(), uint64(n))
	return int(hi)
}

// float returns a number in [0, 1).
func (s *Speaker) float() float64 {
	return float64(s.rng.Uint64()>>11) / (1 << 53)
}
