package load

import (
	"fmt"
	"time"

	"weir/bench/internal/frame"
)

// Unary sends one request on every connection it opens, so many at a time.
// The zero value with its exported fields set is ready.
type Unary struct {
	Request    []byte
	AtOnce     int  // responses awaited at a time
	CloseAfter bool // close a connection once its response came

	Done   int   // responses complete
	Failed int   // connections that failed or got another status than 200
	First  error // of the failures
	Times  []float64

	awaited map[*Conn]*exchange
	free    []*exchange
}

// exchange is a response on its way.
type exchange struct {
	response frame.Response
	begun    time.Time
}

// Run opens connections until enough are opened or the time has come, and
// waits for the responses still on their way. Times gets the microseconds
// from dial to the response's end.
func (u *Unary) Run(client *Client, enough int, until time.Time) error {
	if u.awaited == nil {
		u.awaited = map[*Conn]*exchange{}
	}
	for opened := 0; opened < enough && time.Now().Before(until); opened++ {
		if err := u.dial(client, opened); err != nil {
			return err
		}
		if err := client.PollWhile(func() bool { return len(u.awaited) >= u.AtOnce }, until); err != nil {
			return err
		}
	}
	limit := time.Now().Add(5 * time.Second)
	if err := client.PollWhile(func() bool { return len(u.awaited) > 0 }, limit); err != nil {
		return err
	}
	if n := len(u.awaited); n > 0 {
		return fmt.Errorf("load: %d responses did not come in 5 s", n)
	}
	return nil
}

func (u *Unary) dial(client *Client, index int) error {
	x := &exchange{}
	if n := len(u.free); n > 0 {
		x, u.free = u.free[n-1], u.free[:n-1]
	}
	x.begun = time.Now()
	c, err := client.Dial(index, u.Request)
	if err != nil {
		return err
	}
	u.awaited[c] = x
	return nil
}

// Data implements Handler.
func (u *Unary) Data(c *Conn, p []byte, now int64) {
	x := u.awaited[c]
	if x == nil {
		u.fail(c, fmt.Errorf("load: bytes after the response: %.40q", p))
		return
	}
	if err := x.response.Feed(p, func([]byte) {}); err != nil {
		u.fail(c, err)
		return
	}
	if !x.response.Done() {
		return
	}
	if x.response.Status != 200 {
		u.fail(c, fmt.Errorf("load: status %d", x.response.Status))
		return
	}
	u.Done++
	u.Times = append(u.Times, float64(now-x.begun.UnixNano())/1e3)
	u.forget(c)
	if u.CloseAfter {
		c.Close()
	}
}

// Closed implements Handler: no server here may close first.
func (u *Unary) Closed(c *Conn, err error) {
	u.fail(c, fmt.Errorf("load: the server closed: %w", err))
}

func (u *Unary) fail(c *Conn, err error) {
	u.Failed++
	if u.First == nil {
		u.First = err
	}
	u.forget(c)
	c.Close()
}

func (u *Unary) forget(c *Conn) {
	if x := u.awaited[c]; x != nil {
		delete(u.awaited, c)
		x.response.Reset()
		u.free = append(u.free, x)
	}
}

// Get returns a minimal keep-alive GET request.
func Get(addr, target string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, addr)
}

// Chat returns a keep-alive request for a streamed chat completion; query is
// for the upstream, which paces by it.
func Chat(addr, query string) []byte {
	const body = `{"model":"m","stream":true,"messages":[{"role":"user","content":"Hello"}]}`
	return fmt.Appendf(nil, "POST /v1/chat/completions?%s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", query, addr, len(body), body)
}
