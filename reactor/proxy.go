package reactor

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"weir/internal/peers"
	"weir/internal/proxyproto"
)

// DefaultProxyTimeout is how long a connection may take to send the header of
// the PROXY protocol.
const DefaultProxyTimeout = 5 * time.Second

var (
	errNotProxy  = errors.New("reactor: the peer is not a proxy of this listener")
	errNoPreface = errors.New("reactor: header of the PROXY protocol not complete in time")
)

// proxies are the peers of a listener whose connections begin with a header of
// the PROXY protocol.
type proxies struct {
	peers   peers.Set
	timeout time.Duration
}

// TrimProxy returns an address for Listen without the parameters that are about
// the PROXY protocol, or why those are wrong.
func TrimProxy(addr string) (rest string, err error) {
	rest, _, err = cutProxies(addr)
	return rest, err
}

// cutProxies reads the parameters proxy and proxy-timeout. p is nil if there is
// no proxy.
func cutProxies(addr string) (rest string, p *proxies, err error) {
	rest, query, found := strings.Cut(addr, "?")
	if !found {
		return addr, nil, nil
	}
	values, err := url.ParseQuery(query)
	unix := strings.HasPrefix(addr, "unix:")
	switch {
	case err != nil && unix: // which has parameters of its own, and reports it
		return addr, nil, nil
	case err != nil:
		return "", nil, fmt.Errorf("parameters %q: %w", query, err)
	}
	if p, err = readProxies(values["proxy"], values["proxy-timeout"]); err != nil {
		return "", nil, err
	}
	delete(values, "proxy")
	delete(values, "proxy-timeout")
	switch {
	case len(values) == 0:
		return rest, p, nil
	case unix:
		return rest + "?" + values.Encode(), p, nil
	}
	for name := range values {
		err = fmt.Errorf("unknown parameter %q of an address; there are proxy and proxy-timeout", name)
	}
	return "", nil, err
}

func readProxies(lists, timeouts []string) (*proxies, error) {
	switch {
	case len(lists) == 0 && len(timeouts) == 0:
		return nil, nil
	case len(lists) == 0:
		return nil, errors.New("proxy-timeout without proxy: want proxy=10.0.0.0/8, or whoever sends the header")
	case len(timeouts) > 1:
		return nil, errors.New("proxy-timeout is there twice")
	}
	p := &proxies{timeout: DefaultProxyTimeout}
	var err error
	if p.peers, err = peers.Parse(strings.Split(strings.Join(lists, ","), ",")...); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if len(timeouts) == 1 {
		if p.timeout, err = time.ParseDuration(timeouts[0]); err != nil || p.timeout <= 0 {
			return nil, fmt.Errorf("proxy-timeout %q: want a duration such as 5s", timeouts[0])
		}
	}
	return p, nil
}

// preface is the Handler of a connection until the header of the PROXY protocol
// has come. The connection has its own handler, and TLS, only behind that.
type preface struct {
	c     *Conn
	timer Timer
}

// awaitPreface waits for the header of a connection of a listener with proxies.
func (l *Loop) awaitPreface(c *Conn) {
	p := &preface{c: c}
	c.handler = p
	if !c.lis.proxies.peers.Has(c.remote.Addr()) {
		l.reactor.complain("connection closed: the listener is for proxies, and proxy= does not name "+c.remote.Addr().String(), errNotProxy)
		c.destroy(errNotProxy, false)
		return
	}
	p.timer.Init((*prefaceOverdue)(p))
	l.StartTimer(&p.timer, l.Now().Add(c.lis.proxies.timeout))
}

type prefaceOverdue preface

func (t *prefaceOverdue) Run() { t.c.destroy(errNoPreface, false) }

func (p *preface) Data(b []byte) (consumed int) {
	c := p.c
	client, n, err := proxyproto.Parse(b)
	switch {
	case err != nil:
		c.loop.reactor.Logger().Debug("reactor: connection closed", "remote", c.remote, "err", err)
		c.destroy(fmt.Errorf("reactor: %w", err), false)
		return len(b)
	case n == 0:
		return 0
	}
	c.loop.StopTimer(&p.timer)
	if client.IsValid() {
		c.remote = client // before anybody else has the connection
	}
	return p.pass(b, n)
}

// pass makes the connection what it is without a proxy, and passes on what has
// come behind the header, whose length is n.
func (p *preface) pass(b []byte, n int) (consumed int) {
	c := p.c
	rest := b[n:]
	if len(c.in) > 0 { // and is b
		c.in = c.in[:copy(c.in, rest)]
		rest, n = c.in, 0
	}
	c.spoken = len(rest) > 0 // the proxy has, not the client
	if t := c.lis.tls; t != nil {
		c.out.secure = newSecure(c, t)
	}
	c.loop.introduce(c)
	switch {
	case c.phase != open:
		return n + len(rest)
	case c.out.secure != nil:
		if len(rest) > 0 {
			c.out.secure.received(rest)
		}
		return n + len(rest)
	case len(rest) == 0:
		return n
	}
	return n + c.handler.Data(rest)
}

// PeerClosed ends a connection that has not said whose it is.
func (p *preface) PeerClosed() { p.c.destroy(ErrPeerClosed, false) }

func (p *preface) Drained() {}

func (p *preface) Closed(error) { p.c.loop.StopTimer(&p.timer) }
