// Package serve is `weir serve`, the command: flags, files and signals around
// package gateway.
package serve

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"weir"
	"weir/cmd/weir/internal/admin"
	"weir/cmd/weir/internal/command"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/gateway"
	"weir/nethttp"

	_ "weir/cmd/weir/internal/demo" // the native handler that always exists
)

const name = "weir serve"

const help = `Relays requests to the upstreams of a configuration file, in the dialects that
they speak.

  POST /v1/chat/completions, /v1/completions, /v1/embeddings      OpenAI
  POST /v1/responses                                              OpenAI Responses
  POST /v1/messages, /v1/messages/count_tokens                    Anthropic
  POST /api/chat, /api/generate, /api/embed, GET /api/tags, …     Ollama
  POST /v1/…                  any other whose body names a served model
  GET  /v1/models, /v1/models/{id}
  GET  /health                200 while new requests are wanted, 503 in a drain

The smallest configuration:

  listen: ["127.0.0.1:8080"]
  upstreams: {local: {url: "http://127.0.0.1:8000"}}
  models: {my-model: {targets: [{upstream: local}]}}

Native handlers ('weir handlers' lists them) serve models, and paths of their
own. With native: [{so: ./libtiny.so}], or --so, a library adds more:

  models: {babble: {native: demo/babble}}
  routes: [{path: "POST /generate", native: demo/babble}]

SIGHUP, or a change of the files, reloads it: running requests continue with
what they started with, and a configuration with mistakes changes nothing.
SIGTERM drains, a second one aborts what still runs.`

// defaultConfig is the file that is read if no other is named.
const defaultConfig = "weir.yaml"

// options has the values of the flags.
type options struct {
	config    string
	overlays  command.Files
	libraries libraries
	check     bool
	print     bool
	schema    bool
	loops     int
	stall     time.Duration
	grace     time.Duration
	pprof     string
}

func (o *options) register(fs *flag.FlagSet) {
	fs.StringVar(&o.config, "config", defaultConfig, "`FILE` with the configuration, YAML or JSON")
	fs.Var(&o.overlays, "overlay", "`FILE` that changes the configuration (RFC 7396 merge patch); may be given more than once, applied in order")
	fs.Var(&o.libraries.flags, "so", "`FILE` that is a shared library with native handlers; may be given more than once")
	fs.BoolVar(&o.check, "check", false, "report every problem of the configuration and exit; loads its libraries, and looks up the names of its upstreams")
	fs.BoolVar(&o.print, "print", false, "print the configuration that is in force, defaults included and secrets masked, and exit")
	fs.BoolVar(&o.schema, "schema", false, "print the JSON schema of the configuration, for editors, and exit")
	command.CountVar(fs, &o.loops, "loops", 0, 0, 1024, "`N` event loops; 0 = one for each processor")
	command.DurationVar(fs, &o.stall, "stall", weir.DefaultTimeouts().WriteStall, "`DURATION` in which a client reads nothing before its stream is aborted")
	command.GraceVar(fs, &o.grace, 2*time.Second)
	fs.StringVar(&o.pprof, "pprof", "", "`ADDRESS` to serve profiles on, for instance 127.0.0.1:6060")
}

// load reads the configuration, and loads the libraries that it names.
func (o *options) load() (*config.Config, error) {
	return config.LoadFor(o.libraries.look, o.config, o.overlays...)
}

// Main runs the subcommand and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	return command.Serve(stdout, stderr, true, func(e *command.Env) int { return main(e, args, stdout, stderr) })
}

func main(e *command.Env, args []string, stdout, stderr io.Writer) int {
	var o options
	fs := command.NewFlags(name)
	o.register(fs)
	if code, done := command.Parse(fs, help, args, stdout, stderr); done {
		return code
	}
	if o.schema {
		_, _ = stdout.Write(config.Schema())
		return command.OK
	}
	if o.config == "" {
		return command.WrongUse(name, "--config wants a FILE", stderr)
	}
	for _, path := range o.libraries.flags {
		if err := o.libraries.load(path); err != nil {
			return command.WrongUse(name, "--so: "+err.Error(), stderr)
		}
	}
	versions := o.versions() // before they are read: no change is missed
	cfg, err := o.load()
	if err != nil {
		report(stderr, err)
		if _, err := os.Stat(o.config); errors.Is(err, os.ErrNotExist) && o.config == defaultConfig {
			fmt.Fprintf(stderr, "%s: there is no %s here: name another file with --config FILE, or see '%s --help' for one to begin with\n", name, defaultConfig, name)
		}
		return command.Usage
	}
	if o.print {
		_, _ = stdout.Write(cfg.YAML())
	}
	if o.check {
		for _, p := range gateway.Unresolved(cfg, lookupHost) {
			fmt.Fprintln(stderr, p)
		}
		if !o.print {
			fmt.Fprintf(stdout, "%s: no problems\n", o.config)
		}
	}
	if o.check || o.print {
		return command.OK
	}
	return run(e, &o, cfg, versions)
}

// report prints every problem on a line of its own.
func report(w io.Writer, err error) {
	var problems config.Problems
	if !errors.As(err, &problems) {
		fmt.Fprintln(w, err)
		return
	}
	for _, p := range problems {
		fmt.Fprintln(w, p)
	}
}

// gcPercent is how much garbage may gather, in percent of what lives. A gateway
// makes little of it; it matters that memory stays near the marks of its
// streams.
const gcPercent = 50

func run(e *command.Env, o *options, cfg *config.Config, versions string) int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	log := e.Log
	r, err := begin(e, o, cfg, versions)
	if err != nil {
		log.Error(name+": cannot start", "err", err)
		return command.Failure
	}
	defer r.stop()
	e.Begin()
	adm := admin.Admin{Probes: &r.gateway.Probes, Token: cfg.Admin.Token(), Add: r.gateway.Operators, Guard: r.gateway.AdminGuard}
	endAdmin, err := adm.Start(cfg.Admin.Listen, log)
	if err != nil {
		log.Error(name+": cannot start", "err", fmt.Errorf("admin.listen: %w", err))
		return command.Failure
	}
	defer endAdmin()
	srv := r.gateway.Server(log)
	serving := command.Serving{Pprof: o.pprof, Draining: adm.Drain, Ready: func([]net.Addr) { r.observer.SetServer(srv) }}
	serving.Fixed(cfg.Listen, weir.Timeouts{WriteStall: o.stall, Drain: cfg.Drain.D(), DrainGrace: o.grace}, cmp.Or(o.loops, runtime.GOMAXPROCS(0)))
	if cfg.TLS.Cert != "" {
		serving.FixedTLS(cfg.TLS.Cert, cfg.TLS.Key)
		serving.HTTP2 = nethttp.OfServer(srv)
	}
	return serving.Run(e, srv, name)
}
