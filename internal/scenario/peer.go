package scenario

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// A Peer reads what a client receives, on a goroutine of its own that ends with
// the connection.
type Peer struct {
	net.Conn
	name string
	stir func()

	mu     sync.Mutex
	got    []byte // since it was taken
	end    string // <eof> or <rst>
	closed chan struct{}
}

// NewPeer begins to read from c. It calls stir when something has arrived.
func NewPeer(name string, c net.Conn, stir func()) *Peer {
	p := &Peer{Conn: c, name: name, stir: stir, closed: make(chan struct{})}
	go p.read()
	return p
}

func (p *Peer) read() {
	defer close(p.closed)
	buf := make([]byte, 8<<10)
	for {
		n, err := p.Read(buf)
		p.mu.Lock()
		p.got = append(p.got, buf[:n]...)
		switch {
		case err == nil, errors.Is(err, net.ErrClosed):
		case errors.Is(err, io.EOF):
			p.end = "<eof>"
		case errors.Is(err, syscall.ECONNRESET):
			p.end = "<rst>"
		default:
			p.end = "<" + err.Error() + ">"
		}
		p.mu.Unlock()
		p.stir()
		if err != nil {
			return
		}
	}
}

// Name returns the connection's name in the scenario.
func (p *Peer) Name() string { return p.name }

// Closed returns a channel that is closed when nothing more is read.
func (p *Peer) Closed() <-chan struct{} { return p.closed }

func (p *Peer) seen(take bool) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := render(p.got)
	if p.end != "" {
		lines = append(lines, p.end)
	}
	if take {
		p.got, p.end = nil, ""
	}
	return lines
}

// Seen returns what all of them have received, as scenarios show it. If take is
// true, that is then removed.
func Seen(all []*Peer, take bool) (lines []string) {
	for _, p := range all {
		got := p.seen(take)
		if len(got) > 0 && len(all) > 1 {
			lines = append(lines, "["+p.name+"]")
		}
		lines = append(lines, got...)
	}
	return lines
}

func render(b []byte) (lines []string) {
	text := strings.ReplaceAll(string(b), "HTTP/1.1 ", "\x00HTTP/1.1 ") // so that a response begins a line
	text = strings.ReplaceAll(text, "\r\n", "\r\n\x00")
	for line := range strings.SplitSeq(text, "\x00") {
		text, whole := strings.CutSuffix(line, "\r\n")
		switch {
		case line == "":
		case !whole || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' }):
			lines = append(lines, "<< "+strconv.Quote(line))
		case strings.HasPrefix(text, "Date: ") && len(text) == len("Date: Mon, 02 Jan 2006 15:04:05 GMT"):
			lines = append(lines, "< Date: *")
		case text == "":
			lines = append(lines, "<")
		default:
			lines = append(lines, "< "+text)
		}
	}
	return lines
}
