package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"weir/cmd/weir/internal/command"
)

// stamp is what the go tool cannot know about the source.
type stamp struct {
	commit   string // "" = nothing is known
	modified bool
}

var stamped stamp

// Stamp sets the commit of weir's source, and whether it was changed since.
// Call it before [Main] from a main outside of weir's repository: the go tool
// stamps a binary only with the commit of its main.
func Stamp(commit string, modified bool) { stamped = stamp{commit, modified} }

// printVersion prints what the binary was built from.
func printVersion(args []string, stdout, stderr io.Writer) int {
	fs := command.NewFlags("weir version")
	if code, done := command.Parse(fs, "Prints what this binary was built from.", args, stdout, stderr); done {
		return code
	}
	info, _ := debug.ReadBuildInfo() // nil when the binary was built without module support
	fmt.Fprintln(stdout, version(info, stamped))
	return command.OK
}

// built is the version and the commit, as metrics have them.
func built() (number, commit string) {
	info, _ := debug.ReadBuildInfo() // nil when the binary was built without module support
	number, source := origin(info, stamped)
	return number, source.commit
}

// version is one line: weir v0.1.0, go1.26.0 linux/amd64, commit 0123456789ab
// (modified).
func version(info *debug.BuildInfo, source stamp) string {
	number, source := origin(info, source)
	commit, modified := "unknown", ""
	if source.commit != "" {
		commit = source.commit[:min(12, len(source.commit))]
	}
	if source.modified {
		modified = " (modified)"
	}
	return fmt.Sprintf("weir %s, %s %s/%s, commit %s%s", number, runtime.Version(), runtime.GOOS, runtime.GOARCH, commit, modified)
}

// origin returns the version, and the commit unless source has it already.
func origin(info *debug.BuildInfo, source stamp) (number string, _ stamp) {
	if info == nil {
		return "(devel)", source
	}
	if source.commit == "" && info.Main.Path == "weir" {
		source = recorded(info)
	}
	return release(info), source
}

// release returns the version of the module weir, whose main this may not be.
func release(info *debug.BuildInfo) string {
	weir := &info.Main
	for _, m := range info.Deps {
		if m.Path == "weir" {
			weir = m
		}
	}
	if weir.Replace != nil {
		weir = weir.Replace
	}
	if weir.Version == "" {
		return "(devel)"
	}
	return weir.Version
}

// recorded returns what the go tool stamped the binary with.
func recorded(info *debug.BuildInfo) (s stamp) {
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			s.commit = setting.Value
		case "vcs.modified":
			s.modified = setting.Value == "true"
		}
	}
	return s
}
