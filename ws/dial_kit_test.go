package ws

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/memloop"
	"weir/reactor"
)

// A quay is where a client's connections are dialled from, on a loop of the
// kernel in memory, in a bubble with a fake clock. The test is the server.
type quay struct {
	testing.TB
	kernel *memloop.Kernel
	r      *reactor.Reactor
	log    strings.Builder      // of the loop
	came   chan *memloop.Client // the server's ends
	refuse func()               // stop listening
}

// address is where the server listens.
const quayURL = "ws://127.0.0.1:8000/chat?x=1"

func atQuay(t *testing.T, f func(q *quay)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q := &quay{TB: t, kernel: memloop.New(), came: make(chan *memloop.Client, 100)}
		var err error
		q.r, err = reactor.New(reactor.Config{Loops: 1, System: q.kernel, Logger: slog.New(slog.NewTextHandler(&q.log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		q.refuse = q.kernel.Listen("127.0.0.1:8000", func(c *memloop.Client) { q.came <- c })
		defer q.leave()
		f(q)
	})
}

// leave ends the loop, after which nothing may be open.
func (q *quay) leave() {
	q.Helper()
	q.r.Close()
	synctest.Wait()
	if n := q.kernel.Open(); n != 0 {
		q.Errorf("got %d open descriptors at the end, want none", n)
	}
}

func (q *quay) loop() *reactor.Loop { return q.r.Loops()[0] }

// do runs f on the loop and waits until nothing moves any more.
func (q *quay) do(f func()) {
	q.loop().Post(reactor.TaskFunc(f))
	synctest.Wait()
}

// dialled is a Dial that runs.
type dialled struct {
	q      *quay
	result chan result
	server *shore // the connection that was dialled
}

// dial starts a Dial, whose request the server has read.
func (q *quay) dial(o DialOptions) *dialled {
	q.Helper()
	return q.dialIn(q.Context(), o)
}

func (q *quay) dialIn(ctx context.Context, o DialOptions) *dialled {
	q.Helper()
	o.Loop = q.loop()
	d := &dialled{q: q, result: make(chan result, 1)}
	go func() {
		c, err := Dial(ctx, quayURL, &o)
		d.result <- result{c, err}
	}()
	d.server = q.accept()
	return d
}

// accept takes the connection that was dialled next, and reads its request.
func (q *quay) accept() *shore {
	q.Helper()
	synctest.Wait()
	select {
	case c := <-q.came:
		s := &shore{q: q, c: c, dec: decoder{masked: true, limit: maxSize}}
		in := bufio.NewReader(c)
		req, err := http.ReadRequest(in)
		if err != nil {
			q.Fatal(err)
		}
		if in.Buffered() > 0 {
			q.Errorf("got %d bytes behind the request, want none before the response", in.Buffered())
		}
		s.request = req
		return s
	default:
		q.Fatal("got no connection, want one")
		return nil
	}
}

// opened returns the connection that the Dial has opened.
func (d *dialled) opened() *Conn {
	d.q.Helper()
	synctest.Wait()
	select {
	case r := <-d.result:
		if r.err != nil {
			d.q.Fatalf("Dial: %v", r.err)
		}
		return r.conn
	default:
		d.q.Fatal("Dial has not returned")
		return nil
	}
}

// failed returns the error of the Dial.
func (d *dialled) failed() error {
	d.q.Helper()
	synctest.Wait()
	select {
	case r := <-d.result:
		if r.conn != nil || r.err == nil {
			d.q.Fatal("got a connection, want an error")
		}
		return r.err
	default:
		d.q.Fatal("Dial has not returned")
		return nil
	}
}

// open opens a WebSocket as both sides usually do.
func (q *quay) open(o DialOptions, fields ...string) (*Conn, *shore) {
	q.Helper()
	d := q.dial(o)
	d.server.dec.deflate = o.Deflate
	d.server.say(d.server.accepts(fields...))
	return d.opened(), d.server
}

// shore is the server's end of a connection.
type shore struct {
	q       *quay
	c       *memloop.Client
	request *http.Request
	dec     decoder
	rest    []byte
}

// accepts returns the response that opens a WebSocket, with further fields.
func (s *shore) accepts(fields ...string) string {
	more := ""
	for _, f := range fields {
		more += f + "\r\n"
	}
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		acceptKey(s.request.Header.Get("Sec-WebSocket-Key")) + "\r\n" + more + "\r\n"
}

// say sends bytes.
func (s *shore) say(text string) {
	s.q.Helper()
	if _, err := io.WriteString(s.c, text); err != nil {
		s.q.Fatal(err)
	}
	synctest.Wait()
}

// frame sends a frame.
func (s *shore) frame(first byte, payload string) {
	s.q.Helper()
	s.say(serverFrame(first, payload))
}

func serverFrame(first byte, payload string) string {
	return string(append(appendHead(nil, first, len(payload)), payload...))
}

// hears returns what the client has sent, decoded, one description a frame, once
// nothing moves any more; the last one says how it ended, if it did.
func (s *shore) hears() (list []string) {
	s.q.Helper()
	buf := make([]byte, 64<<10)
	for {
		synctest.Wait()
		if s.c.Pending() == 0 {
			break
		}
		n, err := s.c.Read(buf)
		s.rest = append(s.rest, buf[:n]...)
		if err != nil {
			break
		}
	}
	for {
		n, ev, body, err := s.dec.next(s.rest)
		if err != nil {
			return append(list, err.Error())
		}
		if ev != nothing {
			list = append(list, s.describe(ev, body))
		}
		if ev == message {
			s.dec.done()
		}
		if n == 0 {
			return list
		}
		s.rest = s.rest[n:]
	}
}

func (s *shore) describe(ev event, body []byte) string {
	switch ev {
	case message:
		deflated := ""
		if s.dec.deflated {
			deflated = "deflated "
			f := newInflater(append([]byte(nil), body...), s.dec.kind, maxSize)
			for done := false; !done; {
				var err error
				if done, err = f.step(1 << 20); err != nil {
					return err.Error()
				}
			}
			body = f.hand()
		}
		return fmt.Sprintf("%s%v %.100s", deflated, s.dec.kind, body)
	case ping:
		return fmt.Sprintf("ping %s", body)
	case pong:
		return fmt.Sprintf("pong %s", body)
	}
	e, err := parseClose(body)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("close %d %s", e.Code, e.Reason))
}

// expects checks what the client has sent.
func (s *shore) expects(want ...string) {
	s.q.Helper()
	if got := s.hears(); strings.Join(got, "|") != strings.Join(want, "|") {
		s.q.Errorf("the server got %q, want %q", got, want)
	}
}

// hungUp checks that the client has closed the connection, and closes it too.
func (s *shore) hungUp() {
	s.q.Helper()
	synctest.Wait()
	switch n, err := s.c.Read(make([]byte, 1)); {
	case n != 0:
		s.q.Error("the server got a byte, want the end")
	case err == nil:
		s.q.Error("the server got nothing, want the end")
	}
	s.c.Close()
	synctest.Wait()
}

// read returns a message, described, or the error, of a client's Read.
func (q *quay) read(c *Conn) string {
	q.Helper()
	kind, p, err := c.Read()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%v %.100s", kind, p)
}

// after lets time pass.
func (q *quay) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// notes is a Handler that notes what it is called with.
type notes struct {
	got  chan string
	echo bool
}

func newNotes() *notes { return &notes{got: make(chan string, 1000)} }

func (n *notes) OnMessage(c *Conn, kind Kind, p []byte) {
	n.got <- fmt.Sprintf("%v %.100s", kind, p)
	if n.echo {
		if err := c.TrySend(kind, p); err != nil {
			n.got <- err.Error()
		}
	}
}

func (n *notes) OnClose(c *Conn, err error) {
	if !errors.Is(c.Err(), err) {
		n.got <- "Err differs"
	}
	n.got <- "end: " + err.Error()
	close(n.got)
}

// noted returns what the handler was called with so far.
func (n *notes) noted() (list []string) {
	synctest.Wait()
	for {
		select {
		case text, ok := <-n.got:
			if !ok {
				return append(list, "over")
			}
			list = append(list, text)
		default:
			return list
		}
	}
}
