package weirtest_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/client"
	"weir/http1"
	"weir/weirtest"
)

// through is one request that is passed on, on the loop of its client.
type through struct {
	x     *weir.LoopExchange
	call  *client.Call
	ended error // of the call
}

var errBadGateway = errors.New("bad gateway")

func (p *through) Data([]byte) {}
func (p *through) End(error)   {}
func (p *through) Drained() {
	if p.call != nil {
		p.call.Resume()
	}
}

func (p *through) Closed(error) {
	if p.call != nil {
		p.call.Cancel()
	}
}

func (p *through) Head(h *http1.Response) { p.x.Response().SetStatus(h.Status()) }
func (p *through) Body(b []byte) {
	if !p.x.Push(b) && p.call != nil {
		p.call.Pause()
	}
}

func (p *through) Done(err error) {
	if p.call, p.ended = nil, err; err != nil {
		p.x.Abort(errBadGateway)
		return
	}
	p.x.End()
}

// A test plays both sides of a proxy: the client, and the upstream that its
// handler dials.
func TestUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoint, err := client.ParseEndpoint("http://127.0.0.1:8000")
		if err != nil {
			t.Fatal(err)
		}
		origin := &client.Origin{Endpoint: endpoint}
		defer origin.Close()
		var last *through
		mux := new(weir.Mux)
		mux.HandleLoop("GET /{path...}", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
			p := &through{x: x}
			last = p
			call, err := origin.Do(x.Loop(), &client.Request{Method: "GET", Path: x.Request().PathBytes()}, p)
			if p.call = call; err != nil {
				p.Done(err)
			}
			return p
		}))
		s := weirtest.Start(t, &weir.Server{Handler: mux})
		up := s.Listen("127.0.0.1:8000")
		if got := up.Accept(); got != nil {
			t.Fatal("a connection that nobody dialled")
		}

		c := s.Get("/a")
		peer := up.Accept()
		if got := peer.Received(); len(got) < 14 || got[:14] != "GET /a HTTP/1." {
			t.Errorf("the upstream got %q", got)
		}
		peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
		if got := c.Response(); got.Status != 200 || got.Body != "one" || got.Complete {
			t.Errorf("got %+v, want the beginning", got)
		}
		peer.Reset() // in the middle of the response
		if got := c.Response(); got.Complete || c.Err() == nil {
			t.Errorf("got %+v, want a response that is cut", got)
		}

		c = s.Get("/b") // the client disconnects: so does the handler
		peer = up.Accept()
		peer.Received()
		c.Reset()
		if peer.Err() == nil || !errors.Is(last.ended, client.ErrCancelled) {
			t.Errorf("the upstream's connection ended with %v, the call with %v", peer.Err(), last.ended)
		}

		up.Hang() // nothing comes of connecting: the client gives up
		c = s.Get("/c")
		s.Tick(time.Minute)
		if got := c.Received(); got != "" || up.Accept() != nil {
			t.Errorf("got %q while the upstream hangs", got)
		}
		c.Reset()
		s.Settle()
	})
}

// Without an upstream, and after its Close, connecting is refused.
func TestUpstreamRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endpoint, err := client.ParseEndpoint("unix:/run/there.sock")
		if err != nil {
			t.Fatal(err)
		}
		origin := &client.Origin{Endpoint: endpoint}
		defer origin.Close()
		var ended []error
		mux := new(weir.Mux)
		mux.HandleLoop("GET /", weir.LoopHandlerFunc(func(x *weir.LoopExchange) weir.BodyReceiver {
			p := &through{x: x}
			call, err := origin.Do(x.Loop(), &client.Request{Method: "GET", Path: []byte("/")}, noting{p, &ended})
			if p.call = call; err != nil {
				noting{p, &ended}.Done(err)
			}
			return p
		}))
		s := weirtest.Start(t, &weir.Server{Handler: mux})
		s.Get("/")
		s.Settle()
		up := s.Listen("unix:/run/there.sock")
		s.Get("/")
		if up.Accept() == nil {
			t.Error("nothing was dialled")
		}
		up.Close()
		s.Get("/")
		s.Settle()
		if len(ended) != 2 || !errors.Is(ended[0], client.ErrConnect) || !errors.Is(ended[1], client.ErrConnect) {
			t.Errorf("got %v, want two refusals", ended)
		}
	})
}

// noting keeps how a call has ended.
type noting struct {
	*through
	ended *[]error
}

func (n noting) Done(err error) {
	*n.ended = append(*n.ended, err)
	n.through.Done(err)
}
