package weirtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/internal/scenario"
)

// updateFiles is the environment variable that makes [Play] rewrite its files.
const updateFiles = "WEIRTEST_UPDATE"

// Play plays the scenarios of the files that match pattern (see
// [filepath.Glob]), each in a subtest and a bubble of its own. server returns
// the server of one scenario, not started; it is called in the bubble.
//
// A scenario is a conversation: what clients do, and what they and the handlers
// see then.
//
//	=== the client disconnects in the middle of a stream
//	> GET /count HTTP/1.1
//	> Host: a
//	>
//	< HTTP/1.1 200 OK
//	< Date: *
//	< Transfer-Encoding: chunked
//	<
//	< 2
//	<< "0\n\r\n"
//	close
//	! stopped: weir: client disconnected
//
// A file is read line by line:
//
//	=== name               begins a scenario
//	> GET / HTTP/1.1       the client sends a line, CRLF added; lines in a row are one write
//	>> "5\r\nhello\r\n"    it sends bytes in Go's quotes as they are; with "* 3" behind, three times
//	< HTTP/1.1 200 OK      a line came back, CRLF taken off
//	<< "half a li"         what came back and is not a line
//	<eof> <rst>            the server's FIN and RST
//	! stopped: …           a text that was given to Player.Note
//	[b]                    what follows came to connection b, where there are several
//	# a remark             nothing, as an empty line; both end a write
//
// All other lines are commands:
//
//	tick 5s       lets time pass on the fake clock
//	conn b        opens connection b, or turns to it; the first one is a
//	window 100    the client takes 100 bytes from now on, and what it reads makes room; with 0, nothing
//	halfclose     the client shuts down its write side
//	close         it closes the connection
//	reset         it resets the connection
//	drain         the shutdown begins; its report is noted
//	hurry         what is running is aborted at once
//	wait          nothing; it divides what is expected, and writes
//	whole         nothing; PlayCut skips this scenario
//
// Player.Command adds more. After each step the server settles, and what has
// happened is compared; clients read at once. Notes are in the order of their
// text, since goroutines make them, and come last. With WEIRTEST_UPDATE=1 in
// the environment the files are rewritten with what happens.
func Play(t *testing.T, pattern string, server func(p *Player) *weir.Server) {
	t.Helper()
	eachFile(t, pattern, func(t *testing.T, file string, all []*scenario.Scenario) {
		var lines []string
		for _, sc := range all {
			now := sc.Format(nil)
			t.Run(sc.Name, func(t *testing.T) {
				got := play(t, sc, scenario.Uncut, server)
				if os.Getenv(updateFiles) != "" {
					now = sc.Format(got)
				} else if err := sc.Compare(got); err != nil {
					t.Error(err)
				}
			})
			lines = append(lines, now...)
		}
		if os.Getenv(updateFiles) != "" && !t.Failed() {
			if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// PlayCut is Play with the clients' bytes cut in two at every byte in turn, and
// once into single bytes: what a server does must not depend on how its input
// arrives. Scenarios of more than 1000 bytes are skipped. Under the race
// detector every fifth place is cut.
func PlayCut(t *testing.T, pattern string, server func(p *Player) *weir.Server) {
	t.Helper()
	eachFile(t, pattern, func(t *testing.T, _ string, all []*scenario.Scenario) {
		for _, sc := range all {
			t.Run(sc.Name, func(t *testing.T) {
				if sc.Has("whole") || sc.Length() > 1000 {
					t.Skip("its bytes are to come as they are")
				}
				for cut := scenario.EveryByte; int(cut) < sc.Length(); cut += cutStep {
					if err := sc.Compare(play(t, sc, cut, server)); err != nil {
						t.Fatalf("cut at byte %d: %v", cut, err)
					}
				}
			})
		}
	})
}

// eachFile runs f in a subtest for each file.
func eachFile(t *testing.T, pattern string, f func(t *testing.T, file string, all []*scenario.Scenario)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("weirtest: got files %q and error %v for %q, want scenarios", files, err, pattern)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all, err := scenario.Parse(file, string(text))
			if err != nil {
				t.Fatal(err)
			}
			f(t, file, all)
		})
	}
}

// A Player plays one scenario. Note is safe for concurrent use; call the other
// methods in the function that makes the server.
type Player struct {
	// T is the bubble's. The server is shut down by its cleanup, and other
	// cleanups belong there.
	T *testing.T

	srv      *weir.Server
	server   *Server
	commands map[string]func(args []string)

	peers   []*scenario.Peer
	current *scenario.Peer
	cut     scenario.Cut
	sent    int

	mu    sync.Mutex
	notes []string
}

// Note adds a text, of one line, to what has happened: "! text" in the file.
func (p *Player) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, "! "+text)
}

