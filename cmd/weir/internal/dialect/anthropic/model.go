package anthropic

import (
	"time"

	"weir/cmd/weir/internal/dialect"
)

// VersionField is the field that a request of this dialect has. Requests about
// models, whose paths are OpenAI's as well, are told apart by it.
const VersionField = "anthropic-version"

// AppendModel appends one model: the body of GET /v1/models/{id}.
func AppendModel(dst []byte, id string, created time.Time) []byte {
	dst = dialect.AppendString(append(dst, `{"type":"model","id":`...), id)
	dst = dialect.AppendString(append(dst, `,"display_name":`...), id)
	return append(created.UTC().AppendFormat(append(dst, `,"created_at":"`...), time.RFC3339), `"}`...)
}

// AppendModels appends the list of models: the body of GET /v1/models. It is one
// page, whatever limit the client asks for.
func AppendModels(dst []byte, ids []string, created time.Time) []byte {
	dst = append(dst, `{"data":[`...)
	first, last := "", ""
	for i, id := range ids {
		if last = id; i == 0 {
			first = id
		} else {
			dst = append(dst, ',')
		}
		dst = AppendModel(dst, id, created)
	}
	dst = dialect.AppendNullable(append(dst, `],"has_more":false,"first_id":`...), first)
	dst = dialect.AppendNullable(append(dst, `,"last_id":`...), last)
	return append(dst, '}')
}
