package openai

import (
	"math/rand/v2"
	"strconv"

	"weir/cmd/weir/internal/dialect"
)

// NewID returns a new id for a response. It is random, not secret.
func NewID() string {
	const (
		prefix   = "chatcmpl-"
		alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	)
	var id [len(prefix) + 29]byte
	copy(id[:], prefix)
	for i := len(prefix); i < len(id); i++ {
		id[i] = alphabet[rand.IntN(len(alphabet))]
	}
	return string(id[:])
}

// AppendCompletion appends a whole response: its body if the request did not
// ask for a stream.
func AppendCompletion(dst []byte, a Answer, text, finish string, u Usage) []byte {
	dst = a.appendHead(dst, "chat.completion")
	dst = append(dst, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	dst = dialect.AppendString(dst, text)
	dst = append(dst, `,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":`...)
	dst = dialect.AppendString(dst, finish)
	dst = append(dst, `}],"usage":`...)
	return append(u.append(dst), '}')
}

// Model is an entry of the list of models.
type Model struct {
	ID      string
	Created int64 // Unix time in seconds
	OwnedBy string
}

// AppendModel appends one model: the body of GET /v1/models/{id}.
func AppendModel(dst []byte, m Model) []byte {
	dst = dialect.AppendString(append(dst, `{"id":`...), m.ID)
	dst = strconv.AppendInt(append(dst, `,"object":"model","created":`...), m.Created, 10)
	dst = dialect.AppendString(append(dst, `,"owned_by":`...), m.OwnedBy)
	return append(dst, '}')
}

// AppendModels appends the list of models: the body of GET /v1/models.
func AppendModels(dst []byte, models []Model) []byte {
	dst = append(dst, `{"object":"list","data":[`...)
	for i, m := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendModel(dst, m)
	}
	return append(dst, "]}"...)
}
