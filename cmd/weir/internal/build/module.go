package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"os"
	"path/filepath"
	"strings"
)

// A module is one in a local folder.
type module struct {
	path      string
	folder    string // its root, absolute
	needs     string // the Go version it requires, as "go1.26"
	toolchain string // the one it is to be built with where that can be had; "" = any
	replaces  []replace
}

// A replace is a directive of a go.mod. A local target is absolute.
type replace struct {
	old, oldVersion string
	to, toVersion   string
	from            string // the go.mod that has it
}

// goMod is what `go mod edit -json` prints of a go.mod.
type goMod struct {
	Module    struct{ Path string }
	Go        string
	Toolchain string
	Replace   []struct {
		Old, New struct{ Path, Version string }
	}
}

// readModule reads the go.mod of a module's root.
func readModule(ctx context.Context, t *tool, root string) (*module, error) {
	file := filepath.Join(root, "go.mod")
	out, err := t.run(ctx, "mod", "edit", "-json", file)
	if err != nil {
		return nil, err
	}
	var mod goMod
	if err := json.Unmarshal([]byte(out), &mod); err != nil {
		return nil, fmt.Errorf("%s: the go tool's description: %w", file, err)
	}
	if mod.Module.Path == "" {
		return nil, fmt.Errorf("%s has no module line", file)
	}
	m := &module{path: mod.Module.Path, folder: root, needs: "go" + mod.Go, toolchain: mod.Toolchain}
	for _, r := range mod.Replace {
		to := r.New.Path
		if r.New.Version == "" && !filepath.IsAbs(to) {
			to = filepath.Join(root, to)
		}
		m.replaces = append(m.replaces, replace{r.Old.Path, r.Old.Version, to, r.New.Version, file})
	}
	return m, nil
}

// rootAbove returns the root of the module that holds the folder.
func rootAbove(folder string) (string, error) {
	for root := folder; ; {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return root, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		parent := filepath.Dir(root)
		if parent == root {
			return "", errors.New("neither it nor a folder above it has a go.mod: run go mod init there")
		}
		root = parent
	}
}

// holds reports whether the package may be the module's.
func (m *module) holds(path string) bool {
	return path == m.path || strings.HasPrefix(path, m.path+"/")
}

// pathOf is the import path of a folder below the module's root.
func (m *module) pathOf(folder string) (string, error) {
	below, err := filepath.Rel(m.folder, folder)
	if err != nil {
		return "", err
	}
	if below == "." {
		return m.path, nil
	}
	path := m.path + "/" + filepath.ToSlash(below)
	return path, checkPath(path)
}

// latest returns the newest Go version that one of the modules requires.
func latest(modules []*module) string {
	newest := ""
	for _, m := range modules {
		if version.Compare(m.needs, newest) > 0 {
			newest = m.needs
		}
	}
	return newest
}

// latestToolchain is the newest toolchain that one of the modules names; ""
// when that adds nothing to the Go version required.
func latestToolchain(modules []*module) string {
	newest := latest(modules)
	named := ""
	for _, m := range modules {
		if version.Compare(m.toolchain, newest) > 0 {
			newest, named = m.toolchain, m.toolchain
		}
	}
	return named
}

// replaces are those that the build needs: each module by its folder, then what
// their own go.mod files replace. Those of weir are the first.
func replaces(modules []*module) ([]replace, error) {
	type key struct{ path, version string }
	local := map[string]bool{}
	seen := map[key]replace{}
	var all []replace
	for _, m := range modules {
		local[m.path] = true
		all = append(all, replace{old: m.path, to: m.folder})
	}
	for _, m := range modules {
		for _, r := range m.replaces {
			first, taken := seen[key{r.old, r.oldVersion}]
			switch {
			case local[r.old]: // --with or --source has set it
			case !taken:
				seen[key{r.old, r.oldVersion}] = r
				all = append(all, r)
			case first.to != r.to || first.toVersion != r.toVersion:
				return nil, fmt.Errorf("%s replaces %s with %s, but %s with %s: they must agree", first.from, r.old, first.to, r.from, r.to)
			}
		}
	}
	return all, nil
}
