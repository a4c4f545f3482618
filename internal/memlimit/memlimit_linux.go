package memlimit

import (
	"bufio"
	"bytes"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
)

func system() int64 {
	return min(machine(os.DirFS("/")), cgroups(os.DirFS("/")), addressSpace())
}

// machine is the memory of the machine.
func machine(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return math.MaxInt64
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			if kib, ok := number(strings.TrimSuffix(strings.TrimSpace(rest), " kB")); ok {
				return kib << 10
			}
		}
	}
	return math.MaxInt64
}

// addressSpace is what RLIMIT_AS still allows. Go reserves more than a gigabyte
// at its start, of which it uses little.
func addressSpace() int64 {
	var lim syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_AS, &lim) != nil || lim.Cur > math.MaxInt64 {
		return math.MaxInt64
	}
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return int64(lim.Cur)
	}
	pages, _, _ := strings.Cut(string(text), " ")
	used, _ := number(pages) // zero is as good as not knowing
	return max(0, int64(lim.Cur)-used*int64(os.Getpagesize()))
}

// cgroups is the least limit of the process's control groups, of version 1 and
// 2, and of those above them as far as they can be seen.
func cgroups(root fs.FS) int64 {
	least := int64(math.MaxInt64)
	own, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return least
	}
	mounts, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return least
	}
	for line := range strings.Lines(string(own)) { // hierarchy:controllers:path
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch controllers := parts[1]; {
		case parts[0] == "0" && controllers == "":
			least = min(least, climb(root, mounts, "cgroup2", "", parts[2], "memory.max"))
		case has(controllers, "memory"):
			least = min(least, climb(root, mounts, "cgroup", "memory", parts[2], "memory.limit_in_bytes"))
		}
	}
	return least
}

// climb is the least number in the files of that name from the group upwards.
// In a container the mount may show only a part of the hierarchy, whose root is
// the container's own group.
func climb(root fs.FS, mounts []byte, kind, option, group, file string) int64 {
	least := int64(math.MaxInt64)
	point, from, ok := mount(mounts, kind, option)
	if !ok {
		return least
	}
	below, inside := strings.CutPrefix(group, strings.TrimSuffix(from, "/"))
	if !inside {
		below = "/"
	}
	for dir := path.Clean("/" + below); ; dir = path.Dir(dir) {
		text, err := fs.ReadFile(root, strings.TrimPrefix(path.Join(point, dir, file), "/"))
		if n, ok := number(strings.TrimSpace(string(text))); err == nil && ok { // else it is "max"
			least = min(least, n)
		}
		if dir == "/" {
			return least
		}
	}
}

// mount finds where a hierarchy is mounted, and which of its groups is there.
// A line is: id parent major:minor root point options … - type source options.
func mount(mounts []byte, kind, option string) (point, from string, ok bool) {
	for lines := bufio.NewScanner(bytes.NewReader(mounts)); lines.Scan(); {
		head, tail, _ := strings.Cut(lines.Text(), " - ")
		h, t := strings.Fields(head), strings.Fields(tail)
		if len(h) >= 5 && len(t) >= 3 && t[0] == kind && (option == "" || has(t[2], option)) {
			return h[4], h[3], true
		}
	}
	return "", "", false
}

// has reports whether a list with commas has the member.
func has(list, member string) bool {
	for m := range strings.SplitSeq(list, ",") {
		if m == member {
			return true
		}
	}
	return false
}

func number(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}
