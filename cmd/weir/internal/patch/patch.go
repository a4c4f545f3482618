// Package patch is `weir patch`: what a model's patches make of a request, of the
// events of a response, or of a whole one.
package patch

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"weir/cmd/weir/internal/command"
	"weir/cmd/weir/internal/config"
	"weir/cmd/weir/internal/policy"
	"weir/sse"
)

const name = "weir patch"

const help = `Shows a request before and after the patches of a model, or, with --event,
server-sent events or a line of JSON, or, with --response, a response that is
not a stream. It reads standard input.

  echo '{"model":"small","stream":true,"max_tokens":100000}' |
    weir patch --config weir.yaml --model small
  curl -N … | weir patch --config weir.yaml --model small --event

JSON is shown with a member on each line; what is sent has all the bytes of the
original but those in the ranges that are named. The exit code is 1 if a patch
does not apply to the request: weir serve responds with 400 then.`

// mostInput is how much of the standard input is read.
const mostInput = 256 << 20

var stdin io.Reader = os.Stdin

type options struct {
	config   string
	overlays command.Files
	model    string
	event    bool
	response bool
	raw      bool
}

func (o *options) register(fs *flag.FlagSet) {
	fs.StringVar(&o.config, "config", "weir.yaml", "`FILE` with the configuration, YAML or JSON")
	fs.Var(&o.overlays, "overlay", "`FILE` that changes the configuration (RFC 7396 merge patch); may be given more than once, applied in order")
	fs.StringVar(&o.model, "model", "", "`NAME` of the model, as a client asks for it")
	fs.BoolVar(&o.event, "event", false, "the input is events of a response, or a line of JSON")
	fs.BoolVar(&o.response, "response", false, "the input is a whole response")
	fs.BoolVar(&o.raw, "raw", false, "print what is sent, byte for byte, and nothing else")
}

// Main runs the subcommand and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	var o options
	fs := command.NewFlags(name)
	o.register(fs)
	if code, done := command.Parse(fs, help, args, stdout, stderr); done {
		return code
	}
	switch {
	case o.model == "":
		return command.WrongUse(name, "--model NAME is missing", stderr)
	case o.event && o.response:
		return command.WrongUse(name, "--event and --response exclude each other", stderr)
	}
	cfg, err := config.Load(o.config, o.overlays...)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return command.Usage
	}
	model, ok := cfg.Model(o.model)
	if !ok {
		fmt.Fprintf(stderr, "%s: no model serves %q\n", name, o.model)
		return command.Usage
	}
	p, _ := policy.Compile(model.Rules()) // Load has checked it
	input, err := io.ReadAll(io.LimitReader(stdin, mostInput+1))
	if err == nil && len(input) > mostInput {
		err = fmt.Errorf("the input is larger than %d MiB", mostInput>>20)
	}
	var out bytes.Buffer
	s := shower{out: &out, raw: o.raw}
	switch {
	case err != nil:
	case o.event:
		s.events(p.Event, input)
	case o.response:
		after, err := s.editor.Apply(p.Response, input)
		s.show("response", input, after, s.editor.Edits(), because("response", err))
	default:
		err = s.request(p.Request, input)
	}
	if _, failed := stdout.Write(out.Bytes()); err == nil {
		err = failed
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return command.Failure
	}
	return command.OK
}

// shower prints what is before and after.
type shower struct {
	out    *bytes.Buffer
	raw    bool
	editor policy.Editor
}

// request shows a request. Its error is the one for which a client gets 400.
func (s *shower) request(p *policy.Patch, body []byte) error {
	if p == nil && !json.Valid(bytes.TrimPrefix(body, []byte("\uFEFF"))) {
		return policy.ErrSyntax
	}
	after, err := s.editor.Apply(p, body)
	var failure *policy.Failure
	if errors.As(err, &failure) {
		return fmt.Errorf("400: request.%s", failure.Text())
	}
	if err != nil {
		return err
	}
	s.show("request", body, after, s.editor.Edits(), "")
	return nil
}

// events shows each event of the input, or each line if the input is lines of
// JSON.
func (s *shower) events(p *policy.Patch, input []byte) {
	lines := len(bytes.TrimSpace(input)) > 0 && bytes.IndexByte([]byte("{["), bytes.TrimSpace(input)[0]) >= 0
	for n := 1; len(input) > 0; n++ {
		var event, after []byte
		var err error
		if event, input = next(input, lines); lines {
			after, err = s.editor.Line(p, event)
		} else {
			after, err = s.editor.Event(p, event)
		}
		s.show(fmt.Sprintf("event %d", n), event, after, s.editor.Edits(), because("event", err))
	}
}

// next cuts one event from the front of the input, or one document.
func next(input []byte, lines bool) (event, rest []byte) {
	if !lines {
		n, _ := new(sse.Framer).Next(input)
		return input[:n], input[n:]
	}
	if json.Valid(input) { // a document with line breaks in it
		return input, nil
	}
	n := bytes.IndexByte(input, '\n') + 1
	if n == 0 {
		n = len(input)
	}
	return input[:n], input[n:]
}

// show prints one text before and after. why is the reason for which it was not
// changed, as because has it.
func (s *shower) show(what string, before, after []byte, edits []policy.Edit, why string) {
	if s.raw {
		s.out.Write(after)
		return
	}
	if s.out.Len() > 0 {
		s.out.WriteByte('\n')
	}
	if len(edits) == 0 {
		fmt.Fprintf(s.out, "%s: unchanged, %d bytes%s\n", what, len(before), why)
		return
	}
	fmt.Fprintf(s.out, "--- %s, %d bytes\n+++ as it is sent, %d bytes\n", what, len(before), len(after))
	appendDiff(s.out, readable(before), readable(after))
	for _, e := range edits {
		fmt.Fprintf(s.out, "bytes %d to %d: %s became %s\n", e.From, e.To, short(before[e.From:e.To]), short(after[e.NewFrom:e.NewTo]))
	}
}

// because is why the rules of that name did not apply, behind a colon.
func because(rules string, why error) string {
	var failure *policy.Failure
	switch {
	case why == nil:
		return ""
	case errors.As(why, &failure):
		return ": " + rules + "." + failure.Text()
	}
	return ": " + plain(why)
}
