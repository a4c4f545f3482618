package reactor

import (
	"net/netip"
	"os"
	"time"
)

// AwaitLog returns when the log has taken what was logged.
func (r *Reactor) AwaitLog() { r.logs.Wait(time.Minute) }

// LoseSpare lets somebody else have the spare descriptor, as one who opens a
// file at the wrong moment does; f is open then.
func (r *Reactor) LoseSpare() (f *os.File, err error) {
	r.spare.mu.Lock()
	defer r.spare.mu.Unlock()
	r.spare.give()
	return os.Open(os.DevNull)
}

// AttachBehind is Attach for a connection of a listener whose address has those
// parameters; t may be nil.
func (r *Reactor) AttachBehind(l *Loop, fd int, remote netip.AddrPort, params string, t *TLS) error {
	_, p, err := cutProxies("0.0.0.0:0?" + params)
	if err == nil && t != nil {
		t, err = t.withDefaults()
	}
	if err == nil {
		r.attach(arrival{l, fd, ends{remote, &listener{tls: t, proxies: p}}})
	}
	return err
}
