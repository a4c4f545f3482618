package ws_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/client"
	"weir/internal/patience"
	"weir/internal/tlstest"
	"weir/ws"
)

// Packages that others wrote, as clients of weir's server and as servers of its
// client. scripts/clients has what they do; scripts/install.sh installs them.
var peers = []struct {
	name    string
	command []string
	there   []string // a command that succeeds if it is installed
}{
	{"ws (npm)", []string{"node", "../scripts/clients/ws_peer.mjs"}, []string{"test", "-d", "../scripts/clients/node_modules/ws"}},
	{"websockets (PyPI)", []string{"../.venv/bin/python", "../scripts/clients/ws_peer.py", "websockets"}, []string{"../.venv/bin/python", "-c", "import websockets"}},
	{"autobahn (Debian)", []string{"/usr/bin/python3", "../scripts/clients/ws_peer.py", "autobahn"}, []string{"/usr/bin/python3", "-c", "import autobahn"}},
}

func eachPeer(t *testing.T, f func(t *testing.T, command []string)) {
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			if out, err := exec.Command(p.there[0], p.there[1:]...).CombinedOutput(); err != nil {
				t.Skipf("not installed, run scripts/install.sh: %v %s", err, out)
			}
			t.Parallel() // they take their time to start
			f(t, p.command)
		})
	}
}

// A peer is a process of one.
type peer struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Scanner
}

// report is a line that a peer prints.
type report struct {
	Name   string
	Report []string
	Signal string
	Port   int // of a server
	Secure int // ... over TLS
}

func start(t *testing.T, command []string, args ...string) *peer {
	t.Helper()
	cmd := exec.Command(command[0], append(slices.Clone(command[1:]), args...)...)
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "PYTHONDONTWRITEBYTECODE=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // it ends then
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("%v: %v\n%s", cmd, err, stderr.String())
		}
	})
	return &peer{t, in, bufio.NewScanner(out)}
}

// next returns the next line that the peer prints.
func (p *peer) next() (r report) {
	p.t.Helper()
	for p.out.Scan() {
		if !strings.HasPrefix(p.out.Text(), "{") {
			continue // a package's own remarks
		}
		if err := json.Unmarshal(p.out.Bytes(), &r); err != nil {
			p.t.Fatalf("%v in %q", err, p.out.Text())
		}
		return r
	}
	p.t.Fatalf("the peer has ended: %v", p.out.Err())
	return r
}

// step is what a peer does: see ws_peer.py.
type step []any

// big is what the step of that name sends.
func big(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i * i >> 3)
	}
	return p
}

// described is how a peer describes a message.
func described(kind ws.Kind, p []byte) string {
	if len(p) > 200 {
		sum := sha256.Sum256(p)
		return fmt.Sprintf("%v %d %x", kind, len(p), sum[:8])
	}
	if kind == ws.Binary {
		return fmt.Sprintf("binary %x", p)
	}
	return "text " + string(p)
}

// echoing sends back what comes. Three words are for tests.
type echoing struct{ ended chan error }

func (e echoing) OnMessage(c *ws.Conn, kind ws.Kind, p []byte) {
	switch string(p) {
	case "close":
		_ = c.Close(4001, "over")
		return
	case "panic":
		panic("as asked")
	}
	_ = c.Send(kind, p) // OnClose has the error
}

func (e echoing) OnClose(_ *ws.Conn, err error) { e.ended <- err }

