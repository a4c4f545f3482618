package reactor_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"weir/reactor"
)

// An echo server. A connection that is silent for a minute is closed, and one
// whose client does not read is not read from either.
func Example() {
	r, err := reactor.New(reactor.Config{Accept: newEcho})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	addr, err := r.Listen("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}

	client, err := net.Dial("tcp", addr.String())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	fmt.Fprintln(client, "hello")
	client.(*net.TCPConn).CloseWrite()
	io.Copy(os.Stdout, client)
	// Output: hello
}

// echo is the handler of one connection. Its methods are called on the loop.
type echo struct {
	conn    *reactor.Conn
	silence reactor.Timer
}

func newEcho(c *reactor.Conn) reactor.Handler {
	e := &echo{conn: c}
	e.silence.Init(reactor.TaskFunc(c.CloseIdle))
	e.wait()
	return e
}

func (e *echo) wait() {
	loop := e.conn.Loop()
	loop.StartTimer(&e.silence, loop.Now().Add(time.Minute))
}

func (e *echo) Data(p []byte) (consumed int) {
	e.wait()
	c := e.conn
	c.Lock()
	if c.Err() == nil {
		buf := c.Buffer()
		*buf = append(*buf, p...)
	}
	if c.Backlogged() {
		c.Pause()
	}
	c.Defer() // one write(2) for all that this turn of the loop echoes
	return len(p)
}

// Drained is called when the client has read enough for more to be sent.
func (e *echo) Drained() { e.conn.Resume() }

// PeerClosed is called when the client has shut its side. While reading is
// paused not all of its input has been read; PeerClosed is then called again.
func (e *echo) PeerClosed() {
	if e.conn.InputEnded() {
		e.conn.Close()
	}
}

func (e *echo) Closed(cause error) { e.conn.Loop().StopTimer(&e.silence) }

// A timer that starts itself again. A loop is entered by posting a task.
func ExampleTimer() {
	r, err := reactor.New(reactor.Config{Loops: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	c := &countdown{loop: r.Loops()[0], left: 3, done: make(chan struct{})}
	c.timer.Init(c)
	c.loop.Post(c)
	<-c.done
	// Output:
	// 3
	// 2
	// 1
}

type countdown struct {
	loop  *reactor.Loop
	timer reactor.Timer
	left  int
	done  chan struct{}
}

func (c *countdown) Run() {
	if c.left == 0 {
		close(c.done)
		return
	}
	fmt.Println(c.left)
	c.left--
	c.loop.StartTimer(&c.timer, c.loop.Now().Add(10*time.Millisecond))
}
