package serve

import (
	"fmt"
	"os"
	"slices"

	"weir/cmd/weir/internal/command"
	"weir/cmd/weir/internal/config"
	"weir/plugin"
	"weir/plugin/cabi"
)

// libraries are the shared libraries that this process has loaded, for native
// handlers. None is ever unloaded: its threads may run. It is not safe for
// concurrent use.
type libraries struct {
	flags command.Files // of --so
	all   []library
}

type library struct {
	path  string
	file  os.FileInfo
	names []string // of its handlers
}

// find returns the library of that path, or that file.
func (l *libraries) find(path string) *library {
	for i := range l.all {
		if l.all[i].path == path {
			return &l.all[i]
		}
	}
	file, err := os.Stat(path)
	for i := range l.all {
		if err == nil && os.SameFile(l.all[i].file, file) {
			return &l.all[i]
		}
	}
	return nil
}

// load loads a library that is not loaded yet.
func (l *libraries) load(path string) error {
	if l.find(path) != nil {
		return nil
	}
	names, err := cabi.Load(path)
	if err != nil {
		return err
	}
	file, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%s disappeared after it was loaded: %w", path, err)
	}
	l.all = append(l.all, library{path, file, names})
	return nil
}

// look loads what a configuration names, and checks that every native handler
// that it names exists.
func (l *libraries) look(cfg *config.Config) (problems config.Problems) {
	for i, native := range cfg.Native {
		if err := l.load(native.SO); err != nil {
			problems = append(problems, config.Problem{Pointer: soPointer(i), Message: err.Error()})
		}
	}
	if problems != nil {
		return problems // whose handlers would only be reported as missing
	}
	names := l.handlers(cfg)
	return cfg.CheckNative(names, slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		h, _ := plugin.Lookup(name) // it was listed, and none is ever removed
		return h.WebSocket == nil
	}))
}

func soPointer(i int) string { return fmt.Sprintf("/native/%d/so", i) }

// handlers names the native handlers that a start with the configuration would
// have: not those of libraries that it no longer names.
func (l *libraries) handlers(cfg *config.Config) []string {
	var wanted []*library
	for _, path := range l.flags {
		wanted = append(wanted, l.find(path))
	}
	for _, native := range cfg.Native {
		wanted = append(wanted, l.find(native.SO))
	}
	return slices.DeleteFunc(plugin.Names(), func(name string) bool {
		for i := range l.all {
			if lib := &l.all[i]; slices.Contains(lib.names, name) {
				return !slices.Contains(wanted, lib)
			}
		}
		return false // compiled in
	})
}

// replaced returns the pointers of the libraries whose files have been replaced
// since they were loaded.
func (l *libraries) replaced(cfg *config.Config) (pointers []string) {
	for i, native := range cfg.Native {
		lib := l.find(native.SO)
		now, err := os.Stat(native.SO)
		if lib != nil && err == nil && (!os.SameFile(lib.file, now) || !lib.file.ModTime().Equal(now.ModTime())) {
			pointers = append(pointers, soPointer(i))
		}
	}
	return pointers
}
