//go:build soak

package soak

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"weir"
	"weir/internal/patience"
)

// census is what the process has.
type census struct {
	goroutines, descriptors int
	heap                    uint64 // bytes that are reachable
}

func count() census {
	runtime.GC()
	runtime.GC() // empties pools, too
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return census{runtime.NumGoroutine(), descriptors(), m.HeapAlloc}
}

func descriptors() int {
	names, err := os.ReadDir("/dev/fd")
	if err != nil {
		panic(err)
	}
	return len(names) - 1 // of the directory itself
}

// heapSlack is what the heap may differ by when nothing is different.
const heapSlack = 1 << 20

// settled counts when there is no more than before, or will not be.
func settled(before census) census {
	for deadline := time.Now().Add(patience.Limit); ; {
		now := count()
		if now.within(before) || time.Now().After(deadline) {
			return now
		}
		<-time.After(50 * time.Millisecond)
	}
}

func (c census) within(before census) bool {
	return c.goroutines <= before.goroutines && c.descriptors <= before.descriptors && c.heap <= before.heap+heapSlack
}

// check reports what there is more than before.
func (c census) check(t *testing.T, when string, before census) {
	t.Helper()
	if c.within(before) {
		return
	}
	t.Errorf("%s: got %+v, want no more than before: %+v", when, c, before)
	if c.goroutines > before.goroutines {
		stacks := make([]byte, 1<<20)
		t.Errorf("goroutines:\n%s", stacks[:runtime.Stack(stacks, true)])
	}
}

// watch looks at a running server now and then.
type watch struct {
	quit, done chan struct{}
	begun      time.Time
	length     time.Duration // while clients come
	took       time.Duration
	cpu        time.Duration // that the process used, clients included
	waited     time.Duration // pressure

	goroutines, descriptors int
	heap                    uint64 // bytes, garbage included
	pending                 int64
	streams                 int64 // at most
	sum, looks              int64 // of streams, once all seats are taken
}

func watchPeaks(srv *weir.Server, length time.Duration) *watch {
	p := &watch{quit: make(chan struct{}), done: make(chan struct{}), begun: time.Now(), length: length, cpu: cpuTime(), waited: pressure()}
	go func() {
		defer close(p.done)
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.look(srv.Stats())
			case <-p.quit:
				return
			}
		}
	}()
	return p
}

func (p *watch) look(st weir.Stats) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.goroutines = max(p.goroutines, runtime.NumGoroutine())
	p.descriptors = max(p.descriptors, descriptors())
	p.heap = max(p.heap, m.HeapAlloc)
	p.pending = max(p.pending, st.PendingBytes)
	p.streams = max(p.streams, st.StreamsActive)
	if since := time.Since(p.begun); since > rampUp && since < p.length {
		p.sum += st.StreamsActive
		p.looks++
	}
}

func (p *watch) stop() {
	close(p.quit)
	<-p.done
	p.cpu, p.waited = cpuTime()-p.cpu, pressure()-p.waited
	p.took = time.Since(p.begun)
}

func (p *watch) table(before, up, warm, idle, down census) string {
	peak := census{p.goroutines, p.descriptors, p.heap}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tbefore\tserver up\twarmed up\tpeak\tidle again\tafter shutdown\t")
	row := func(name string, of func(census) int) {
		fmt.Fprint(w, name)
		for _, c := range []census{before, up, warm, peak, idle, down} {
			fmt.Fprintf(w, "\t%d", of(c))
		}
		fmt.Fprintln(w, "\t")
	}
	row("goroutines", func(c census) int { return c.goroutines })
	row("descriptors", func(c census) int { return c.descriptors })
	row("heap, KiB", func(c census) int { return int(c.heap >> 10) })
	w.Flush()
	fmt.Fprintf(&text, "streams open: %d on average, %d at most; pending output at most %d KiB; CPU of server and clients %.0f %% of one core; somebody on the machine waited for CPU %.0f %% of the time\n",
		p.sum/max(1, p.looks), p.streams, p.pending>>10, 100*p.cpu.Seconds()/p.took.Seconds(), 100*p.waited.Seconds()/p.took.Seconds())
	return text.String()
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pressure is for how long somebody on this machine has waited for a processor,
// where the system says (Linux's Documentation/accounting/psi.rst): when that is
// much of the time, latencies are the machine's and not ours.
func pressure() time.Duration {
	text, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	_, total, _ := strings.Cut(first, "total=")
	µs, _ := strconv.ParseInt(total, 10, 64) // 0 if it is something else
	return time.Duration(µs) * time.Microsecond
}
