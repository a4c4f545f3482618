package cli

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

func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }

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
		{"help nothing", command.Usage, `^$`, `^weir: unknown subcommand "nothing"\nRun 'weir --help'`},
		{"help tour demo", command.Usage, `^$`, `^weir: help takes the name of one subcommand\n`},
		{"nothing", command.Usage, `^$`, `^weir: unknown subcommand "nothing"\nRun 'weir --help' for its usage\.\n$`},
		{"tour --help", command.OK, `^usage: weir tour`, `^$`},
		{"tour now", command.Usage, `^$`, `^weir tour: unexpected argument "now"\nRun 'weir tour --help'`},
		{"tour --speed 5", command.Usage, `^$`, `^weir tour: flag provided but not defined: -speed\n`},
		{"tour --idle 0s", command.Usage, `^$`, `^weir tour: invalid value "0s" for flag -idle: must be more than zero\n`},
		{"tour --idle 5", command.Usage, `^$`, `-idle: want a duration such as "500ms"`},
		{"tour --loops -1", command.Usage, `^$`, `-loops: want a number from 0 to 1024\n`},
		{"tour --high 1", command.Usage, `^$`, `-high: want a number from 1024 to 1073741824\n`},
		{"tour --listen nowhere", command.Failure, `^$`, `cannot start.*nowhere`},
		{"tour --pprof nowhere", command.Failure, `^$`, `cannot serve profiles.*--pprof.*nowhere`},
		{"build", command.Usage, `^$`, `^weir build: --with is missing`},
		{"help build", command.OK, `^usage: weir build \[flags\]\n(.|\n)*  -o FILE `, `^$`},
		{"patch", command.Usage, `^$`, `^weir patch: --model NAME is missing\nRun 'weir patch --help'`},
		{"help patch", command.OK, `^usage: weir patch \[flags\]\n(.|\n)*--model NAME`, `^$`},
		{"handlers", command.OK, `(?m)^tour/tokens +stream +100000 +\S`, `^$`},
		{"handlers --so nowhere.so", command.Usage, `^$`, `^weir handlers: --so: cabi: load nowhere\.so: .*no such file`},
		{"handlers --so cli.go", command.Usage, `^$`, `^weir handlers: --so: cabi: load cli\.go: .*shared object`},
		{"handlers now", command.Usage, `^$`, `^weir handlers: unexpected argument`},
		{"version", command.OK, `^weir \S+, go\S+ \w+/\w+, commit \w+( \(modified\))?\n$`, `^$`},
		{"--version", command.OK, `^weir \S+, go`, `^$`},
		{"version now", command.Usage, `^$`, `^weir version: unexpected argument`},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := Main(strings.Fields(tt.args), &stdout, &stderr); code != tt.code {
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
	settings := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.modified", Value: "true"}}
	clean := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.modified", Value: "false"}}
	own := debug.Module{Path: "weir", Version: "v1.2.3"}
	other := debug.Module{Path: "weirbuild", Version: "(devel)"}
	local := &debug.Module{Path: "weir", Version: "v0.0.0", Replace: &debug.Module{Path: "/src/weir", Version: "(devel)"}}
	tests := []struct {
		name          string
		info          *debug.BuildInfo
		source        stamp
		number, after string
	}{
		{"changed since the commit", &debug.BuildInfo{Main: own, Settings: settings}, stamp{}, "v1.2.3", "0123456789ab (modified)"},
		{"as committed", &debug.BuildInfo{Main: own, Settings: clean}, stamp{}, "v1.2.3", "0123456789ab"},
		{"not stamped", &debug.BuildInfo{Main: debug.Module{Path: "weir"}}, stamp{}, "(devel)", "unknown"},
		{"without modules", nil, stamp{}, "(devel)", "unknown"},
		{"main of another module, local weir", &debug.BuildInfo{Main: other, Deps: []*debug.Module{local}, Settings: settings}, stamp{}, "(devel)", "unknown"},
		{"main of another module, fetched weir", &debug.BuildInfo{Main: other, Deps: []*debug.Module{&own}}, stamp{}, "v1.2.3", "unknown"},
		{"weir build", &debug.BuildInfo{Main: other, Deps: []*debug.Module{local}}, stamp{"fedcba98765432", true}, "(devel)", "fedcba987654 (modified)"},
	}
	for _, tt := range tests {
		got := version(tt.info, tt.source)
		if !strings.HasPrefix(got, "weir "+tt.number+", go") || !strings.HasSuffix(got, ", commit "+tt.after) {
			t.Errorf("%s: got %q, want %s and commit %s", tt.name, got, tt.number, tt.after)
		}
	}
}
