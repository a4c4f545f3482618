package target

import "math/bits"

// twoChoices compares only two candidates, and so needs no exact counts: when
// many loops pick at once they do not all choose the same one (Mitzenmacher,
// "The Power of Two Choices in Randomized Load Balancing").
type twoChoices struct{ random func() uint64 }

func (p *twoChoices) Pick(c []Candidate, _ Key) int {
	first := p.draw(c, -1)
	if first < 0 {
		return -1
	}
	if second := p.draw(c, first); second >= 0 && less(&c[second], &c[first]) {
		return second
	}
	return first
}

// draw picks a free candidate at random by weight, other than the one given.
func (p *twoChoices) draw(c []Candidate, not int) int {
	total := 0
	for i := range c {
		if i != not && c[i].free() {
			total += c[i].weight()
		}
	}
	if total == 0 {
		return -1
	}
	hit, _ := bits.Mul64(p.random(), uint64(total))
	for i := range c {
		if i == not || !c[i].free() {
			continue
		}
		if w := uint64(c[i].weight()); hit >= w {
			hit -= w
			continue
		}
		return i
	}
	panic("target: a number below the sum of the weights is within one of them")
}
