package main

import (
	"bytes"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"weir/cmd/weir/internal/command"
	"weir/internal/leak"
)

// asWeir is set in the environment of a process that is to be weir, and not
// its tests.
const asWeir = "WEIR_TEST_AS_WEIR"

func TestMain(m *testing.M) {
	if os.Getenv(asWeir) != "" {
		main()
	}
	os.Exit(leak.Check(m))
}

func TestCommandLine(t *testing.T) {
	const isUsage = `^usage: weir SUBCOMMAND \[flags\]\n(.|\n)*\n  tour +serve`
	tests := []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"", command.Usage, `^$`, isUsage},
		{"help", command.OK, isUsage, `^$`},
		{"--help", command.OK, isUsage, `^$`},
		{"-h", command.OK, isUsage, `^$`},
		{"help help", command.OK, isUsage, `^$`},
		{"help tour", command.OK, `^usage: weir tour \[flags\]\n(.|\n)*/plaintext(.|\n)*--listen ADDRESS`, `^$`},
		{"help nothing", command.Usage, `^$`, `^weir: there is no subcommand "nothing"\nRun 'weir --help'`},
		{"help tour demo", command.Usage, `^$`, `^weir: help takes the name of one subcommand\n`},
		{"nothing", command.Usage, `^$`, `^weir: there is no subcommand "nothing"\nRun 'weir --help' for its usage\.\n$`},
		{"tour --help", command.OK, `^usage: weir tour`, `^$`},
		{"tour now", command.Usage, `^$`, `^weir tour: unexpected argument "now"\nRun 'weir tour --help'`},
		{"tour --speed 5", command.Usage, `^$`, `^weir tour: flag provided but not defined: -speed\n`},
		{"tour --idle 0s", command.Usage, `^$`, `^weir tour: invalid value "0s" for flag -idle: must be more than zero\n`},
		{"tour --idle 5", command.Usage, `^$`, `-idle: want a duration such as "500ms"`},
		{"tour --loops -1", command.Usage, `^$`, `-loops: want a number from 0 to 1024\n`},
		{"tour --high 1", command.Usage, `^$`, `-high: want a number from 1024 to 1073741824\n`},
		{"tour --listen nowhere", command.Failure, `^$`, `cannot start.*nowhere`},
		{"tour --pprof nowhere", command.Failure, `^$`, `cannot serve profiles.*--pprof.*nowhere`},
		{"handlers", command.OK, `(?m)^tour/tokens +stream +100000 +\S`, `^$`},
		{"handlers now", command.Usage, `^$`, `^weir handlers: unexpected argument`},
		{"version", command.OK, `^weir \S+, go\S+ \w+/\w+, commit \w+( \(modified\))?\n$`, `^$`},
		{"--version", command.OK, `^weir \S+, go`, `^$`},
		{"version now", command.Usage, `^$`, `^weir version: unexpected argument`},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(strings.Fields(tt.args), &stdout, &stderr); code != tt.code {
				t.Errorf("got exit code %d, want %d", code, tt.code)
			}
			for _, out := range []struct{ name, got, want string }{{"stdout", stdout.String(), tt.stdout}, {"stderr", stderr.String(), tt.stderr}} {
				if !regexp.MustCompile(out.want).MatchString(out.got) {
					t.Errorf("%s: got %q, want %s", out.name, out.got, out.want)
				}
			}
		})
	}
}

func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.modified", Value: "true"},
	}}
	if got := version(info); !strings.HasPrefix(got, "weir v1.2.3, go") || !strings.HasSuffix(got, ", commit 0123456789ab (modified)") {
		t.Errorf("got %q", got)
	}
	info.Settings[1].Value = "false"
	if got := version(info); !strings.HasSuffix(got, ", commit 0123456789ab") {
		t.Errorf("got %q", got)
	}
	if got := version(nil); !strings.HasPrefix(got, "weir (devel), go") || !strings.HasSuffix(got, ", commit unknown") {
		t.Errorf("got %q", got)
	}
}
