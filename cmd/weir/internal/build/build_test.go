package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// realTool skips where there is no time for the go tool, and keeps it from the
// network: all that is built here is local, or a dependency of weir.
func realTool(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the go tool")
	}
	temporaries(t)
	t.Setenv("GOPROXY", "off")
}

var example = checkout + "/examples/handler"

// output runs a binary that was built.
func output(t *testing.T, path, arg string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), path, arg).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", path, arg, err, out)
	}
	return string(out)
}

// onlyFrom is standard error when all is well.
var onlyFrom = `^` + quoted("weir build: building from "+checkout) + `\n$`

const exampleHandlers = `(?m)^text/chunks +stream +10000 +\S.*\ntext/count +unary +1000 +\S`

// The example, in each of the ways to name it, in one call and once.
func TestExample(t *testing.T) {
	realTool(t)
	t.Chdir(checkout + "/examples")
	out := filepath.Join(t.TempDir(), "weir")
	r := try(t, "--with", "./handler", "--with", example, "--with", "example.com/handler=handler", "-o", out)
	r.want(t, 0, onlyFrom)
	if want := `^weir build: wrote ` + quoted(out) + `; its packages register:\n  text/chunks +stream .*\n  text/count +unary .*\n$`; !regexp.MustCompile(want).MatchString(r.stdout) {
		t.Errorf("got on stdout %q, want %s", r.stdout, want)
	}
	if got := output(t, out, "handlers"); !regexp.MustCompile(exampleHandlers).MatchString(got) || !strings.Contains(got, "demo/babble ") {
		t.Errorf("got the handlers %q, want the example's beside weir's own", got)
	}
	if commit := readStamp(t.Context(), checkout).commit; commit != "" && !strings.Contains(output(t, out, "version"), "commit "+commit[:12]) {
		t.Errorf("got %q, want the commit %s", output(t, out, "version"), commit)
	}
	checkServes(t, out)
}

const registers = `import "weir/plugin"; func init() { plugin.Register(%, plugin.Handler{Doc: "tests", Unary: func(plugin.Call, plugin.Reply) error { return nil }}) }`

// ownModule is a module example.com/h/v2 with what may be right and wrong with a
// package, and a library that its go.mod replaces.
func ownModule(t *testing.T) string {
	t.Helper()
	registers := func(name string) string { return strings.Replace(registers, "%", name, 1) }
	return write(t, map[string]string{
		"my h/go.mod":          "module example.com/h/v2\n\ngo 1.26\n\nrequire (\n\tweir v0.0.0\n\texample.com/lib v0.0.0\n)\n\nreplace (\n\tweir => " + checkout + "\n\texample.com/lib => ../lib\n)\n",
		"lib/go.mod":           "module example.com/lib\n\ngo 1.26\n",
		"lib/lib.go":           "package lib\n\nconst Name = \"lib/name\"\n",
		"my h/good/good.go":    "package good\n\nimport \"fmt\"\nimport \"example.com/lib\"\n" + registers("lib.Name") + "\nfunc init() { fmt.Println(\"lib/name is noisy\") }\n",
		"my h/twin/twin.go":    "package twin\n" + registers(`"lib/name"`),
		"my h/theirs/x.go":     "package theirs\n" + registers(`"demo/babble"`),
		"my h/silent/x.go":     "package silent\n",
		"my h/broken/x.go":     "package broken\n\nfunc f() int { return x }\n\nvar y = z\n",
		"my h/program/x.go":    "package main\n\nfunc main() {}\n",
		"my h/internal/x/x.go": "package x\n",
		"my h/panics/x.go":     "package panics\n\nfunc init() { panic(\"no model\") }\n",
		"my h/exits/x.go":      "package exits\n\nimport \"os\"\n\nfunc init() { os.Exit(0) }\n",
		"my h/fails/x.go":      "package fails\n\nimport \"log\"\n\nfunc init() { log.SetFlags(0); log.Fatal(\"no device\") }\n",
		"my h/hangs/x.go":      "package hangs\n\nfunc init() { select {} }\n",
		"my h/malformed/x.go":  "package malformed\n" + registers(`"a//b"`),
		"my h/empty/readme":    "",
		"new/go.mod":           "module example.com/new\n\ngo 1.99\n",
		"torn/go.mod":          "module example.com/torn\n\nrequire (\n",
		"nameless/go.mod":      "go 1.26\n",
		"other weir/go.mod":    "module weir\n",
		"twice/go.mod":         "module example.com/h/v2\n",
		"none/x.go":            "package none\n",
	})
}

// A module's major version, its own replacements, a folder with a space and a
// package that prints are no obstacles.
func TestOwnModule(t *testing.T) {
	realTool(t)
	t.Chdir(ownModule(t))
	r := try(t, "--with", "./my h/good", "--source", checkout, "-o", "w")
	r.want(t, 0, onlyFrom)
	if want := "weir build: wrote w; its packages register:\n  lib/name     unary   1000    tests\n"; r.stdout != want {
		t.Errorf("got on stdout %q, want %q", r.stdout, want)
	}
}

