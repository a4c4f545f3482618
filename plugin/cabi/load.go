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

// Load loads the shared object at path, a file and never a name that the system
// would search for, and registers its handlers; names are theirs, in the
// plugin's order. It is safe for concurrent use.
//
// It returns an error that describes what to change if the file is not a shared
// object, not a plugin, for another version of the C ABI, or already loaded,
// and if names are malformed or taken. Then none of its handlers is registered.
//
// A library is never unloaded, not even when Load fails: the code of its
// constructors has run, and its threads may. Nor is it started twice: what
// failed once fails again. A fixed file is another library if it replaced the
// old one by renaming.
func Load(path string) (names []string, err error) {
	loading.Lock()
	defer loading.Unlock()
	if names, err = load(path); err != nil {
		failures[path]++
		return nil, fmt.Errorf("cabi: load %s: %w", path, err)
	}
	return names, nil
}

// These are guarded by loading.
var (
	loading  sync.Mutex
	started  = map[unsafe.Pointer]*library{} // by what dlopen returned, which is the same for the same file
	failures = map[string]int{}              // by path
)

// A library is one whose weir_plugin_init has run.
type library struct {
	handlers   []plugin.Named
	err        error // why it has none
	registered bool
}

func load(path string) ([]string, error) {
	at, err := open(path)
	if err != nil {
		return nil, err
	}
	l, again := started[at], true
	if l == nil {
		if l, err = start(at); err != nil {
			return nil, err
		}
		started[at], again = l, false
	}
	switch {
	case l.registered:
		return nil, errors.New("it is loaded already")
	case l.err != nil && again:
		return nil, fmt.Errorf("it is loaded already, and failed then: %w; replace it by renaming a fixed file, not by writing over it", l.err)
	case l.err != nil:
		return nil, l.err
	}
	return l.register(path)
}

func (l *library) register(path string) (names []string, err error) {
	if err := plugin.RegisterAll(path, l.handlers); err != nil {
		return nil, err
	}
	l.registered = true
	for _, h := range l.handlers {
		names = append(names, h.Name)
	}
	return names, nil
}

func open(given string) (unsafe.Pointer, error) {
	path, err := filepath.Abs(given) // without a slash, dlopen would search for it
	if err != nil {
		return nil, err
	}
	if err := checkFile(path); err != nil {
		return nil, err
	}
	path = respell(path, failures[given])
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var why [1024]C.char
	library := C.weir_open(name, &why[0], C.size_t(len(why)))
	if library == nil {
		return nil, refusal(path, C.GoString(&why[0]))
	}
	return library, nil
}

// respell writes a path in another way for each failure. For a name that it
// knows, the dynamic linker returns the library that it has, without looking at
// the file that has that name now.
func respell(path string, failures int) string {
	dir, base := filepath.Split(path)
	return dir + strings.Repeat("./", failures) + base
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
	f, err := os.Open(path) // dlopen would report the same, but not as clearly
	if err != nil {
		return err
	}
	return f.Close()
}

// refusal returns what to do about an error of the dynamic linker. Its words
// differ between systems; glibc's are known.
func refusal(path, why string) error {
	switch {
	case strings.Contains(why, "undefined symbol"):
		return fmt.Errorf("a symbol is missing: link the plugin with the library that has it (%s)", why)
	case strings.Contains(why, "cannot open shared object file") && !strings.HasPrefix(why, path+":"):
		return fmt.Errorf("a library it needs is missing: install it, or link with an rpath; ldd lists them (%s)", why)
	}
	return fmt.Errorf("not a shared object that this system loads: build it for this system with -shared -fPIC (%s)", why)
}

// start checks the ABI version of an opened library, runs its init and reads
// its handlers. Before init has run, a failure returns an error and no library.
func start(at unsafe.Pointer) (*library, error) {
	abi, err := symbol(at, "weir_plugin_abi")
	if err != nil {
		return nil, err
	}
	if got := C.weir_run_abi(abi); got != C.WEIR_PLUGIN_ABI {
		return nil, fmt.Errorf("it was built for version %d of the C ABI, this weir has %d: build it with this weir's weir_plugin.h", uint32(got), C.WEIR_PLUGIN_ABI)
	}
	prepare, err := symbol(at, "weir_plugin_init")
	if err != nil {
		return nil, err
	}
	list, err := symbol(at, "weir_plugin_handlers")
	if err != nil {
		return nil, err
	}
	if code := C.weir_run_init(prepare); code != C.WEIR_OK {
		return &library{err: fmt.Errorf("weir_plugin_init returned %d: the plugin could not get ready, and may have printed why on standard error", int32(code))}, nil
	}
	handlers, err := enumerate(list)
	return &library{handlers: handlers, err: err}, nil
}

func symbol(at unsafe.Pointer, name string) (unsafe.Pointer, error) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	f := C.weir_symbol(at, c)
	if f == nil {
		return nil, fmt.Errorf("it has no function %s: it is not a weir plugin, or the function is not exported (WEIR_PLUGIN_EXPORT, extern \"C\")", name)
	}
	return f, nil
}

// maxHandlers is more than any library has: a greater number was never
// initialised.
const maxHandlers = 10_000

func enumerate(list unsafe.Pointer) ([]plugin.Named, error) {
	var n C.size_t
	first := C.weir_run_handlers(list, &n)
	if first == nil || n == 0 {
		return nil, errors.New("weir_plugin_handlers gives no handlers: set *n, and return the first")
	}
	if n > maxHandlers {
		return nil, fmt.Errorf("weir_plugin_handlers gives %d handlers, want at most %d", uint64(n), maxHandlers)
	}
	var handlers []plugin.Named
	var copies []*C.weir_plugin_handler
	for c := first; len(handlers) < int(n); c = C.weir_next(c) {
		h, err := read(c)
		if err != nil {
			for _, c := range copies {
				C.free(unsafe.Pointer(c))
			}
			return nil, fmt.Errorf("handler %d of %d: %w", len(handlers)+1, int(n), err)
		}
		copies = append(copies, h.c)
		handlers = append(handlers, plugin.Named{Name: h.name, Handler: h.registration()})
	}
	return handlers, nil
}

// read returns a handler of the plugin's array.
func read(c *C.weir_plugin_handler) (*handler, error) {
	if c.struct_size < C.WEIR_HANDLER_SIZE_1 {
		return nil, fmt.Errorf("its struct_size is %d, want at least %d: set it to sizeof(weir_plugin_handler)", c.struct_size, C.WEIR_HANDLER_SIZE_1)
	}
	h := &handler{c: C.weir_read_handler(c)}
	if h.c == nil {
		return nil, errors.New("out of memory")
	}
	if err := h.check(); err != nil {
		C.free(unsafe.Pointer(h.c))
		return nil, err
	}
	h.name = C.GoString(h.c.name)
	return h, nil
}
