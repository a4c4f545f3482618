package upstream

import (
	"weir/chunked"
	"weir/client"
)

// body frames the beginning of the body as the head says.
func (u *Upstream) body(req *Request) []byte {
	if req.Length >= 0 || !req.More {
		return req.Body
	}
	return chunked.AppendChunk(nil, req.Body)
}

// chunkedCall is a call whose body, of unknown length, goes out in chunks.
type chunkedCall struct{ *client.Call }

func (c chunkedCall) Write(p []byte) bool {
	return c.Call.Write(chunked.AppendChunk(make([]byte, 0, len(p)+16), p))
}

func (c chunkedCall) EndBody() {
	c.Call.Write(chunked.AppendEnd(nil))
	c.Call.EndBody()
}
