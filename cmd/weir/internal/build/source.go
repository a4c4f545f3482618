package build

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// weirPath is the path of weir's own module.
const weirPath = "weir"

// entrance is the folder of the package that a built main calls.
const entrance = "cmd/weir/cli"

// findSource returns the folder of weir's source: the given one, or the first
// that is found of a checkout that holds the current folder or this binary,
// that this binary was built from, or that is among others.
func findSource(given string, others []string) (string, error) {
	if given != "" {
		return checkSource(given)
	}
	for _, place := range append(places(), others...) {
		if root, ok := checkoutAbove(place); ok {
			return root, nil
		}
	}
	return "", &usageError{"cannot find weir's source: name its folder with --source"}
}

func checkSource(given string) (string, error) {
	folder, err := real(given)
	if err != nil {
		return "", fmt.Errorf("--source: %w", err)
	}
	switch path := modulePath(folder); {
	case path == "":
		return "", fmt.Errorf("--source: %s has no go.mod: want the root of a checkout of weir", given)
	case path != weirPath:
		return "", fmt.Errorf("--source: %s is the module %s, want weir", given, path)
	case !isCheckout(folder):
		return "", fmt.Errorf("--source: %s has no %s: this weir is too old to be built with packages", given, entrance)
	}
	return folder, nil
}

// places are where a checkout may be, or be above of. Some of them may not
// exist any more.
func places() []string {
	var places []string
	if current, err := os.Getwd(); err == nil {
		places = append(places, current)
	}
	if binary, err := os.Executable(); err == nil {
		if binary, err = filepath.EvalSymlinks(binary); err == nil {
			places = append(places, filepath.Dir(binary))
		}
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) { // not so with -trimpath
		places = append(places, filepath.Dir(file))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		places = append(places, replacement(info)...)
	}
	return places
}

// replacement returns the folder from which a binary of weir build has weir.
func replacement(info *debug.BuildInfo) []string {
	for _, m := range info.Deps {
		if m.Path == weirPath && m.Replace != nil && filepath.IsAbs(m.Replace.Path) {
			return []string{m.Replace.Path}
		}
	}
	return nil
}

// checkoutAbove looks in the folder and those above it, past other modules: a
// module under weir's examples is within the checkout.
func checkoutAbove(folder string) (string, bool) {
	for {
		if isCheckout(folder) {
			return folder, true
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", false
		}
		folder = parent
	}
}

func isCheckout(folder string) bool {
	info, err := os.Stat(filepath.Join(folder, entrance))
	return err == nil && info.IsDir() && modulePath(folder) == weirPath
}

// modulePath returns the path in the module line of the folder's go.mod; "" if
// there is none. It parses as much of the format as is needed to recognise
// weir.
func modulePath(folder string) string {
	file, err := os.Open(filepath.Join(folder, "go.mod"))
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) >= 2 && words[0] == "module" {
			return strings.Trim(words[1], "\"`")
		}
	}
	return ""
}

// real is the absolute path of a folder that exists, without links.
func real(folder string) (string, error) {
	path, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is not a folder", folder)
	}
	return filepath.Abs(path)
}
