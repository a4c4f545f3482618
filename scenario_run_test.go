package weir_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/memloop"
	"weir/internal/patience"
)

// run is one performance of a scenario.
type run struct {
	t      *testing.T
	sc     *scenario
	srv    *weir.Server
	kernel *memloop.Kernel // nil over sockets
	dial   func() client
	house  *house

	clients []*peer
	now     *peer // who speaks
	cut     int   // where the input is cut in two; or everyByte, uncut
	written int
}

// client is a connection's test end.
type client interface {
	net.Conn
	CloseWrite() error
	Reset()
}

type socket struct{ *net.TCPConn }

func (s socket) Reset() {
	_ = s.SetLinger(0) // what follows shows it
	_ = s.Close()
}

// peer is one client and what came to it.
type peer struct {
	client
	name string
	stir func()

	mu     sync.Mutex
	got    []byte // since the last step
	end    string // <eof> or <rst>
	closed chan struct{}
}

func (r *run) connect(name string) {
	p := &peer{client: r.dial(), name: name, stir: r.house.stir, closed: make(chan struct{})}
	r.clients, r.now = append(r.clients, p), p
	go p.read()
}

func (p *peer) read() {
	defer close(p.closed)
	buf := make([]byte, 64<<10)
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

// seen renders what has come; take begins anew.
func (p *peer) seen(take bool) []string {
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

func render(b []byte) (lines []string) {
	text := strings.ReplaceAll(string(b), "HTTP/1.1 ", "\x00HTTP/1.1 ") // an answer is to begin a line
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

// seen is all that has happened.
func (r *run) seen(take bool) (lines []string) {
	for _, p := range r.clients {
		got := p.seen(take)
		if len(got) > 0 && len(r.clients) > 1 {
			lines = append(lines, "["+p.name+"]")
		}
		lines = append(lines, got...)
	}
	return append(lines, r.house.seen(take)...)
}

func playInMemory(t *testing.T, sc *scenario, cut int) [][]string {
	kernel := memloop.New()
	r := newRun(t, sc)
	r.srv.System, r.kernel, r.cut = kernel, kernel, cut
	r.dial = func() client { return kernel.Dial(r.srv.Reactor(), 0) }
	return r.play(func([]string) { synctest.Wait() })
}

func playOverSockets(t *testing.T, sc *scenario) [][]string {
	r := newRun(t, sc)
	r.cut = uncut
	r.dial = func() client {
		c, err := net.Dial("tcp", r.srv.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		return socket{c.(*net.TCPConn)}
	}
	return r.play(func(want []string) {
		late := time.After(patience.Limit)
		for !slices.Equal(r.seen(false), want) {
			select {
			case <-r.house.stirred:
			case <-late:
				return
			}
		}
	})
}

func newRun(t *testing.T, sc *scenario) *run {
	house := newHouse()
	return &run{t: t, sc: sc, house: house, srv: &weir.Server{
		Handler: house.mux(),
		Loops:   1,
		Logger:  slog.New(slog.DiscardHandler),
	}}
}

// play performs the steps and returns what was seen after each.
func (r *run) play(settle func(want []string)) (got [][]string) {
	steps := r.sc.steps
	for len(got) < len(steps) && strings.HasPrefix(steps[len(got)].command, "set ") {
		r.set(strings.Fields(steps[len(got)].command)[1:])
		got = append(got, nil)
	}
	r.start()
	defer r.stop()
	for _, s := range steps[len(got):] {
		if s.input != nil {
			r.write(s.input, settle)
		} else {
			r.do(strings.Fields(s.command))
		}
		settle(s.want)
		got = append(got, r.seen(true))
	}
	return got
}

func (r *run) start() {
	var addrs []string
	if r.kernel == nil {
		addrs = []string{"127.0.0.1:0"}
	}
	if err := r.srv.Start(addrs...); err != nil {
		r.t.Fatal(err)
	}
	r.connect("a")
}

func (r *run) stop() {
	r.house.letAllGo()
	r.hurry()
	for _, p := range r.clients {
		_ = p.Close()
		<-p.closed
	}
	if r.kernel != nil && r.kernel.Open() != 0 {
		r.t.Errorf("got %d open descriptors, want none", r.kernel.Open())
	}
}

// hurry shuts the server down at once, whether or not that was begun before.
func (r *run) hurry() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.srv.Shutdown(ctx); err != nil {
		r.t.Error(err)
	}
}

// write sends p, in pieces if the input is to be cut in it.
func (r *run) write(p []byte, settle func([]string)) {
	for i, piece := range r.pieces(p) {
		if i > 0 {
			settle(nil)
		}
		if _, err := r.now.Write(piece); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			r.t.Errorf("writing: %v", err)
		}
	}
	r.written += len(p)
}

func (r *run) pieces(p []byte) [][]byte {
	switch at := r.cut - r.written; {
	case r.cut == everyByte:
		return slices.Collect(slices.Chunk(p, 1))
	case 0 < at && at < len(p):
		return [][]byte{p[:at], p[at:]}
	}
	return [][]byte{p}
}

// set changes the server before it starts.
func (r *run) set(args []string) {
	number := func() int {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			r.t.Fatal(err)
		}
		return n
	}
	span := func() time.Duration {
		d, err := time.ParseDuration(args[1])
		if err != nil {
			r.t.Fatal(err)
		}
		return d
	}
	switch args[0] {
	case "grace": // of a drain, before new requests are refused
		r.srv.Timeouts.DrainGrace = span()
	case "drain":
		r.srv.Timeouts.Drain = span()
	case "halfclose": // the client that shuts its sending side waits for its answer
		r.srv.HalfClose = weir.HalfCloseAllow
	case "body":
		r.srv.Limits.Body = int64(number())
	case "streams":
		r.srv.Limits.Streams = number()
	case "handlers":
		r.srv.Limits.Handlers = number()
	case "line":
		r.srv.Limits.Line = number()
	case "fields":
		r.srv.Limits.Fields = number()
	case "field":
		r.srv.Limits.Field = number()
	case "marks": // bytes of output above which producers wait
		r.srv.Limits.HighMark, r.srv.Limits.LowMark = number(), number()/4
	case "onheaders": // refuses without the field Authorization
		r.srv.OnHeaders = r.house.onHeaders
	case "onerror": // answers with the error's text
		r.srv.OnError = r.house.onError
	default:
		r.t.Fatalf("there is nothing to set that is called %q", args[0])
	}
}

// do performs a command.
func (r *run) do(args []string) {
	switch args[0] {
	case "wait", "memory", "whole": // end a batch; need the memory kernel; are not to be cut
	case "tick": // lets the fake clock go on
		d, err := time.ParseDuration(args[1])
		if err != nil {
			r.t.Fatal(err)
		}
		time.Sleep(d) // the fake clock's
	case "release": // lets handlers go on that wait for it
		r.house.release()
	case "conn": // opens a connection, or turns to one
		if i := slices.IndexFunc(r.clients, func(p *peer) bool { return p.name == args[1] }); i >= 0 {
			r.now = r.clients[i]
		} else {
			r.connect(args[1])
		}
	case "close":
		_ = r.now.Close()
	case "halfclose":
		_ = r.now.CloseWrite()
	case "reset":
		r.now.Reset()
	case "window": // bytes that the client takes unread; 0: it takes nothing
		n, err := strconv.Atoi(args[1])
		if err != nil {
			r.t.Fatal(err)
		}
		r.now.client.(*memloop.Client).SetWindow(n)
	case "drain":
		go func() {
			report, err := r.srv.Shutdown(context.Background())
			r.house.note(fmt.Sprintf("shutdown: drained %d, cut %d, refused %d, %v", report.Drained, report.Cut, report.Refused, err))
		}()
	case "hurry": // has the drain end at once
		r.hurry()
	default:
		r.t.Fatalf("there is no command %q", args[0])
	}
}
