package openai

import (
	"strconv"

	"weir/cmd/weir/internal/dialect"
)

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
