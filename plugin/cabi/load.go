//go:build cgo && unix

package cabi

// #cgo CFLAGS: -std=c11 -Wall -Wextra
// #cgo linux LDFLAGS: -ldl
// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"weir/plugin"
)

// Load loads the shared object at path, a file and never a name that the system would search for, and registers its
// handlers; names are theirs, in the plugin's order. Any goroutine may call it.
//
// It fails, saying what to do, for what is no shared object, or no plugin, or one for another version of the C ABI, or
// one that is loaded already, and for names that are malformed or taken. Handlers that were registered before
// the one that failed stay so, and are in names.
//
// A library is never unloaded, not even when Load fails: the code of its constructors has run, and its threads may.
func Load(path string) (names []string, err error) {
	loading.Lock()
	defer loading.Unlock()
	if names, err = load(path); err != nil {
		return names, fmt.Errorf("cabi: load %s: %w", path, err)
	}
	return names, nil
}

var (
	loading sync.Mutex
	loaded  = map[unsafe.Pointer]bool{} // by what dlopen gave, which is the same for the same file
)

func load(path string) ([]string, error) {
	library, err := open(path)
	if err != nil {
		return nil, err
	}
	if loaded[library] {
		return nil, errors.New("it is loaded already")
	}
	handlers, err := start(library)
	if err != nil {
		return nil, err
	}
	return register(handlers)
}

func open(path string) (unsafe.Pointer, error) {
	path, err := filepath.Abs(path) // without a slash, dlopen would search for it
	if err != nil {
		return nil, err
	}
	if err := checkFile(path); err != nil {
		return nil, err
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var why [1024]C.char
	library := C.weir_open(name, &why[0], C.size_t(len(why)))
	if library == nil {
		return nil, refusal(path, C.GoString(&why[0]))
	}
	return library, nil
}

func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("no such file: give the path of the shared object that was built")
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("a directory: give the path of the shared object in it")
	case !info.Mode().IsRegular():
		return fmt.Errorf("not a regular file but %v: give the path of a shared object", info.Mode().Type())
	}
	f, err := os.Open(path) // dlopen would say the same, but not as clearly
	if err != nil {
		return err
	}
	return f.Close()
}

// refusal says what to do about what the dynamic linker says. Its words differ between systems; glibc's are known.
func refusal(path, why string) error {
	switch {
	case strings.Contains(why, "undefined symbol"):
		return fmt.Errorf("a symbol is missing: link the plugin with the library that has it (%s)", why)
	case strings.Contains(why, "cannot open shared object file") && !strings.HasPrefix(why, path+":"):
		return fmt.Errorf("a library it needs is missing: install it, or link with an rpath; ldd lists them (%s)", why)
	}
	return fmt.Errorf("not a shared object that this system loads: build it for this system with -shared -fPIC (%s)", why)
}

// start makes acquaintance with a library that has been opened.
func start(library unsafe.Pointer) ([]*handler, error) {
	abi, err := symbol(library, "weir_plugin_abi")
	if err != nil {
		return nil, err
	}
	if got := C.weir_run_abi(abi); got != C.WEIR_PLUGIN_ABI {
		return nil, fmt.Errorf("it was built for version %d of the C ABI, this weir has %d: build it with this weir's weir_plugin.h", uint32(got), C.WEIR_PLUGIN_ABI)
	}
	prepare, err := symbol(library, "weir_plugin_init")
	if err != nil {
		return nil, err
	}
	list, err := symbol(library, "weir_plugin_handlers")
	if err != nil {
		return nil, err
	}
	loaded[library] = true // whatever comes now, what init did is done
	if code := C.weir_run_init(prepare); code != C.WEIR_OK {
		return nil, fmt.Errorf("weir_plugin_init returned %d: the plugin could not get ready, and may have said why on standard error", int32(code))
	}
	return enumerate(list)
}

func symbol(library unsafe.Pointer, name string) (unsafe.Pointer, error) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	f := C.weir_symbol(library, c)
	if f == nil {
		return nil, fmt.Errorf("it has no function %s: it is no weir plugin, or the function is not exported (WEIR_PLUGIN_EXPORT, extern \"C\")", name)
	}
	return f, nil
}

// maxHandlers is more than any library has; a number above it was never set.
const maxHandlers = 10_000

func enumerate(list unsafe.Pointer) ([]*handler, error) {
	var n C.size_t
	first := C.weir_run_handlers(list, &n)
	if first == nil || n == 0 {
		return nil, errors.New("weir_plugin_handlers gives no handlers: set *n, and return the first")
	}
	if n > maxHandlers {
		return nil, fmt.Errorf("weir_plugin_handlers gives %d handlers, at most %d are believed", uint64(n), maxHandlers)
	}
	var handlers []*handler
	for c := first; len(handlers) < int(n); c = C.weir_next(c) {
		h := &handler{c: c}
		if err := h.check(); err != nil {
			return nil, fmt.Errorf("handler %d of %d: %w", len(handlers)+1, int(n), err)
		}
		h.name = C.GoString(c.name)
		handlers = append(handlers, h)
	}
	return handlers, nil
}

func register(handlers []*handler) (names []string, err error) {
	for _, h := range handlers {
		if err := registerOne(h); err != nil {
			return names, err
		}
		names = append(names, h.name)
	}
	return names, nil
}

// registerOne registers, and returns what Register panics with.
func registerOne(h *handler) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%v", v)
		}
	}()
	plugin.Register(h.name, h.registration())
	return nil
}
