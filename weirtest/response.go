package weirtest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
)

// A Response is a response as far as it has arrived.
type Response struct {
	Status   int
	Header   http.Header
	Body     string      // without its framing
	Trailer  http.Header // once it is complete
	Complete bool        // false while there is more to come, or if the connection ended before
}

// Response settles, and returns the response that is arriving. While it is not
// complete, the next call returns it again with what has been added. After it
// has been returned complete, the next call returns the next response of the
// connection. A 1xx response also counts.
//
// It fails the test at once if no head has arrived, or if what has arrived is
// not a response. The request is assumed to be a GET: use [Client.Received]
// after a HEAD.
func (c *Client) Response() *Response {
	c.t.Helper()
	c.fill()
	c.mu.Lock()
	defer c.mu.Unlock()
	res, rest, err := parse(c.buffer, c.conn.End() == io.EOF)
	if err != nil {
		c.t.Fatalf("weirtest: want a response, got %q and %v", c.buffer, err)
	}
	if res.Complete {
		c.buffer = rest
	}
	return res
}

var errNoHead = errors.New("no complete head so far")

// parse reads the first response of p. ended reports whether nothing follows p.
// rest is what comes after the response, if that is complete.
func parse(p []byte, ended bool) (res *Response, rest []byte, err error) {
	if !bytes.Contains(p, []byte("\r\n\r\n")) {
		return nil, nil, errNoHead
	}
	source := bytes.NewReader(p)
	reader := bufio.NewReader(source)
	got, err := http.ReadResponse(reader, nil)
	if err != nil {
		return nil, nil, err
	}
	var body strings.Builder
	_, err = io.Copy(&body, got.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, err
	}
	res = &Response{Status: got.StatusCode, Header: got.Header, Body: body.String(), Complete: err == nil}
	if untilClose := got.ContentLength < 0 && len(got.TransferEncoding) == 0; untilClose {
		res.Complete = ended
	}
	if res.Complete {
		res.Trailer = got.Trailer
		rest = p[len(p)-source.Len()-reader.Buffered():]
	}
	return res, rest, nil
}
