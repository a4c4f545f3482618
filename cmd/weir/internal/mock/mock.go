package mock

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"weir/cmd/weir/internal/command"
)

const (
	name = "weir mock"

	defaultTTFT = 10 * time.Millisecond
	defaultPace = 10 * time.Millisecond
)

const help = `Serves a scripted upstream in four dialects, for tests and load. It serves any
model, and fails in every way that a request or a script asks for:

  POST /v1/chat/completions, /v1/completions, /v1/embeddings      OpenAI
  POST /v1/responses                                              OpenAI Responses
  POST /v1/messages, /v1/messages/count_tokens                    Anthropic
  POST /api/chat, /api/generate, GET /api/tags, /api/version      Ollama
  GET  /v1/models, /health
  GET  /mock/log              what was received; DELETE forgets it
  GET  /mock/connections      those that are open
  GET  /mock/wait?closed=1    waits until something was seen
  PUT  /mock/rules            a script, while it runs
  PUT  /mock/health?status=503

The fields x-mock-NAME of a request say how it is responded to, as in
x-mock-fault: reset-after=3. So do the rules of a script, in YAML or JSON:

  rules:
  - {path: /v1/chat/completions, model: m, nth: 2, times: 1, set: {fault: "reset-after=3", tokens: 8}}
  - {path: /v1/messages, set: {tool: "weather,time", think: 5, text: "It rains, and it is late."}}

The settings are ttft, pace, gap, tokens, text, think, tool, arguments, finish,
size, status, retry-after, header-NAME, framing, split and fault. A request that
asks for JSON gets a document that its schema allows. The faults, several of
them comma separated, are
%s.

For a port that refuses connections, use one without a listener.`

// Main runs `weir mock`.
func Main(args []string, stdout, stderr io.Writer) int {
	return command.Serve(stdout, stderr, false, func(e *command.Env) int { return main(e, args, stdout, stderr) })
}

func main(e *command.Env, args []string, stdout, stderr io.Writer) int {
	var o options
	fs := command.NewFlags(name)
	o.register(fs)
	if code, done := command.Parse(fs, fmt.Sprintf(help, wrap(Faults())), args, stdout, stderr); done {
		return code
	}
	cfg, err := o.config()
	if err != nil {
		return command.WrongUse(name, strings.TrimPrefix(err.Error(), "mock: "), stderr)
	}
	e.Begin()
	if err := run(e.Stopped(), cfg, o.certificate, e.Stdout); err != nil {
		e.Log.Error(name+": cannot start", "err", err)
		return command.Failure
	}
	return command.OK
}

// run serves until a signal ends it.
func run(stopped <-chan os.Signal, cfg Config, certificate string, stdout io.Writer) error {
	s, err := Listen(cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	if certificate != "" {
		if err := os.WriteFile(certificate, s.Certificate(), 0o644); err != nil {
			return fmt.Errorf("--tls-cert: %w", err)
		}
	}
	fmt.Fprintf(stdout, "%s: ready on %s\n", name, s.URL())
	<-stopped
	return nil
}

// options are the flags.
type options struct {
	listen, script, dialect, certificate string
	ttft, pace                           time.Duration
	tokens, keep                         int
	tls                                  bool
	names                                string
}

func (o *options) register(fs *flag.FlagSet) {
	fs.StringVar(&o.listen, "listen", defaultListen, "`ADDRESS` to serve on: host:port, or unix:PATH")
	fs.StringVar(&o.script, "script", "", "`FILE` with rules")
	fs.StringVar(&o.dialect, "dialect", "", "`NAME` of the only dialect that is served: "+strings.Join(Dialects, ", ")+"; all of them by default")
	command.DelayVar(fs, &o.ttft, "ttft", defaultTTFT, "`DURATION` before a response's first event, or before a whole response; 0s = none")
	command.DelayVar(fs, &o.pace, "pace", defaultPace, "`DURATION` from one event to the next; 0s = none")
	command.CountVar(fs, &o.tokens, "tokens", defaultTokens, 1, math.MaxInt32, "`N` tokens of a response")
	command.CountVar(fs, &o.keep, "keep", defaultKeep, 1, math.MaxInt32, "`N` requests and connections that the log keeps")
	fs.BoolVar(&o.tls, "tls", false, "serve https, with a certificate made at the start")
	fs.StringVar(&o.certificate, "tls-cert", "", "`FILE` to write that certificate to, as PEM; means --tls")
	fs.StringVar(&o.names, "tls-names", "127.0.0.1,::1,localhost", "`HOSTS` of that certificate, comma separated")
}

func (o *options) config() (Config, error) {
	cfg := Config{
		Listen: o.listen, Dialect: o.dialect, TTFT: o.ttft, Pace: o.pace, Tokens: o.tokens, Keep: o.keep,
		TLS: o.tls || o.certificate != "", Names: strings.Split(o.names, ","),
	}
	switch {
	case o.dialect != "" && !slices.Contains(Dialects, o.dialect):
		return cfg, fmt.Errorf("--dialect: want %s, got %q", strings.Join(Dialects, ", "), o.dialect)
	case o.script == "":
		return cfg, nil
	}
	script, err := os.ReadFile(o.script)
	if err != nil {
		return cfg, fmt.Errorf("--script: %w", err)
	}
	cfg.Rules, err = ParseScript(script)
	return cfg, err
}

// wrap puts words on lines, comma separated.
func wrap(words []string) string {
	var b strings.Builder
	width := 0
	for i, w := range words {
		switch {
		case i == 0:
		case width+len(w) > 70:
			b.WriteString(",\n")
			width = 0
		default:
			b.WriteString(", ")
		}
		b.WriteString(w)
		width += len(w) + 2
	}
	return b.String()
}
