package dialect

// repeat is the short way through a stream of tokens. Most of its events are
// the last one again with another text:
//
//	data: {"id":"c1","choices":[{"index":0,"delta":{"content":" world"},"finish_reason":null}]}\n\n
//	└────────────────────── before ──────────────────────────┘       └──────── behind ─────────┘
//
// An event with the same bytes around a text, where only matters whether that
// is empty (Node.Free), has the verdict of the last one, and changes as little
// in its judge as the same event a second time.
type repeat struct {
	bytes  []byte // before and behind
	before int    // length
	line   int    // length of the longest line without the text
}

// repeatMost bounds how much of an event is kept.
const repeatMost = 1 << 10

// match returns the length of the event that p begins with, and of its text, if
// it is the last one again.
func (k *repeat) match(p []byte) (n, text int) {
	behind := k.bytes[k.before:]
	if len(p) <= len(k.bytes) || string(p[:k.before]) != string(k.bytes[:k.before]) {
		return 0, 0
	}
	rest := p[k.before:]
	for text < len(rest) && rest[text] != '"' {
		if rest[text] == '\\' || rest[text] < ' ' || text > longWay {
			return 0, 0
		}
		text++
	}
	if text == 0 || len(rest)-text < len(behind) || string(rest[text:text+len(behind)]) != string(behind) {
		return 0, 0
	}
	return k.before + text + len(behind), text
}

// learn keeps an event whose text is a part of it.
func (k *repeat) learn(event, text []byte, line int) {
	at := cap(event) - cap(text) // both have the end of the same array
	k.bytes, k.before = k.bytes[:0], 0
	if len(event) > repeatMost || event[len(event)-1] != '\n' {
		return
	}
	k.bytes = append(append(k.bytes, event[:at]...), event[at+len(text):]...)
	k.before, k.line = at, line-len(text)
}
