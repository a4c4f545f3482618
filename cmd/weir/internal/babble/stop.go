package babble

import "bytes"

// stopFilter holds tokens back while they may still be the beginning of a stop
// sequence, and ends the text before the first sequence that is complete.
type stopFilter struct {
	sequences [][]byte
	held      []string // tokens not yet returned
	text      []byte   // the same, joined
	safe      int      // how much of text may be returned
	hit       bool     // text[safe:] begins with a stop sequence
}

func (f *stopFilter) add(sequences []string) {
	for _, seq := range sequences {
		if seq != "" {
			f.sequences = append(f.sequences, []byte(seq))
		}
	}
}

// idle reports whether there is nothing to look for.
func (f *stopFilter) idle() bool { return len(f.sequences) == 0 }

// push adds one more token.
func (f *stopFilter) push(token string) {
	f.held = append(f.held, token)
	f.text = append(f.text, token...)
	f.safe = len(f.text)
	for _, seq := range f.sequences {
		if i := bytes.Index(f.text, seq); i >= 0 {
			f.hit = true
			f.safe = min(f.safe, i)
		}
	}
	if f.hit {
		return
	}
	for _, seq := range f.sequences {
		f.safe = min(f.safe, len(f.text)-overlap(f.text, seq))
	}
}

// overlap returns the length of the longest end of text that seq begins with.
func overlap(text []byte, seq []byte) int {
	for n := min(len(text), len(seq)-1); n > 0; n-- {
		if bytes.HasSuffix(text, seq[:n]) {
			return n
		}
	}
	return 0
}

// pop returns the next token that is safe, or the part of one before a stop
// sequence.
func (f *stopFilter) pop() (token string, ok bool) {
	if len(f.held) == 0 || f.safe == 0 {
		return "", false
	}
	token = f.held[0]
	if len(token) > f.safe {
		if !f.hit {
			return "", false
		}
		token = token[:f.safe]
	}
	f.held = f.held[:copy(f.held, f.held[1:])]
	f.text = f.text[:copy(f.text, f.text[len(token):])]
	f.safe -= len(token)
	return token, true
}

// flush marks all that is held as safe, since no token follows. It reports
// whether there is any.
func (f *stopFilter) flush() bool {
	if f.hit {
		return false
	}
	f.safe = len(f.text)
	return f.safe > 0
}
