package command

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"weir"
)

// Serving has the flags of a subcommand that serves, and their values.
type Serving struct {
	Listen Addresses
	HTTP2  http.Handler // for clients that choose HTTP/2, where there is TLS; nil = it is not offered
	Pprof  string       // where profiles are served; "" = nowhere

	// Run calls these if they are set.
	Ready    func([]net.Addr) // the server accepts connections, and the ready line was printed
	Draining func()           // the first signal has arrived, the server still accepts

	tls                secure
	loops, conns, high int
	timeouts           weir.Timeouts
}

// defaults are the server's own, here to be seen in the help.
var defaults = weir.DefaultTimeouts()

// Register adds the flags. listen is the default of --listen.
func (s *Serving) Register(fs *flag.FlagSet, listen string) {
	s.Listen = Addresses{list: []string{listen}}
	fs.Var(&s.Listen, "listen", "`ADDRESS` to serve on, host:port or unix:/path?mode=0660; may be given more than once")
	CountVar(fs, &s.loops, "loops", 0, 0, 1024, "`N` event loops; 0 = one for each processor")
	CountVar(fs, &s.conns, "max-conns", 0, 0, 10_000_000, "at most `N` connections at a time; the next one replaces the one that has been idle longest, or gets 503; 0 = as many as the limit on open files allows")
	CountVar(fs, &s.high, "high", weir.DefaultLimits().HighMark, 1<<10, 1<<30, "`BYTES` of one connection's pending output above which its producer waits")
	DurationVar(fs, &s.timeouts.Idle, "idle", defaults.Idle, "`DURATION` between two requests after which a connection is closed")
	DurationVar(fs, &s.timeouts.Head, "head-timeout", defaults.Head, "`DURATION` from a request's first byte to the end of its head, then 408")
	DurationVar(fs, &s.timeouts.WriteStall, "stall", defaults.WriteStall, "`DURATION` in which a client reads nothing before its stream is aborted")
	DurationVar(fs, &s.timeouts.Drain, "drain", defaults.Drain, "`DURATION` for which running streams may continue after SIGTERM; a second signal aborts them")
	GraceVar(fs, &s.timeouts.DrainGrace, 0)
	fs.StringVar(&s.Pprof, "pprof", "", "`ADDRESS` to serve profiles on, for instance 127.0.0.1:6060")
}

// GraceVar adds the flag --grace, which is a part of the drain.
func GraceVar(fs *flag.FlagSet, p *time.Duration, value time.Duration) {
	DelayVar(fs, p, "grace", value, "`DURATION` after SIGTERM in which new requests are still served, so that load balancers can switch to others; then connections are refused and requests on open ones get 503; at most half of drain")
}

// Run starts srv with the flags' values, prints the ready line under the
// subcommand's full name, and serves until SIGTERM or SIGINT. Then it drains; a
// second signal aborts what still runs. SIGINT comes from a terminal, with no
// load balancer in front: its drain has no grace. Run returns an exit code, and
// logs to srv.Logger.
func (s *Serving) Run(e *Env, srv *weir.Server, name string) int {
	e.Begin()
	log := srv.Logger
	if s.Pprof != "" {
		end, err := serveProfiles(s.Pprof, log)
		if err != nil {
			log.Error(name+": cannot serve profiles", "err", err)
			return Failure
		}
		defer end()
	}
	s.configure(srv)
	if err := srv.Start(s.addresses(srv)...); err != nil {
		log.Error(name+": cannot start", "err", err)
		return Failure
	}
	fmt.Fprint(e.Stdout, readyLines(name, srv))
	if s.Ready != nil {
		s.Ready(srv.Addrs())
	}
	first := <-e.first
	if s.Draining != nil {
		s.Draining()
	}
	if first == os.Interrupt {
		srv.Timeouts.DrainGrace = 0 // which only Shutdown reads
	}
	return drain(e.cut, srv, name, log)
}

func (s *Serving) configure(srv *weir.Server) {
	srv.Loops, srv.Limits.HighMark = s.loops, s.high
	if s.conns > 0 {
		srv.Limits.Conns = s.conns
	}
	t := &srv.Timeouts
	t.Idle, t.Head, t.WriteStall, t.Drain = s.timeouts.Idle, s.timeouts.Head, s.timeouts.WriteStall, s.timeouts.Drain
	t.DrainGrace = min(s.timeouts.DrainGrace, t.Drain/2)
}

// drain shuts the server down and reports how that went.
func drain(cut context.Context, srv *weir.Server, name string, log *slog.Logger) int {
	log.Info(name+": draining", "for", srv.Timeouts.Drain.String(), "grace", srv.Timeouts.DrainGrace.String())
	report, err := srv.Shutdown(cut)
	if err != nil {
		log.Error(name+": cannot drain", "err", err)
		return Failure
	}
	log.Info(name+": drained", "drained", report.Drained, "cut", report.Cut, "refused", report.Refused, "took", report.Took.String())
	return OK
}

// urls names the addresses as a client would, space separated.
func urls(scheme string, addrs []net.Addr) string {
	names := make([]string, len(addrs))
	for i, a := range addrs {
		names[i] = scheme + "://" + a.String()
		if a.Network() == "unix" {
			names[i] = "unix:" + a.String()
		}
	}
	return strings.Join(names, " ")
}

// Fixed is Register for a subcommand whose configuration has the addresses to
// listen on, and whose srv already has its limits.
func (s *Serving) Fixed(listen []string, t weir.Timeouts, loops int) {
	s.Listen = Addresses{list: listen, given: true}
	t.Drain = max(t.Drain, 1) // zero means no time here, not the server's default
	s.timeouts, s.loops = t, loops
}
