package hub

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
)

// The id of an event is <epoch>-<seq>, or <epoch>-<seq>.<part>. The epoch stands
// for the topic and for the incarnation of what has numbered it: an id of
// another topic, of a process that has ended or of a store that was made anew
// is not taken for one of this.

// epochOf returns the epoch of a topic.
func epochOf(incarnation, topic string) string {
	sum := sha256.Sum256([]byte(incarnation + "\x00" + topic))
	return base64.RawURLEncoding.EncodeToString(sum[:9]) // 12 characters
}

func idOf(epoch string, at Position) string {
	b := make([]byte, 0, 48)
	b = append(append(b, epoch...), '-')
	b = strconv.AppendUint(b, at.Seq, 10)
	if at.Part > 0 {
		b = append(b, '.')
		b = strconv.AppendUint(b, uint64(at.Part), 10)
	}
	return string(b)
}

// parseID returns the position of an id of this epoch. Only what idOf returns
// is one.
func parseID(epoch, id string) (at Position, ok bool) {
	rest, ok := strings.CutPrefix(id, epoch+"-")
	if !ok {
		return at, false
	}
	seq, part, _ := strings.Cut(rest, ".")
	at.Seq, _ = strconv.ParseUint(seq, 10, 64) // 0 if it is not one, and then it differs
	n, _ := strconv.ParseUint(part, 10, 32)
	at.Part = uint32(n)
	return at, idOf(epoch, at) == id
}
