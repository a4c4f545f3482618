package serve

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/cmd/weir/internal/mock"
	"weir/internal/patience"
)

// restarts is how often each weir is restarted; `make restarts` says ten.
var restarts = flag.Int("restarts", 1, "how often TestRolling… restart each weir")

// pair is the two weirs of the guide's page, on addresses of their own: ports
// of 127.0.0.1 could be taken by a client's connection while one is down.
type pair struct {
	t      *testing.T
	config string
	addrs  [2]string
	weirs  [2]*instance
}

var pairs atomic.Int32

func startPair(t *testing.T, config string) *pair {
	p := &pair{t: t, config: config}
	pid, n := os.Getpid(), pairs.Add(1)
	for i := range p.addrs {
		p.addrs[i] = fmt.Sprintf("127.%d.%d.%d:8080", 1+pid%250, 1+pid/250%250, int(n)*2+i)
	}
	ln, err := net.Listen("tcp", p.addrs[0])
	if err != nil {
		t.Skipf("this system has no loopback addresses but 127.0.0.1: %v", err)
	}
	ln.Close()
	p.start(0)
	p.start(1)
	return p
}

// start runs a weir with the default grace.
func (p *pair) start(i int) {
	there := fmt.Sprintf("listen: [%q]\n", p.addrs[i])
	p.weirs[i] = serve(p.t, p.config, "--grace", "2s", "--overlay", fileIn(p.t, p.t.TempDir(), "there.yaml", there))
}

// rolling restarts one after the other, as often as the flag says. The next is
// stopped as soon as the one before is ready.
func (p *pair) rolling() {
	for range *restarts {
		for i := range p.weirs {
			p.weirs[i].end()
			p.start(i)
		}
	}
}

// load is clients that make requests until they are stopped.
type load struct {
	client   *http.Client
	url      string
	stop     chan struct{}
	all      sync.WaitGroup
	requests atomic.Int64
	mu       sync.Mutex
	failed   map[string]int // by what went wrong
}

// startLoad returns when each of the clients has had a response.
func startLoad(clients int, proxy net.Addr) *load {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, proxy.Network(), proxy.String())
	}
	l := &load{
		client: &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: clients}, Timeout: patience.Limit},
		url:    "http://localhost" + chat,
		stop:   make(chan struct{}),
		failed: make(map[string]int),
	}
	var ready sync.WaitGroup
	for i := range clients {
		ready.Add(1)
		l.all.Go(func() {
			l.ask(i)
			ready.Done()
			for n := i + 1; ; n++ {
				select {
				case <-l.stop:
					return
				default:
					l.ask(n)
				}
			}
		})
	}
	ready.Wait()
	return l
}

const loadTokens = 3

// ask makes one request, whole and streamed in turn.
func (l *load) ask(n int) {
	ask, want := askWhole, mock.UnaryBody
	if n%2 == 0 {
		ask, want = askStream, mock.StreamBody
	}
	l.requests.Add(1)
	res, err := l.client.Post(l.url, "application/json", strings.NewReader(ask))
	if err != nil {
		l.fail(err.Error())
		return
	}
	defer res.Body.Close()
	switch text, err := io.ReadAll(res.Body); {
	case res.StatusCode != 200:
		l.fail(fmt.Sprintf("%d %.200s", res.StatusCode, text))
	case err != nil:
		l.fail(err.Error())
	case string(text) != string(want(mock.Body{Model: "m", Tokens: loadTokens})):
		l.fail("another body")
	}
}

func (l *load) fail(how string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed[how]++
}

// end reports what has failed.
func (l *load) end(t *testing.T) {
	close(l.stop)
	l.all.Wait()
	l.client.CloseIdleConnections()
	t.Logf("%d requests during %d restarts", l.requests.Load(), 2**restarts)
	for how, n := range l.failed {
		t.Errorf("%d of %d requests failed: %s", n, l.requests.Load(), how)
	}
}

// Two weirs behind nginx, set up as the guide says, are restarted one after
// the other: no request fails, with the default grace. // K8.43
func TestNginxRollingRestart(t *testing.T) {
	for name, change := range map[string][2]string{
		"as in the guide":       {},
		"a connection for each": {"    keepalive 64;\n    keepalive_timeout 1s;\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait most of the time
			block := strings.Replace(guideBlock(t, "operations.md", "nginx"), change[0], change[1], 1)
			testRolling(t, func(p *pair) net.Addr {
				return runNginx(t, p.inGuide(block))
			})
		})
	}
}

