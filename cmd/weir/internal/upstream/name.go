package upstream

import (
	"context"
	"errors"
	"net"
	"time"

	"weir/client"
)

// This file is the upstream's name (G21). Its Origin looks it up, and again when
// the addresses are old or cannot be connected to, beside the requests that go
// there. An upstream that has no address at all gets no requests, so that it
// has to look its name up by itself.

const (
	lookupLimit = 5 * time.Second // how long one look-up may take
	firstPause  = time.Second     // until the next one after a failure; it doubles each time
)

// Resolve looks the upstream's name up, and waits for that. If it fails, the
// upstream gets no requests until a later look-up succeeds, see Start, unless
// addresses are known already.
func (u *Upstream) Resolve(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	return u.origin.Resolve(ctx)
}

// Inherit takes over what another upstream knows of the same address. It must
// be called before anything else is.
func (u *Upstream) Inherit(from *Upstream) { u.origin.Inherit(from.origin) }

// Addresses returns where requests go, nil if that is not known.
func (u *Upstream) Addresses() []string { return u.origin.Addresses() }

// looked is the Origin's Looked.
func (u *Upstream) looked(err error) {
	failure := ""
	if err != nil {
		failure = WhyUnresolved(err)
	}
	u.Standing.Looked(failure, err == nil || u.origin.Addresses() != nil, time.Now())
}

// WhyUnresolved is the error of a look-up without the addresses of the name
// servers.
func WhyUnresolved(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		return "no name server has responded in time"
	case errors.As(err, &dns):
		return dns.Err
	}
	return err.Error()
}

// find looks the name up until that succeeds.
func (u *Upstream) find(ctx context.Context) {
	longest := u.Believed
	if longest <= 0 {
		longest = client.DefaultRefresh
	}
	for pause := min(firstPause, longest); ; pause = min(2*pause, longest) {
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return
		}
		if u.Resolve(ctx) == nil {
			return
		}
	}
}
