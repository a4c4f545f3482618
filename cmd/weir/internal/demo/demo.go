// Package demo is `weir demo`: weir with nothing around it. It serves one
// model, weir-demo, a native handler (demo/babble) that babbles text from an
// n-gram model of weir's own guide, in the dialects of OpenAI, Anthropic and Ollama,
// at a pace that can be set. It needs no network, no files and no configuration.
package demo

import (
	"fmt"
	"io"
	"net"

	"weir/cmd/weir/internal/admin"
	"weir/cmd/weir/internal/command"
)

const (
	name          = "weir demo"
	defaultListen = "127.0.0.1:8080"
	defaultAdmin  = admin.DefaultListen
)

const help = `Serves the model weir-demo. It babbles from weir's own guide, the same text for
the same "seed", and needs neither a network nor a configuration.

  POST /v1/chat/completions, /v1/completions                      OpenAI
  POST /v1/responses                                              OpenAI Responses
  POST /v1/messages, /v1/messages/count_tokens                    Anthropic
  POST /api/chat, /api/generate, GET /api/tags, /api/version      Ollama
  GET  /v1/models, /v1/models/weir-demo
  GET  /                      a playground for browsers, and a curl command for others
  GET  /health                200 while it serves, 503 while it drains

The admin address serves /livez and /readyz.`

// Main runs the subcommand and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	return command.Serve(stdout, stderr, false, func(e *command.Env) int { return run(e, args, stdout, stderr) })
}

func run(e *command.Env, args []string, stdout, stderr io.Writer) int {
	var serving command.Serving
	var pace Pace
	fs := command.NewFlags(name)
	pace.register(fs)
	adminAddr := fs.String("admin", defaultAdmin, "`ADDRESS` for /livez and /readyz, only on this machine; \"\" = none")
	serving.Register(fs, defaultListen)
	if code, done := command.Parse(fs, help, args, stdout, stderr); done {
		return code
	}
	if !admin.Private(*adminAddr) {
		return command.WrongUse(name, "--admin "+*adminAddr+` can be reached from other machines, and requires no key; give 127.0.0.1:PORT, unix:/PATH or "" for none`, stderr)
	}
	pace.Set()
	shared.model() // built now, not during the first request

	e.Begin()
	adm := admin.Admin{Probes: new(admin.Probes)}
	endAdmin, err := adm.Start(*adminAddr, e.Log)
	if err != nil {
		e.Log.Error(name+": cannot start", "err", fmt.Errorf("--admin: %w (--admin \"\" turns it off)", err))
		return command.Failure
	}
	defer endAdmin()
	srv := New(adm.Probes)
	srv.Logger = e.Log
	serving.Ready = func(addrs []net.Addr) { suggest(e.Stderr, addrs) }
	serving.Draining = adm.Drain
	return serving.Run(e, srv, name)
}

// suggest prints what to try.
func suggest(w io.Writer, addrs []net.Addr) {
	for _, addr := range addrs {
		if to := reachable(addr); to != "" {
			fmt.Fprintf(w, "open: http://%s/ in a browser\ntry: %s\n", to, curl("http://"+to))
			return
		}
	}
}