// The same behind HAProxy. // K8.43
func TestHAProxyRollingRestart(t *testing.T) {
	program := installed(t, "haproxy")
	block := guideBlock(t, "operations.md", "haproxy")
	testRolling(t, func(p *pair) net.Addr {
		dir, err := os.MkdirTemp("", "haproxy") // a socket's path must be short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) }) // the system's own cleaning takes what remains
		socket := &net.UnixAddr{Name: filepath.Join(dir, "socket"), Net: "unix"}
		text := strings.Replace(p.inGuide(block), "bind :80\n", "bind unix@"+socket.Name+"\n", 1)
		start(t, nil, program, "-db", "-f", fileIn(t, dir, "haproxy.cfg", text))
		return socket
	})
}

func testRolling(t *testing.T, proxy func(p *pair) net.Addr) {
	up := mock.Start(t, mock.Config{Tokens: loadTokens, Pace: 5 * time.Millisecond})
	p := startPair(t, toMock(up))
	addr := proxy(p)
	eventually(t, "the proxy has a server", func() bool {
		l := &load{client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return net.Dial(addr.Network(), addr.String())
		}}}, url: "http://localhost" + chat, failed: make(map[string]int)}
		l.ask(0)
		return len(l.failed) == 0
	})
	l := startLoad(16, addr)
	p.rolling()
	l.end(t)
	for _, g := range p.weirs {
		g.end()
	}
}

// inGuide puts the pair's addresses where the guide has its two.
func (p *pair) inGuide(block string) string {
	p.t.Helper()
	for i, there := range []string{"10.0.0.1:8080", "10.0.0.2:8080"} {
		if strings.Count(block, there) != 1 {
			p.t.Fatalf("the guide's block has not exactly one server at %s", there)
		}
		block = strings.Replace(block, there, p.addrs[i], 1)
	}
	return block
}

// The openai packages, with the retries that they have by default, ask a weir
// that is restarted on its own address: what is refused while nobody listens
// they try again, and nothing else goes wrong. // K8.43
func TestSDKRestart(t *testing.T) {
	eachSDK(t, []string{"openai (npm)", "openai (PyPI)"}, func(t *testing.T, _ string, open func(string) *sdk) {
		up := mock.Start(t, mock.Config{Tokens: loadTokens, Pace: 5 * time.Millisecond})
		p := startPair(t, toMock(up))
		stop := make(chan struct{})
		var all sync.WaitGroup
		var requests, refused, gap atomic.Int64 // gap is odd while nobody listens
		for i := range 4 {
			s := open("http://" + p.addrs[0])
			all.Go(func() {
				for n := i; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					requests.Add(1)
					before := gap.Load()
					switch _, last := s.ask(wish{Mode: []string{"once", "stream"}[n%2], Model: "m", Retries: 2}); {
					case last.Type == "done" && last.Text == "token 0 token 1 token 2 ":
					case last.Class == "APIConnectionError" && (before%2 == 1 || before != gap.Load()):
						refused.Add(1) // the next process was not there within all retries
					default:
						t.Errorf("got %+v, want the answer", last)
					}
				}
			})
		}
		for range *restarts {
			asked := requests.Load()
			eventually(t, "all have asked", func() bool { return requests.Load() >= asked+8 })
			g := p.weirs[0]
			g.signal(syscall.SIGTERM)
			eventually(t, "the address is free", func() bool { return !listens(p.addrs[0]) })
			gap.Add(1)
			p.start(0)
			gap.Add(1)
			if code := g.code(); code != 0 {
				t.Errorf("got exit code %d, want 0", code)
			}
		}
		asked := requests.Load()
		eventually(t, "all have asked", func() bool { return requests.Load() >= asked+8 })
		close(stop)
		all.Wait()
		t.Logf("%d requests during %d restarts, of which %d found nobody for longer than they try", requests.Load(), *restarts, refused.Load())
		for _, g := range p.weirs {
			g.end()
		}
	})
}

func listens(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
