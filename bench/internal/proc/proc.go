// Package proc reads what a process costs from /proc: CPU time per thread to
// the nanosecond, and memory.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// CPU holds the time each thread of some processes has run, in nanoseconds,
// by thread id. Thread ids are unique across processes.
type CPU map[int]int64

// ReadCPU reads /proc/PID/task/*/schedstat of every given process. A server
// of several processes, such as nginx, is measured by naming all of them.
func ReadCPU(pids ...int) (CPU, error) {
	cpu := CPU{}
	err := eachTask(pids, func(tid int, stat schedstat) { cpu[tid] = stat.run })
	return cpu, err
}

// ReadWait returns how long the threads of the processes have been ready to
// run without a CPU to run on, summed up.
func ReadWait(pids ...int) (time.Duration, error) {
	var ns int64
	err := eachTask(pids, func(_ int, stat schedstat) { ns += stat.wait })
	return time.Duration(ns), err
}

func eachTask(pids []int, visit func(tid int, stat schedstat)) error {
	for _, pid := range pids {
		dir := filepath.Join("/proc", strconv.Itoa(pid), "task")
		tasks, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("proc: %w", err)
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil {
				return fmt.Errorf("proc: task %q is not a number", task.Name())
			}
			text, err := os.ReadFile(filepath.Join(dir, task.Name(), "schedstat"))
			if os.IsNotExist(err) {
				continue // ended between the listing and the read
			}
			if err != nil {
				return fmt.Errorf("proc: %w", err)
			}
			stat, err := parseSchedstat(text)
			if err != nil {
				return err
			}
			visit(tid, stat)
		}
	}
	return nil
}

// schedstat is a thread's times in nanoseconds.
type schedstat struct{ run, wait int64 }

// parseSchedstat reads "run-ns wait-ns slices".
func parseSchedstat(text []byte) (schedstat, error) {
	fields := bytes.Fields(text)
	if len(fields) != 3 {
		return schedstat{}, fmt.Errorf("proc: schedstat %q: got %d fields, want 3", text, len(fields))
	}
	run, err1 := strconv.ParseInt(string(fields[0]), 10, 64)
	wait, err2 := strconv.ParseInt(string(fields[1]), 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return schedstat{}, fmt.Errorf("proc: schedstat %q: %w", text, err)
	}
	return schedstat{run, wait}, nil
}

// Since returns the time run after start was read. A thread that ended in
// between took its time with it, which makes the figure worthless: an error.
func (c CPU) Since(start CPU) (time.Duration, error) {
	for tid := range start {
		if _, ok := c[tid]; !ok {
			return 0, fmt.Errorf("proc: thread %d ended during the measurement", tid)
		}
	}
	var ns int64
	for tid, now := range c {
		ns += now - start[tid] // a new thread began at 0
	}
	return time.Duration(ns), nil
}

// ReadWrites returns how often the processes have called write(2) and its
// kin, for sockets and for what wakes a thread's event loop alike.
func ReadWrites(pids ...int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "io"))
		if err != nil {
			return 0, fmt.Errorf("proc: %w", err)
		}
		n, err := parseWrites(string(text))
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func parseWrites(text string) (int64, error) {
	for line := range strings.Lines(text) {
		if count, ok := strings.CutPrefix(line, "syscw: "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(count), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("proc: io line %q: %w", line, err)
			}
			return n, nil
		}
	}
	return 0, errors.New("proc: io lacks syscw")
}

// Memory is what a process holds according to the kernel, in bytes.
type Memory struct {
	RSS       uint64
	Anonymous uint64 // heap and stacks, without the program's own file pages
}

// ReadMemory reads /proc/PID/smaps_rollup, which is exact where the counters
// in /proc/PID/statm may lag by some pages per thread.
func ReadMemory(pid int) (Memory, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		return Memory{}, fmt.Errorf("proc: %w", err)
	}
	return parseRollup(string(text))
}

func parseRollup(text string) (Memory, error) {
	var m Memory
	found := 0
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[2] != "kB" {
			continue
		}
		kib, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			return m, fmt.Errorf("proc: smaps_rollup line %q: %w", line, err)
		}
		switch fields[0] {
		case "Rss:":
			m.RSS, found = kib<<10, found+1
		case "Anonymous:":
			m.Anonymous, found = kib<<10, found+1
		}
	}
	if found != 2 {
		return m, fmt.Errorf("proc: smaps_rollup lacks Rss or Anonymous")
	}
	return m, nil
}
