package mock

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
)

// dimensions is the length of a mock's vectors, unless the request asks for
// another one.
const (
	dimensions    = 8
	mostDimension = 4096
)

// embeddings responds with a vector for each text: equal texts have equal ones.
func (s *Server) embeddings(in *incoming) []byte {
	var q struct {
		Input      json.RawMessage
		Encoding   string `json:"encoding_format"`
		Dimensions int
	}
	_ = json.Unmarshal(in.content, &q) // what is wrong counts as absent: a mock does not refuse
	if q.Dimensions < 1 || q.Dimensions > mostDimension {
		q.Dimensions = dimensions
	}
	type entry struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"`
	}
	list := []entry{}
	for i, text := range inputs(q.Input) {
		var v any = vector(text, q.Dimensions)
		if q.Encoding == "base64" {
			v = packed(vector(text, q.Dimensions))
		}
		list = append(list, entry{"embedding", i, v})
	}
	body, _ := json.Marshal(map[string]any{ // strings and finite numbers
		"object": "list", "data": list, "model": in.Model,
		"usage": map[string]int{"prompt_tokens": promptTokens, "total_tokens": promptTokens},
	})
	return body
}

// inputs are the texts, or the lists of tokens, that want a vector.
func inputs(input json.RawMessage) []string {
	var many []json.RawMessage
	if json.Unmarshal(input, &many) != nil || len(many) > 0 && many[0][0] != '"' && many[0][0] != '[' {
		return []string{string(input)} // one text, or the tokens of one
	}
	texts := make([]string, len(many))
	for i, one := range many {
		texts[i] = string(one)
	}
	return texts
}

// vector makes a unit vector of a text.
func vector(text string, n int) []float32 {
	v, sum := make([]float32, n), 0.0
	hash := sha256.Sum256([]byte(text))
	for i := range v {
		if i%len(hash) == 0 && i > 0 {
			hash = sha256.Sum256(hash[:])
		}
		v[i] = float32(int8(hash[i%len(hash)])) / 128
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(max(math.Sqrt(sum), 1e-9))
	}
	return v
}

func packed(v []float32) string {
	var raw []byte
	for _, f := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(raw)
}
