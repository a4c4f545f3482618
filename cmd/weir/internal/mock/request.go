package mock

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
	"time"

	"weir/chunked"
	"weir/cmd/weir/internal/speak"
	"weir/http1"
)

const (
	settingPrefix = "x-mock-"
	loggedBody    = 16 << 10 // bytes of a body that the log keeps
	readBody      = 1 << 20  // bytes of a body in which model and stream are looked for
)

// errIdle ends the input of a connection that was idle for too long.
var errIdle = errors.New("mock: idle")

// headLimits are generous: a mock should not refuse.
var headLimits = http1.Limits{Line: 1 << 20, Header: 1 << 20, Field: 1 << 20, Fields: 10_000}

// incoming is a request on its way in.
type incoming struct {
	*request
	path     string
	query    string
	length   int64 // of the body; -1 = chunked
	expects  bool  // a 100 before its body
	keep     bool  // its connection may have another
	minor    int
	settings Set  // of the fields x-mock-NAME
	ruled    bool // a rule was looked for

	sum     hash.Hash
	content []byte // the body's first bytes, up to readBody
	asked   speak.Request
}

// readHead waits for a head. It returns nil if there is none, with what is
// wrong unless the connection just ended.
func (c *conn) readHead() (*incoming, error) {
	var head http1.Request
	for have := 0; ; {
		buf, err := c.in.more(have)
		if err != nil {
			return nil, nil //nolint:nilerr // the reader has noted how the connection ended
		}
		n, err := head.Parse(buf, &headLimits)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			in := newIncoming(&head)
			c.in.use(n)
			return in, nil
		}
		have = len(buf)
	}
}

// newIncoming copies what is needed out of the head.
func newIncoming(head *http1.Request) *incoming {
	in := &incoming{
		request: new(request), path: string(head.Path()), query: string(head.RawQuery()),
		length: max(0, head.ContentLength()), expects: head.ExpectContinue(),
		keep: head.KeepAlive(), minor: head.Minor(), settings: Set{}, sum: sha256.New(),
	}
	if head.Chunked() {
		in.length = -1
	}
	in.Method, in.Target = string(head.Method()), string(head.Target())
	for i := range head.Len() {
		name, value := head.Field(i)
		f := Field{string(name), string(value)}
		in.Fields = append(in.Fields, f)
		if setting, ok := strings.CutPrefix(strings.ToLower(f.Name), settingPrefix); ok {
			in.settings[setting] = f.Value
		}
	}
	return in
}

// readBody reads the body to its end and reports whether it came to one.
func (c *conn) readBody(in *incoming) bool {
	if in.expects && !c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n")) {
		return false
	}
	size, ok := int64(0), false
	if in.length < 0 {
		size, ok = c.readChunks(in)
	} else {
		size, ok = in.length, c.readLength(in)
	}
	if ok {
		c.srv.seen.update(func(n *Counts) {
			in.take(size)
			if in.ID > 0 { // else it is for /mock/ and does not count
				n.Bodies++
			}
		})
	}
	return ok
}

func (c *conn) readLength(in *incoming) bool {
	for left := in.length; left > 0; {
		buf, err := c.in.more(0)
		if err != nil {
			return false
		}
		buf = buf[:min(left, int64(len(buf)))]
		in.add(buf)
		c.in.use(len(buf))
		left -= int64(len(buf))
	}
	return true
}

func (c *conn) readChunks(in *incoming) (size int64, ok bool) {
	var d chunked.Decoder
	for have := 0; !d.Done(); {
		buf, err := c.in.more(have)
		if err != nil {
			return size, false
		}
		used := 0
		for n := -1; n != 0 && !d.Done(); used += n {
			var data []byte
			data, n, err = d.Next(buf[used:])
			if err != nil {
				c.srv.seen.update(func(*Counts) { c.seen.Error = err.Error() })
				return size, false
			}
			in.add(data)
			size += int64(len(data))
		}
		c.in.use(used)
		have = len(buf) - used
	}
	return size, true
}

func (in *incoming) add(data []byte) {
	in.sum.Write(data)
	in.content = append(in.content, data[:min(len(data), readBody-len(in.content))]...)
}

// take adds the content of the body to the record.
func (in *incoming) take(size int64) {
	in.BodyLength = size
	in.BodySHA256 = hex.EncodeToString(in.sum.Sum(nil))
	in.Body = string(in.content[:min(len(in.content), loggedBody)])
	in.understand()
}

// understand reads what the body asks for, as far as it goes: a long one was
// cut off.
func (in *incoming) understand() {
	in.asked, _ = in.dialect().Read(in.content)
	in.Model, in.Stream = in.asked.Model, in.asked.Stream
}

// serveOne serves the next request and reports whether there may be another.
func (c *conn) serveOne() bool {
	if !c.awaitRequest() {
		return false
	}
	in, err := c.readHead()
	switch {
	case err != nil:
		c.refuseHead(err)
		return false
	case in == nil:
		return false
	case strings.HasPrefix(in.path, controlPrefix):
		c.srv.seen.aside(c.seen)
		return c.control(in)
	}
	c.begin(in.request)
	keep, f := c.respond(in)
	c.end(in.request, f)
	return keep && f == fateWhole
}

// awaitRequest waits for the next request's first byte, and closes the
// connection if that is what the last one asked for.
func (c *conn) awaitRequest() bool {
	var idle *time.Timer
	if c.keep == closeIdle {
		idle = time.AfterFunc(c.idle, func() {
			c.finish(true)
			c.in.fail(errIdle)
		})
	}
	_, err := c.in.more(0)
	if idle != nil && !idle.Stop() || err != nil {
		return false
	}
	if c.keep == closeOnNext {
		c.finish(true)
		return false
	}
	return true
}

// refuseHead notes what was not a head and responds with 400.
func (c *conn) refuseHead(err error) {
	c.srv.seen.update(func(*Counts) { c.seen.Error = err.Error() })
	c.write([]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	c.finish(true)
}
