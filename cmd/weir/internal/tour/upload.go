package tour

import (
	"crypto/sha256"
	"encoding/hex"
	"io"

	"weir"
)

const uploadPattern = "PUT /upload"

// uploadLimit reads the largest body that the request permits itself.
func uploadLimit(q *query) int64 { return q.number("max", 1<<20, 0, 1<<40) }

// admitUpload decides about an upload before its body arrives. A client that
// waits for 100 Continue does not send it in vain.
func admitUpload(w *weir.Response, r *weir.Request) bool {
	if r.Pattern() != uploadPattern {
		return true
	}
	q := queryOf(r)
	limit, authorize := uploadLimit(q), q.flag("auth")
	switch {
	case q.refused(w):
	case authorize && !r.Header().Has("Authorization"):
		w.Error(401, "an Authorization field is wanted; any will do")
		setHeader(w, "WWW-Authenticate", `Basic realm="weir tour"`)
	case r.ContentLength() > limit:
		tooLarge(w)
	default:
		return true
	}
	return false
}

// upload takes the body while it arrives and keeps none of it. The server
// reads from the client no faster than this does.
func upload(w *weir.Response, r *weir.Request) {
	limit := uploadLimit(queryOf(r))
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(r.BodyReader(), limit+1))
	switch {
	case err != nil:
		return // the body is not complete: the client has got an error response, or has disconnected
	case n > limit: // in chunks, or admitUpload would have seen it
		tooLarge(w)
		return
	}
	w.JSON(200, struct {
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
	}{n, hex.EncodeToString(sum.Sum(nil))})
}

// tooLarge also closes the connection: what follows the head is an unwanted
// body.
func tooLarge(w *weir.Response) {
	setHeader(w, "Connection", "close")
	w.Error(413, "the body is larger than the parameter max allows")
}
