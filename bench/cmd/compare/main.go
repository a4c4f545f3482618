// Command compare runs servers and loads against each other and writes what
// came out. bench/run.sh builds what it needs and calls it:
//
//	compare -bin .bin -results results -command 'bench/run.sh plaintext' plaintext
//
// In every round each server is started, loaded and stopped in turn, and every
// second round in the reverse order, so that a machine whose speed drifts treats
// them alike. The exit status is 1 when a server failed; a missed goal is
// reported, and no failure.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	bin, scripts, results, oha string
	command                    string
	quick                      bool
	only                       []string
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", ".bin", "`folder` of the built servers and loads")
	flag.StringVar(&o.scripts, "scripts", "scripts", "`folder` of wrk's scripts")
	flag.StringVar(&o.results, "results", "results", "`folder` to write to")
	flag.StringVar(&o.oha, "oha", ".tools/bin/oha", "oha's `path`")
	flag.StringVar(&o.command, "command", "", "what the results say made them")
	flag.BoolVar(&o.quick, "quick", false, "few and short rounds, to see that all works")
	only := flag.String("servers", "", "measure only these, by `names` with commas")
	flag.Parse()
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	if o.command == "" {
		o.command = "compare " + strings.Join(os.Args[1:], " ")
	}
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "compare: name suites: plaintext, tokens, idle, gateway, tls, storm, native, hub, websocket, static, before, oha")
		os.Exit(2)
	}
	// Servers die with the thread that started them: see server.start.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, name := range flag.Args() {
		if err := o.runSuite(ctx, name); err != nil {
			fmt.Fprintln(os.Stderr, "compare:", err)
			os.Exit(1)
		}
	}
}

// runSuite runs the suite's trials and writes one results file.
func (o options) runSuite(ctx context.Context, name string) error {
	makeTrials, ok := suites[name]
	if !ok {
		return fmt.Errorf("no suite %q", name)
	}
	serverCPU, loadCPU, err := pins()
	if err != nil {
		return err
	}
	text := preamble(name, o.command, serverCPU, loadCPU)
	t := tools{bin: o.bin, scripts: o.scripts, oha: o.oha, cpu: loadCPU}
	failed := 0
	for _, trial := range makeTrials(o.quick) {
		out, failures := o.runTrial(ctx, t, trial, serverCPU)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		failed += failures
		part := out.markdown()
		fmt.Print(part)
		text += part
	}
	if o.quick {
		name += "-quick"
	}
	path := filepath.Join(o.results, name+".md")
	if err := os.WriteFile(path, []byte(strings.TrimRight(text, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "wrote", path)
	if failed > 0 {
		return fmt.Errorf("%s failed in %s", count(failed, "run"), name)
	}
	return nil
}

func (o options) runTrial(ctx context.Context, t tools, tr trial, cpu int) (outcome, int) {
	out := outcome{trial: tr, samples: map[string][]sample{}}
	present := out.present(o)
	failures := 0
	for round := range tr.rounds {
		if round > 0 {
			slices.Reverse(present) // the first one is not always the same
		}
		for _, s := range present {
			if ctx.Err() != nil {
				return out, failures
			}
			fmt.Fprintf(os.Stderr, "%s: round %d of %d: %s\n", tr.title, round+1, tr.rounds, s.name)
			got, err := once(ctx, t, tr.load, s, cpu)
			if err != nil {
				failures++
				out.trouble = append(out.trouble, fmt.Sprintf("%s FAILED in round %d: %v", s.name, round+1, err))
				fmt.Fprintln(os.Stderr, " ", err)
				continue
			}
			out.samples[s.name] = append(out.samples[s.name], got)
		}
	}
	return out, failures
}

// present returns the trial's servers that were requested and built, and notes
// those that were not built.
func (out *outcome) present(o options) []server {
	var list []server
	for _, name := range out.servers {
		s, ok := serverNamed(name)
		if !ok || o.only != nil && !slices.Contains(o.only, name) {
			continue
		}
		if _, err := s.path(o.bin); err != nil {
			out.trouble = append(out.trouble, name+" skipped: it is not there or does not build")
			continue
		}
		list = append(list, s)
	}
	return list
}

// once measures one fresh instance of s; a gateway's upstream runs beside the
// load and is as fresh.
func once(ctx context.Context, t tools, l load, s server, cpu int) (sample, error) {
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a configuration file: it does no harm if it remains
	if s, err = s.certified(dir); err != nil {
		return nil, err
	}
	if s.files != nil {
		if s, err = s.files(s, dir); err != nil {
			return nil, err
		}
	}
	var behind *instance
	if s.gateway != nil {
		up, err := upstreamOf(s).certified(dir)
		if err != nil {
			return nil, err
		}
		if behind, err = up.start(ctx, t.bin, t.cpu); err != nil {
			return nil, err
		}
		defer behind.stop()
		if s, err = s.gateway(s, dir, behind.addr); err != nil {
			return nil, err
		}
	}
	in, err := s.start(ctx, t.bin, cpu)
	if err != nil {
		return nil, err
	}
	in.behind = behind
	got, err := measure(ctx, t, l, in)
	in.stop()
	if words := in.lastWords(); err != nil && words != "" {
		err = fmt.Errorf("%w (it said: %s)", err, words)
	}
	return got, err
}

func measure(ctx context.Context, t tools, l load, in *instance) (sample, error) {
	var err error
	switch {
	case in.gateway != nil:
		err = checkChat(ctx, in.addr)
	case in.serves:
		err = checkFiles(ctx, in.addr)
	case in.secure:
		err = checkPlaintext(ctx, "https", in.addr)
	default:
		err = checkPlaintext(ctx, "http", in.addr)
	}
	if err != nil {
		return nil, err
	}
	return l(ctx, t, in)
}

// checkPlaintext checks that the server responds as all of them must, so that
// no fast wrong response is measured.
func checkPlaintext(ctx context.Context, scheme, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+addr+"/plaintext", nil)
	if err != nil {
		return err
	}
	trust := &tls.Config{InsecureSkipVerify: true} // a certificate of today's, on loopback
	resp, err := (&http.Transport{DisableKeepAlives: true, TLSClientConfig: trust}).RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return err
	}
	if got, want := string(body), "Hello, World!"; got != want || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/plaintext: got %d %q, want 200 %q", resp.StatusCode, got, want)
	}
	for _, name := range []string{"Content-Type", "Date"} {
		if resp.Header.Get(name) == "" {
			return fmt.Errorf("/plaintext lacks %s", name)
		}
	}
	return nil
}