// peerServer is a server for peers, in the clear and over TLS.
func peerServer(t *testing.T) (srv *weir.Server, clear, secure string, id *tlstest.Identity, ended chan error) {
	t.Helper()
	ended = make(chan error, 100)
	open := func(*ws.Conn, *weir.Request) ws.Handler { return echoing{ended} }
	mux := new(weir.Mux)
	mux.HandleLoop("GET /echo", ws.Handle(ws.Options{Subprotocols: []string{"v2.chat"}, Deflate: true, DeflateMin: -1}, open))
	mux.HandleLoop("GET /small", ws.Handle(ws.Options{MaxMessage: 1 << 10}, open))
	mux.HandleFunc("GET /forbidden", func(w *weir.Response, _ *weir.Request) { w.Error(403, "not you") })
	id = tlstest.New(t, "127.0.0.1")
	srv = &weir.Server{Handler: mux, Logger: slog.New(slog.DiscardHandler), TLS: &weir.TLS{Config: id.Server()}}
	srv.Timeouts.Drain = 2 * time.Second // connections are closed within the first
	if err := srv.Start("127.0.0.1:0", "tls:127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
		defer cancel()
		if _, err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return srv, "ws://" + srv.Addrs()[0].String(), "wss://" + srv.TLSAddrs()[0].String(), id, ended
}

// Each package as a client of weir's server.
func TestPeersAsClients(t *testing.T) {
	mega := big(1 << 20)
	tests := []struct {
		name      string
		path      string
		secure    bool
		protocols []string
		deflate   bool
		plan      []step
		want      []string
		end       func(err error) bool // on the server's side; nil: it does not get there
	}{
		{name: "text", path: "/echo", plan: []step{{"text", "zwölf"}, {"receive"}, {"close", 1000, "bye"}},
			want: []string{"open - -", "text zwölf", "closed 1000"}, end: closedBy(1000, "bye", true)},
		{name: "binary", path: "/echo", plan: []step{{"binary", "00ff7f"}, {"receive"}, {"close", 3000, ""}},
			want: []string{"open - -", "binary 00ff7f", "closed 3000"}, end: closedBy(3000, "", true)},
		{name: "fragmented", path: "/echo", plan: []step{{"fragments", []string{"one ", "zwölf ", "", "three"}}, {"receive"}, {"close", 1000, ""}},
			want: []string{"open - -", "text one zwölf three", "closed 1000"}, end: closedBy(1000, "", true)},
		{name: "1 MiB", path: "/echo", plan: []step{{"big", 1 << 20}, {"receive"}, {"close", 1000, ""}},
			want: []string{"open - -", described(ws.Binary, mega), "closed 1000"}, end: closedBy(1000, "", true)},
		{name: "1 MiB, compressed", path: "/echo", deflate: true, plan: []step{{"big", 1 << 20}, {"receive"}, {"text", "short"}, {"receive"}, {"close", 1000, ""}},
			want: []string{"open - deflate", described(ws.Binary, mega), "text short", "closed 1000"}, end: closedBy(1000, "", true)},
		{name: "fragmented and compressed", path: "/echo", deflate: true, plan: []step{{"fragments", []string{"one ", "zwölf ", "three"}}, {"receive"}, {"close", 1000, ""}},
			want: []string{"open - deflate", "text one zwölf three", "closed 1000"}, end: closedBy(1000, "", true)},
		{name: "over TLS", path: "/echo", secure: true, plan: []step{{"big", 1 << 20}, {"receive"}, {"close", 1000, ""}},
			want: []string{"open - -", described(ws.Binary, mega), "closed 1000"}, end: closedBy(1000, "", true)},
		{name: "ping", path: "/echo", plan: []step{{"ping", "there?"}, {"close", 1000, ""}},
			want: []string{"open - -", "pong there?", "closed 1000"}, end: closedBy(1000, "", true)},
		{name: "subprotocol", path: "/echo", protocols: []string{"chat", "v2.chat"}, plan: []step{{"close", 3999, "x"}},
			want: []string{"open v2.chat -", "closed 3999"}, end: closedBy(3999, "x", true)},
		{name: "the server closes", path: "/echo", plan: []step{{"text", "close"}, {"await"}},
			want: []string{"open - -", "closed 4001 over"}, end: closedBy(4001, "over", false)},
		{name: "the handler panics", path: "/echo", plan: []step{{"text", "panic"}, {"await"}},
			want: []string{"open - -", "closed 1011"}, end: func(error) bool { return true }},
		{name: "too big", path: "/small", plan: []step{{"big", 5000}, {"await"}},
			want: []string{"open - -", "closed 1009 message too big"}, end: closedBy(1009, "message too big", false)},
		{name: "aborted", path: "/echo", plan: []step{{"text", "hi"}, {"receive"}, {"abort"}},
			want: []string{"open - -", "text hi"}, end: func(err error) bool { return errors.Is(err, weir.ErrClientGone) }},
		{name: "refused", path: "/forbidden", plan: []step{}, want: []string{"refused 403"}},
	}
	eachPeer(t, func(t *testing.T, command []string) {
		srv, clear, secure, _, ended := peerServer(t)
		p := start(t, command, "client")
		run := func(name, url string, protocols []string, deflate bool, plan []step) {
			t.Helper()
			if err := json.NewEncoder(p.in).Encode(map[string]any{"name": name, "url": url, "protocols": protocols, "deflate": deflate, "plan": plan}); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range tests {
			base := clear
			if tt.secure {
				base = secure
			}
			run(tt.name, base+tt.path, tt.protocols, tt.deflate, tt.plan)
			if got := p.next(); got.Name != tt.name || !slices.Equal(got.Report, tt.want) {
				t.Errorf("%s: got %+v, want %q", tt.name, got, tt.want)
			}
			if tt.end != nil {
				if err := <-ended; !tt.end(err) {
					t.Errorf("%s: the server has %v", tt.name, err)
				}
			}
		}
		// A shutdown, last: connections are closed with 1001.
		run("drain", clear+"/echo", nil, false, []step{{"text", "hi"}, {"receive"}, {"signal", "ready"}, {"await"}})
		if got := p.next(); got.Signal != "ready" {
			t.Fatalf("got %+v, want the signal", got)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
		defer cancel()
		drained := make(chan error, 1)
		go func() {
			_, err := srv.Shutdown(ctx)
			drained <- err
		}()
		if got, want := p.next(), []string{"open - -", "text hi", "closed 1001 the server shuts down"}; !slices.Equal(got.Report, want) {
			t.Errorf("drain: got %+v, want %q", got, want)
		}
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

// closedBy checks the end by a Close.
func closedBy(code ws.Code, reason string, remote bool) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*ws.CloseError](err)
		return ok && *e == ws.CloseError{Code: code, Reason: reason, Remote: remote}
	}
}

// Each package as a server of weir's client.
func TestPeersAsServers(t *testing.T) {
	mega := big(1 << 20)
	closing := func(c *ws.Conn) error { return c.Close(ws.Normal, "done") }
	tests := []struct {
		name    string
		options ws.Options
		secure  bool
		plan    []step
		do      func(t *testing.T, c *ws.Conn)
		want    []string
	}{
		{name: "echo", plan: []step{{"echo"}}, do: func(t *testing.T, c *ws.Conn) {
			for _, p := range [][]byte{[]byte("zwölf"), nil, mega} {
				for _, kind := range []ws.Kind{ws.Binary, ws.Text} {
					if kind == ws.Text && len(p) > 1000 {
						continue // it is not text
					}
					roundTrip(t, c, kind, p)
				}
			}
			check(t, closing(c))
		}, want: []string{"open - -", "closed 1000 done"}},
		{name: "compressed", options: ws.Options{Deflate: true, DeflateMin: -1}, plan: []step{{"echo"}}, do: func(t *testing.T, c *ws.Conn) {
			roundTrip(t, c, ws.Text, []byte("short"))
			roundTrip(t, c, ws.Binary, mega)
			roundTrip(t, c, ws.Text, []byte(strings.Repeat("la", 100_000)))
			check(t, closing(c))
		}, want: []string{"open - deflate", "closed 1000 done"}},
		{name: "over TLS", secure: true, plan: []step{{"echo"}}, do: func(t *testing.T, c *ws.Conn) {
			roundTrip(t, c, ws.Text, []byte("zwölf"))
			roundTrip(t, c, ws.Binary, mega)
			check(t, closing(c))
		}, want: []string{"open - -", "closed 1000 done"}},
		{name: "fragmented", plan: []step{{"fragments", []string{"one ", "", "zwölf"}}, {"await"}}, do: func(t *testing.T, c *ws.Conn) {
			receives(t, c, "text one zwölf")
			check(t, closing(c))
		}, want: []string{"open - -", "closed 1000 done"}},
		{name: "1 MiB", plan: []step{{"big", 1 << 20}, {"await"}}, do: func(t *testing.T, c *ws.Conn) {
			receives(t, c, described(ws.Binary, mega))
			check(t, closing(c))
		}, want: []string{"open - -", "closed 1000 done"}},
		{name: "ping", plan: []step{{"ping", "there?"}, {"text", "yes"}, {"await"}}, do: func(t *testing.T, c *ws.Conn) {
			receives(t, c, "text yes")
			check(t, c.Close(3001, ""))
		}, want: []string{"open - -", "pong there?", "closed 3001"}},
		{name: "subprotocol", options: ws.Options{Subprotocols: []string{"chat", "v2.chat"}}, plan: []step{{"await"}}, do: func(t *testing.T, c *ws.Conn) {
			if c.Subprotocol() != "v2.chat" {
				t.Errorf("got %q, want the server's choice", c.Subprotocol())
			}
			check(t, closing(c))
		}, want: []string{"open v2.chat -", "closed 1000 done"}},
		{name: "the server closes", plan: []step{{"text", "last"}, {"close", 4001, "over"}}, do: func(t *testing.T, c *ws.Conn) {
			receives(t, c, "text last")
			if _, _, err := c.Read(); !closedBy(4001, "over", true)(err) {
				t.Errorf("got %v, want its Close", err)
			}
		}, want: []string{"open - -", "closed 4001"}},
		{name: "too big", options: ws.Options{MaxMessage: 1000}, plan: []step{{"big", 5000}, {"await"}}, do: func(t *testing.T, c *ws.Conn) {
			if _, _, err := c.Read(); ws.CodeOf(err) != ws.TooBig {
				t.Errorf("got %v, want 1009", err)
			}
		}, want: []string{"open - -", "closed 1009 message too big"}},
		{name: "the server aborts", plan: []step{{"text", "last"}, {"receive"}, {"abort"}}, do: func(t *testing.T, c *ws.Conn) {
			receives(t, c, "text last")
			check(t, c.Send(ws.Text, []byte("go")))
			if _, _, err := c.Read(); !errors.Is(err, ws.ErrServerGone) {
				t.Errorf("got %v, want ErrServerGone", err)
			}
		}, want: []string{"open - -", "text go"}},
	}
	eachPeer(t, func(t *testing.T, command []string) {
		id := tlstest.New(t, "127.0.0.1")
		cert, key := id.Files(t, t.TempDir())
		p := start(t, command, "server", cert, key)
		ports := p.next()
		for _, tt := range tests {
			plan, err := json.Marshal(tt.plan)
			if err != nil {
				t.Fatal(err)
			}
			scheme, port := "ws", ports.Port
			if tt.secure {
				scheme, port = "wss", ports.Secure
			}
			at := fmt.Sprintf("%s://127.0.0.1:%d/?name=%s&plan=%s", scheme, port, url.QueryEscape(tt.name), url.QueryEscape(string(plan)))
			ctx, cancel := context.WithTimeout(t.Context(), patience.Limit)
			c, err := ws.Dial(ctx, at, &ws.DialOptions{Options: tt.options, Roots: id.Pool, Timeout: patience.Limit})
			cancel()
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			tt.do(t, c)
			if got := p.next(); got.Name != tt.name || !slices.Equal(got.Report, tt.want) {
				t.Errorf("%s: got %+v, want %q", tt.name, got, tt.want)
			}
			<-c.Done()
		}
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// receives checks the next message.
func receives(t *testing.T, c *ws.Conn, want string) {
	t.Helper()
	kind, p, err := c.Read()
	if err != nil || described(kind, p) != want {
		t.Errorf("got %.100q, %v, want %.100q", described(kind, p), err, want)
	}
}

// roundTrip sends a message and checks its echo.
func roundTrip(t *testing.T, c *ws.Conn, kind ws.Kind, p []byte) {
	t.Helper()
	check(t, c.Send(kind, p))
	receives(t, c, described(kind, p))
}

// A client over TLS trusts whom it is told to, and no other.
func TestDialSecure(t *testing.T) {
	_, _, secure, id, ended := peerServer(t)
	if _, err := ws.Dial(t.Context(), secure+"/echo", nil); !errors.Is(err, client.ErrConnect) {
		t.Errorf("got %v, want that the certificate is not trusted", err)
	}
	c, err := ws.Dial(t.Context(), secure+"/echo", &ws.DialOptions{Options: ws.Options{Deflate: true}, Roots: id.Pool})
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, c, ws.Text, []byte("zwölf"))
	roundTrip(t, c, ws.Binary, big(1<<20))
	check(t, c.Close(ws.Normal, "done"))
	if err := <-ended; !closedBy(1000, "done", true)(err) {
		t.Errorf("the server has %v", err)
	}
	<-c.Done()
}

// A certificate for another name is refused.
func TestDialOtherName(t *testing.T) {
	id := tlstest.New(t, "example.com")
	srv := &weir.Server{Handler: new(weir.Mux), Logger: slog.New(slog.DiscardHandler), TLS: &weir.TLS{Config: id.Server()}}
	if err := srv.Start("tls:127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer srv.Shutdown(t.Context())
	_, err := ws.Dial(t.Context(), "wss://"+srv.TLSAddrs()[0].String(), &ws.DialOptions{Roots: id.Pool})
	if _, ok := errors.AsType[x509.HostnameError](err); !ok || !errors.Is(err, client.ErrConnect) {
		t.Errorf("got %v, want that the certificate is another's", err)
	}
}

// W46: a context that is cancelled ends the handshake at once, whatever it waits
// for, and the connection with it.
func TestDialCancelled(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	for _, tt := range []struct{ scheme, said string }{
		{"wss", ""}, {"wss", "\x16\x03\x03\x40\x00"}, {"ws", ""}, {"ws", "HTTP/1.1 101 Switch"}, {"ws", "HTTP/1.1 103 Early Hints\r\n\r\n"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := ws.Dial(ctx, tt.scheme+"://"+lis.Addr().String(), &ws.DialOptions{Timeout: -1})
			failed <- err
		}()
		c, err := lis.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Read(make([]byte, 1)) // of the client's first words
		check(t, err)
		_, err = io.WriteString(c, tt.said)
		check(t, err)
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("%s, %q: got %v, want that the context has ended", tt.scheme, tt.said, err)
		}
		check(t, c.SetReadDeadline(time.Now().Add(patience.Limit)))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s, %q: the connection is still there", tt.scheme, tt.said)
		}
		c.Close()
	}
}

// Connections that were not given a loop share one, which comes and goes with
// them: what is left of it at the end the package's leak check finds.
func TestDialOwnLoop(t *testing.T) {
	_, clear, _, _, ended := peerServer(t)
	for range 3 {
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				c, err := ws.Dial(t.Context(), clear+"/echo", &ws.DialOptions{Timeout: patience.Limit})
				if err != nil {
					t.Error(err)
					return
				}
				roundTrip(t, c, ws.Text, fmt.Appendf(nil, "number %d", i))
				check(t, c.Close(ws.Normal, ""))
				<-c.Done()
				<-ended
			})
		}
		all.Go(func() { // and one that fails
			if _, err := ws.Dial(t.Context(), clear+"/forbidden", nil); ws.CodeOf(err) != ws.Abnormal || !strings.Contains(err.Error(), "403") {
				t.Errorf("got %v, want 403", err)
			}
		})
		all.Wait()
	}
}