// What is wrong is said, with the name of the package, and nothing is left.
func TestProblems(t *testing.T) {
	realTool(t)
	t.Setenv("GOTOOLCHAIN", "local")
	t.Chdir(ownModule(t))
	tests := []struct {
		name   string
		with   []string
		code   int
		stderr string
	}{
		{"registers nothing", []string{"./my h/silent"}, 1, quoted("example.com/h/v2/silent: registers no handler")},
		{"one of two registers nothing", []string{"./my h/good", "./my h/silent"}, 1, quoted("example.com/h/v2/silent: registers no handler")},
		{"a name twice", []string{"./my h/good", "./my h/twin"}, 1, `weir with these packages fails when it is initialised: plugin: register "lib/name" at example.com/h/v2/twin/twin.go:2: already registered at example.com/h/v2/good/good.go:5\n`},
		{"a name of weir's", []string{"./my h/theirs"}, 1, `weir with these packages fails when it is initialised: plugin: register "demo/babble" at .* already registered at `},
		{"a malformed name", []string{"./my h/malformed"}, 1, `h/v2/malformed: fails when it is initialised: plugin: register "a//b" at .*: malformed name`},
		{"does not compile", []string{"./my h/broken"}, 1, quoted("the go tool fails:\n# example.com/h/v2/broken\nmy h/broken/x.go:3:23: undefined: x\nmy h/broken/x.go:5:9: undefined: z\n") + `$`},
		{"a program", []string{"./my h/program"}, 1, `import "example.com/h/v2/program" is a program, not an importable package\n$`},
		{"internal", []string{"./my h/internal/x"}, 1, `use of internal package example.com/h/v2/internal/x not allowed\n$`},
		{"no Go files", []string{"./my h/empty"}, 1, `^weir build: module example.com/h/v2.* does not contain package example.com/h/v2/empty\n$`},
		{"panics", []string{"./my h/panics"}, 1, quoted("h/v2/panics: fails when it is initialised: no model\n")},
		{"fails", []string{"./my h/fails"}, 1, quoted("h/v2/fails: fails when it is initialised: no device\n")},
		{"exits", []string{"./my h/exits"}, 1, quoted("h/v2/exits: ends the process when it is initialised\n")},
		{"hangs", []string{"./my h/hangs"}, 1, quoted("h/v2/hangs: fails when it is initialised: all goroutines are asleep - deadlock!\n")},
		{"no such folder", []string{"./nowhere"}, 1, quoted("--with ./nowhere: lstat nowhere: no such file or directory\n")},
		{"a file", []string{"./none/x.go"}, 1, quoted("--with ./none/x.go: ./none/x.go is not a folder\n")},
		{"no go.mod", []string{"./none"}, 1, quoted("--with ./none: neither it nor a folder above it has a go.mod: run go mod init there\n")},
		{"a torn go.mod", []string{"./torn"}, 1, `--with ./torn: .*go.mod:\d+: syntax error`},
		{"a nameless go.mod", []string{"./nameless"}, 1, `--with ./nameless: .*/nameless/go.mod has no module line\n`},
		{"another module's folder", []string{"example.com/other=./my h"}, 1, quoted("--with example.com/other=./my h: the folder is of the module example.com/h/v2, which cannot have that package\n")},
		{"a module in two folders", []string{"./my h/good", "./twice"}, 1, `--with ./twice: the module example.com/h/v2 is in \S+/my h already\n`},
		{"another weir", []string{"./other weir"}, 1, `a package of weir's own in .*/other weir, but its source is `},
		{"Go is too old", []string{"./new"}, 1, `go1.99 is needed: .*go.mod requires go >= 1.99|is go1.*, but example.com/new needs go1.99: install that`},
		{"cannot be fetched", []string{"example.com/h/nowhere@v1.2.3"}, 1, `^weir build: .*example.com/h/nowhere@v1.2.3: module lookup disabled by GOPROXY=off\n`},
		{"weir's, but not there", []string{"weir/nothing"}, 1, `package weir/nothing is not in std`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"-o", "out", "--source", checkout}
			for _, one := range tt.with {
				args = append(args, "--with", one)
			}
			try(t, args...).want(t, tt.code, `(?s)^weir build: .*`+strings.TrimPrefix(tt.stderr, `^weir build: `))
			if _, err := os.Stat("out"); !os.IsNotExist(err) {
				t.Errorf("got %v, want no file out", err)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	temporaries(t)
	folder := write(t, map[string]string{"sub/x": ""})
	t.Chdir(folder)
	tests := []struct {
		args   []string
		code   int
		stderr string
	}{
		{nil, 2, "^weir build: --with is missing: name a package to compile in\nRun 'weir build --help' for its usage.\n$"},
		{[]string{"--with", "./x", "-o", ""}, 2, "^weir build: -o is empty"},
		{[]string{"--with", "a/b"}, 2, `^weir build: invalid value "a/b" for flag -with: a/b cannot be fetched`},
		{[]string{"--with", "./x", "now"}, 2, `^weir build: unexpected argument "now"`},
		{[]string{"--with", "./x", "-o", "sub"}, 1, "^weir build: -o: sub is a folder: name the file in it\n$"},
		{[]string{"--with", "./x", "-o", "nowhere/w"}, 1, "^weir build: -o: cannot write beside nowhere/w: "},
	}
	for _, tt := range tests {
		r := try(t, tt.args...)
		r.want(t, tt.code, tt.stderr)
		if r.stdout != "" {
			t.Errorf("%q: got %q on stdout", tt.args, r.stdout)
		}
	}
	r := try(t, "--help")
	r.want(t, 0, `^$`)
	if want := `^usage: weir build \[flags\]\n(.|\n)*  --with PATH\[=FOLDER\] `; !regexp.MustCompile(want).MatchString(r.stdout) || !strings.Contains(r.stdout, "\n  -o FILE ") {
		t.Errorf("got the help %q, want %s", r.stdout, want)
	}
}

// fakeGo puts a go command into PATH that does what the script says.
func fakeGo(t *testing.T, script string) {
	t.Helper()
	folder := write(t, map[string]string{"go": "#!/bin/sh\n" + script})
	if err := os.Chmod(folder+"/go", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":/usr/bin:/bin")
}

func TestToolMissing(t *testing.T) {
	temporaries(t)
	t.Setenv("PATH", t.TempDir())
	try(t, "--with", "example.com/h", "-o", t.TempDir()+"/w").want(t, 1, `^weir build: cannot find the go command: install Go from https://go.dev/dl/ and put it into PATH\n$`)
}

// A go command from before go.mod could ask for another is not asked to build.
func TestToolTooOld(t *testing.T) {
	temporaries(t)
	fakeGo(t, `case "$*" in
"env GOVERSION") echo go1.20.14;;
env*) echo '{"GOOS":"linux"}';;
mod*) echo '{"Module":{"Path":"weir"},"Go":"1.26"}';;
*) echo "unexpected: $*" >&2; exit 1;;
esac`)
	try(t, "--with", "example.com/h", "-o", t.TempDir()+"/w").want(t, 1, `(?m)^weir build: \S+/go is go1.20.14, but weir needs go1.26: install that, or let GOTOOLCHAIN fetch it\n$`)
}

func TestToolIsNone(t *testing.T) {
	temporaries(t)
	for script, want := range map[string]string{
		"exit 3":                  `/go: exit status 3, without output`,
		"echo hello":              `/go is not a go command: its settings: invalid character`,
		"echo no such >&2; false": `^weir build: no such\n$`,
	} {
		fakeGo(t, script)
		try(t, "--with", "example.com/h", "-o", t.TempDir()+"/w").want(t, 1, want)
	}
}

// For another machine it is built, and not run.
func TestForeign(t *testing.T) {
	realTool(t)
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	fakeGo(t, `case "$*" in
"env -json"*) echo '{"GOOS":"plan9","GOARCH":"mips","GOHOSTOS":"linux","GOHOSTARCH":"mips"}';;
*) exec '`+real+`' "$@";;
esac`)
	t.Chdir(t.TempDir())
	r := try(t, "--with", example, "--source", checkout)
	r.want(t, 0, onlyFrom)
	if want := "weir build: wrote weir for plan9/mips; what its packages register cannot be listed here\n"; r.stdout != want {
		t.Errorf("got on stdout %q, want %q", r.stdout, want)
	}
	if _, err := os.Stat("weir"); err != nil {
		t.Error(err)
	}
}

// With --keep the module stays, to be looked into and to be built by hand.
func TestKeep(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go tool")
	}
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("GOPROXY", "off")
	t.Chdir(ownModule(t))
	r := try(t, "--with", "./my h/silent", "--keep", "-o", "w", "--source", checkout)
	r.want(t, 1, `registers no handler`)
	kept := regexp.MustCompile(`(?m)^weir build: kept (\S+)$`).FindStringSubmatch(r.stderr)
	if kept == nil {
		t.Fatalf("got on stderr %q, want the folder", r.stderr)
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-mod=mod", "-f", "{{.Name}} {{.Imports}}", "./weir")
	list.Dir = kept[1]
	if out, err := list.Output(); err != nil || string(out) != "main [example.com/h/v2/silent os weir/cmd/weir/cli]\n" {
		t.Errorf("got %q, %v from what was kept, want a main with the package", out, err)
	}
}
