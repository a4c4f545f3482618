// Package leak fails a test binary that leaves goroutines or file descriptors
// behind:
//
//	func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }
//
// What exists before the tests run is not counted. What a test started may end
// a moment after the test returns, so Check looks again until all have ended or
// its patience has.
package leak

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"weir/internal/patience"
)

// Check runs the tests of m, a *testing.M, and returns what TestMain gives to
// os.Exit: m's own code when tests failed, else 1 if something has leaked, with
// each goroutine's stack and each descriptor's name on standard error.
//
// Nothing else may start goroutines or open descriptors while Check looks.
func Check(m interface{ Run() int }) int {
	return check(m, os.Stderr, patience.Limit)
}

func check(m interface{ Run() int }, out io.Writer, limit time.Duration) int {
	// The runtime's poller opens descriptors at first use and keeps them.
	startPoller()
	before := now()
	if code := m.Run(); code != 0 {
		return code // what a failed test leaks would hide why it failed
	}
	left := now().without(before)
	for deadline := time.Now().Add(limit); !left.empty() && time.Now().Before(deadline); {
		runtime.Gosched()
		left = now().without(before)
	}
	if left.empty() {
		return 0
	}
	left.report(out)
	return 1
}

func startPoller() {
	if r, w, err := os.Pipe(); err == nil {
		r.Close() // closing loses nothing
		w.Close()
	}
}

// held is what a process holds at one moment: stacks by goroutine, names by
// descriptor.
type held struct {
	goroutines  map[string]string
	descriptors map[string]string
	err         error // why descriptors are unknown
}

func now() held {
	h := held{goroutines: goroutines()}
	h.descriptors, h.err = descriptors()
	return h
}

// without returns what is in h and not in before. A descriptor's number that
// names another file than before is another descriptor.
func (h held) without(before held) held {
	for id := range before.goroutines {
		delete(h.goroutines, id)
	}
	for fd, name := range before.descriptors {
		if h.descriptors[fd] == name {
			delete(h.descriptors, fd)
		}
	}
	return h
}

func (h held) empty() bool {
	return len(h.goroutines) == 0 && len(h.descriptors) == 0 && h.err == nil
}

func (h held) report(out io.Writer) {
	if h.err != nil {
		fmt.Fprintf(out, "leak: descriptors cannot be listed: %v\n", h.err)
	}
	for fd, name := range h.descriptors {
		fmt.Fprintf(out, "leak: descriptor %s is still open: %s\n", fd, name)
	}
	for _, stack := range h.goroutines {
		fmt.Fprintf(out, "leak: a goroutine is still there:\n%s\n\n", stack)
	}
}

// goroutines returns the stacks of all goroutines but the caller's and those
// that, once started, the standard library never ends, by goroutine id.
func goroutines() map[string]string {
	buf := make([]byte, 64<<10)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	stacks := strings.Split(string(buf[:n]), "\n\n")
	found := make(map[string]string, len(stacks))
	for _, stack := range stacks[1:] { // the caller comes first
		if strings.Contains(stack, "os/signal.loop") {
			continue // runs for ever after the first signal.Notify
		}
		// "goroutine 42 [chan receive]:"
		id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		found[id] = strings.TrimSpace(stack)
	}
	return found
}

// descriptors returns what each open descriptor names, as far as the system
// reports it, by number.
func descriptors() (map[string]string, error) {
	dir, err := os.Open("/dev/fd")
	if err != nil {
		return nil, err
	}
	defer dir.Close() // only read
	fds, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	self := fmt.Sprint(dir.Fd())
	found := make(map[string]string, len(fds))
	for _, fd := range fds {
		if fd == self {
			continue
		}
		name, err := os.Readlink("/dev/fd/" + fd)
		if err != nil {
			name = "a descriptor" // not Linux, where they are links
		}
		found[fd] = name
	}
	return found, nil
}
