package build

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A pkg is a package to compile in, as --with names it.
type pkg struct {
	given   string // to name it in errors
	path    string // import path; "" until its folder's go.mod was read
	version string // "" = whichever the go tool takes
	folder  string // the package's or, with a path, one of its module's; "" = to be fetched
}

// packages is the flag --with, which may be given more than once.
type packages []pkg

// String is the packages, comma separated.
func (p *packages) String() string {
	given := make([]string, len(*p))
	for i := range *p {
		given[i] = (*p)[i].given
	}
	return strings.Join(given, ",")
}

// Set adds a package, unless it was added before.
func (p *packages) Set(given string) error {
	one, err := parse(given)
	if err != nil {
		return err
	}
	if !slices.Contains(*p, one) {
		*p = append(*p, one)
	}
	return nil
}

// parse reads
//
//	with = folder / path [ "@" version ] / path "=" folder
//
// where a folder that stands alone begins with ".", ".." or "/" as a segment.
func parse(given string) (pkg, error) {
	if given == "" {
		return pkg{}, errors.New("empty path")
	}
	if isFolder(given) {
		return pkg{given: given, folder: given}, nil
	}
	path, folder, replaced := strings.Cut(given, "=")
	path, version, versioned := strings.Cut(path, "@")
	switch {
	case replaced && folder == "":
		return pkg{}, errors.New("no folder behind the =")
	case replaced && versioned:
		return pkg{}, errors.New("a version and a folder exclude each other")
	case versioned && !isVersion(version):
		return pkg{}, fmt.Errorf("%q is not a version", version)
	}
	if err := checkPath(path); err != nil {
		return pkg{}, err
	}
	if !replaced && !isHosted(path) {
		return pkg{}, notHosted(path)
	}
	return pkg{given, path, version, folder}, nil
}

// isFolder distinguishes a folder from an import path as the go command does.
func isFolder(path string) bool {
	return path == "." || path == ".." ||
		strings.HasPrefix(path, "./") || strings.HasPrefix(path, "../") || strings.HasPrefix(path, "/")
}

// checkPath refuses what is not an import path. The go tool reports what else
// may be wrong with it.
func checkPath(path string) error {
	for seg := range strings.SplitSeq(path, "/") {
		if seg == "" || seg[0] == '-' || seg[0] == '.' || strings.ContainsFunc(seg, isOdd) {
			return fmt.Errorf("%q is not an import path", path)
		}
	}
	return nil
}

// isOdd reports whether r is a character that an import path does not have.
func isOdd(c rune) bool {
	return !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.ContainsRune("-._~+", c))
}

// isVersion reports whether the go command may accept it as a version, a branch
// or a commit. With "none" it would remove the package.
func isVersion(v string) bool {
	return v != "" && v != "none" && v[0] != '-' && !strings.ContainsFunc(v, func(c rune) bool { return isOdd(c) && c != '/' })
}

// isHosted reports whether the path can be fetched, or is in weir's own module.
func isHosted(path string) bool {
	host, _, _ := strings.Cut(path, "/")
	return strings.Contains(host, ".") || host == weirPath
}

func notHosted(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder, not an import path: write ./%s", path, path)
	}
	return fmt.Errorf("%s cannot be fetched, its first part is not a host: write %s=FOLDER, or a folder as ./FOLDER", path, path)
}