// Command makes name a command, in place of one that Play has. f is called with
// its arguments, on the test's goroutine. Such commands at the beginning of a
// scenario are called before the server starts: they may change it.
func (p *Player) Command(name string, f func(args []string)) { p.commands[name] = f }

// play plays a scenario in a bubble, and returns what happened after each step.
func play(t *testing.T, sc *scenario.Scenario, cut scenario.Cut, server func(p *Player) *weir.Server) (got [][]string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &Player{T: t, cut: cut, commands: map[string]func([]string){}}
		p.srv = server(p)
		steps := sc.Steps
		for len(steps) > 0 && p.run(steps[0]) {
			steps, got = steps[1:], append(got, nil)
		}
		p.server = Start(t, p.srv)
		p.connect("a")
		for _, s := range steps {
			if !p.run(s) {
				p.do(s)
			}
			synctest.Wait()
			got = append(got, p.seen())
		}
	})
	return got
}

// run performs a command of the user.
func (p *Player) run(s scenario.Step) bool {
	if len(s.Command) == 0 || p.commands[s.Command[0]] == nil {
		return false
	}
	p.commands[s.Command[0]](s.Command[1:])
	return true
}

func (p *Player) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	notes := slices.Sorted(slices.Values(p.notes))
	p.notes = nil
	return append(scenario.Seen(p.peers, true), notes...)
}

func (p *Player) connect(name string) {
	p.current = scenario.NewPeer(name, p.server.Dial(), func() {})
	p.peers = append(p.peers, p.current)
}

// client returns the current client.
func (p *Player) client() *Client { return p.current.Conn.(*Client) }

// do performs a step that Play knows.
func (p *Player) do(s scenario.Step) {
	if s.Input != nil {
		p.send(s.Input)
		return
	}
	args := s.Command
	arg := func() string {
		if len(args) != 2 {
			p.T.Fatalf("weirtest: got %q, want one argument", strings.Join(args, " "))
		}
		return args[1]
	}
	switch args[0] {
	case "wait", "whole":
	case "tick":
		d, err := time.ParseDuration(arg())
		if err != nil {
			p.T.Fatal(err)
		}
		p.server.Tick(d)
	case "conn":
		if i := slices.IndexFunc(p.peers, func(of *scenario.Peer) bool { return of.Name() == arg() }); i >= 0 {
			p.current = p.peers[i]
		} else {
			p.connect(arg())
		}
	case "window":
		n, err := strconv.Atoi(arg())
		if err != nil || n < 0 {
			p.T.Fatalf("weirtest: window %q is not a number of bytes", args[1])
		}
		p.client().SetWindow(n)
	case "halfclose":
		_ = p.client().CloseWrite() // fails if the connection has ended
	case "close":
		_ = p.client().Close()
	case "reset":
		p.client().Reset()
	case "drain":
		p.drain()
	case "hurry":
		if err := p.server.cut(); err != nil {
			p.T.Error(err)
		}
	default:
		p.T.Fatalf("weirtest: %q is not a command; Player.Command adds it", args[0])
	}
}

// send sends input, in pieces if it is to be cut.
func (p *Player) send(input []byte) {
	for i, piece := range p.cut.Pieces(input, p.sent) {
		if i > 0 {
			synctest.Wait()
		}
		_, err := p.current.Write(piece)
		if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			p.T.Errorf("weirtest: sending: %v", err)
		}
	}
	p.sent += len(input)
}

func (p *Player) drain() {
	done := p.server.Drain()
	go func() {
		r := <-done
		p.Note(fmt.Sprintf("shutdown: drained %d, cut %d, refused %d", r.Drained, r.Cut, r.Refused))
	}()
}
