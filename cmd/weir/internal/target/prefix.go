package target

// PrefixBytes is how much of a conversation's beginning a [Prefix] reads at
// most.
const PrefixBytes = 4096

// Prefix makes the key of a conversation from how it begins: the bytes of its
// JSON up to the end of the first message that is not from the system or the
// developer, or [PrefixBytes] if that comes first. So all turns of a
// conversation have one key, different conversations have different ones
// although they share a system prompt, and those that begin with the same long
// document share a key.
//
// It is a hash that rolls over the bytes as they arrive, in pieces of any size,
// and allocates nothing. The zero value is ready. What is fed is either an
// array of messages or anything else, a prompt for instance, of which only the
// length counts; broken JSON does no harm.
type Prefix struct {
	hash  uint64
	read  int
	depth int
	done  bool

	inString, escaped bool
	value             bool // in a message, behind the colon
	role              bool // the last name in a message was "role"
	preamble          bool // the message's role is system or developer
	token             [len("developer")]byte
	length            int // of the string; it may be longer than the token, which has its beginning
}

// Add reads the next piece and reports whether it wants more.
func (p *Prefix) Add(json []byte) (more bool) {
	json = json[:min(len(json), PrefixBytes-p.read)]
	for len(json) > 0 && !p.done {
		n := 1
		if p.inString {
			n = p.string(json)
		} else {
			p.step(json[0])
		}
		p.roll(json[:n])
		json = json[n:]
	}
	p.done = p.done || p.read == PrefixBytes
	return !p.done
}

func (p *Prefix) roll(data []byte) {
	if p.read == 0 {
		p.hash = offset
	}
	p.hash = fnv(p.hash, data)
	p.read += len(data)
}

// Key is the key of what was read, 0 if that is nothing.
func (p *Prefix) Key() Key {
	if p.read == 0 {
		return 0
	}
	return toKey(p.hash)
}

// inMessage is the depth right in a message: in the array's brackets and its
// own braces.
const inMessage = 2

// step takes a byte outside of strings.
func (p *Prefix) step(b byte) {
	switch b {
	case '"':
		p.inString, p.length = true, 0
	case '{', '[':
		if p.depth++; p.depth == inMessage {
			p.value, p.role, p.preamble = false, false, false
		}
	case '}', ']':
		p.done = p.depth == inMessage && !p.preamble
		p.depth--
	case ':':
		p.value = p.value || p.depth == inMessage
	case ',':
		p.value = p.value && p.depth != inMessage
	}
}

// string follows a string, as far as there is nothing special in it, and
// returns how many bytes that is.
func (p *Prefix) string(json []byte) (n int) {
	switch {
	case p.escaped:
		p.escaped = false
		n = 1
	case json[0] == '\\':
		p.escaped = true
		n = 1
	case json[0] == '"':
		p.inString = false
		if p.depth == inMessage {
			p.member()
		}
		return 1
	default:
		for n < len(json) && json[n] != '"' && json[n] != '\\' {
			n++
		}
	}
	copy(p.token[min(p.length, len(p.token)):], json[:n])
	p.length += n
	return n
}

// member takes a name, or the value that a name has.
func (p *Prefix) member() {
	text := p.token[:min(p.length, len(p.token))]
	if p.length > len(p.token) {
		text = nil
	}
	switch {
	case !p.value:
		p.role = string(text) == "role"
	case p.role:
		p.preamble = string(text) == "system" || string(text) == "developer"
	}
}
