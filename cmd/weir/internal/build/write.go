package build

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// temporary makes the folder in which all is built.
func temporary() (string, error) {
	folder, err := os.MkdirTemp("", "weir-build-")
	if err != nil {
		return "", fmt.Errorf("cannot make a temporary folder: %w", err)
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return "", err
	}
	return folder, os.Mkdir(filepath.Join(folder, "work"), 0o700)
}

// removeAll removes the temporary folder. With GOFLAGS=-modcacherw or not, the
// go tool puts nothing there that its owner could not remove.
func removeAll(folder string) { _ = os.RemoveAll(folder) } // it is temporary: the system cleans up there

// write writes the module: go.mod, go.sum, weir's main and the probes.
func (p *plan) write(folder string) error {
	mod, err := p.goMod()
	if err != nil {
		return err
	}
	sum, err := p.goSum()
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"go.mod":       mod,
		"go.sum":       sum,
		"weir/main.go": p.main(),
	}
	for i, one := range p.pkgs {
		files[probeOf(i)+"/main.go"] = probe(one.path)
	}
	for name, text := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// buildPath is the path of the temporary module.
const buildPath = "weirbuild"

// goMod replaces the modules that are in folders. The go tool finds what to
// require: it looks into the replacements first, then at GOPROXY.
func (p *plan) goMod() ([]byte, error) {
	all, err := replaces(p.modules)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "module %s\n\ngo %s\n\n", buildPath, strings.TrimPrefix(latest(p.modules), "go"))
	if name := latestToolchain(p.modules); name != "" { // only that of the main module counts
		fmt.Fprintf(&b, "toolchain %s\n\n", name)
	}
	for _, r := range all {
		fmt.Fprintf(&b, "replace %s => %s\n", versioned(r.old, r.oldVersion), versioned(strconv.Quote(r.to), r.toVersion))
	}
	return b.Bytes(), nil
}

func versioned(path, version string) string {
	if version == "" {
		return path
	}
	return path + " " + version
}

// goSum joins the checksums of the modules in folders, so that the go tool need
// not ask a server about the dependencies they already have.
func (p *plan) goSum() ([]byte, error) {
	var all []byte
	for _, m := range p.modules {
		sum, err := os.ReadFile(filepath.Join(m.folder, "go.sum"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it depends on nothing
		}
		if err != nil {
			return nil, err
		}
		all = append(append(all, sum...), '\n')
	}
	return all, nil
}

// main is weir's, with the packages.
func (p *plan) main() []byte {
	var b bytes.Buffer
	b.WriteString("// Command weir, as weir build made it.\npackage main\n\nimport (\n\t\"os\"\n\n")
	fmt.Fprintf(&b, "\t%q\n\n", weirPath+"/"+entrance)
	for _, one := range p.pkgs {
		fmt.Fprintf(&b, "\t_ %q\n", one.path)
	}
	b.WriteString(")\n\nfunc main() {\n")
	if p.stamp.commit != "" {
		fmt.Fprintf(&b, "\tcli.Stamp(%q, %t)\n", p.stamp.commit, p.stamp.modified)
	}
	b.WriteString("\tos.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))\n}\n")
	return b.Bytes()
}

// probeOf is the name of the package of the i-th probe, and of its binary.
func probeOf(i int) string { return "probe" + strconv.Itoa(i) }

// probe is a main that reports what one package registers. It writes it to a
// file, since the package may print.
func probe(path string) []byte {
	return fmt.Appendf(nil, `// A probe writes the names of the handlers that one package registers.
package main

import (
	"os"
	"strings"

	"weir/plugin"

	_ %q
)

func main() {
	names := strings.Join(plugin.Names(), "\n")
	if err := os.WriteFile(os.Args[1], []byte(names), 0o600); err != nil {
		panic(err)
	}
}
`, path)
}
