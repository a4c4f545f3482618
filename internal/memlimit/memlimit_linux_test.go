package memlimit

import (
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
)

func TestControlGroups(t *testing.T) {
	const (
		v1     = "30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		v2     = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
		v2part = "30 24 0:26 /pods/a /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
	)
	for _, tt := range []struct {
		name, own, mounts string
		files             map[string]string
		want              int64
	}{
		{"none", "0::/\n", v2, nil, math.MaxInt64},
		{"no limit", "0::/a\n", v2, map[string]string{"a/memory.max": "max\n"}, math.MaxInt64},
		{"its own", "0::/a/b\n", v2, map[string]string{"a/b/memory.max": "1000\n", "a/memory.max": "2000\n"}, 1000},
		{"of one above", "0::/a/b\n", v2, map[string]string{"a/b/memory.max": "max\n", "a/memory.max": "2000\n"}, 2000},
		{"at the root of a namespace", "0::/\n", v2, map[string]string{"memory.max": "3000\n"}, 3000},
		{"a part is mounted", "0::/pods/a/b\n", v2part, map[string]string{"memory.max": "5000\n", "b/memory.max": "4000\n"}, 4000},
		{"another part is mounted", "0::/../x\n", v2part, map[string]string{"memory.max": "5000\n"}, 5000},
		{"version 1", "5:cpu:/x\n4:memory:/a\n0::/\n", v1, map[string]string{"memory/a/memory.limit_in_bytes": "6000\n", "memory/memory.limit_in_bytes": "9223372036854771712\n"}, 6000},
		{"both", "4:cpu,memory:/a\n0::/a\n", v1 + v2, map[string]string{"memory/a/memory.limit_in_bytes": "6000\n", "a/memory.max": "7000\n"}, 6000},
		{"garbage", "what\n\n0::\n", "x\n - \n", nil, math.MaxInt64},
	} {
		root := fstest.MapFS{"proc/self/cgroup": {Data: []byte(tt.own)}, "proc/self/mountinfo": {Data: []byte(tt.mounts)}}
		for name, text := range tt.files {
			root["sys/fs/cgroup/"+name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := cgroups(root); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
	if got := cgroups(fstest.MapFS{}); got != math.MaxInt64 {
		t.Errorf("without /proc: got %d, want none", got)
	}
}

func TestMachine(t *testing.T) {
	root := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal:       24683656 kB\nMemFree: 1 kB\n")}}
	if got := machine(root); got != 24683656<<10 {
		t.Errorf("got %d, want MemTotal in bytes", got)
	}
	if got := machine(fstest.MapFS{}); got != math.MaxInt64 {
		t.Errorf("without /proc: got %d, want none", got)
	}
}

// asChild makes the test binary print what it finds.
const asChild = "WEIR_TEST_MEMLIMIT"

// In a process with a limit on address space, what is left of it counts; and
// GOMEMLIMIT where that is less.
func TestBytes(t *testing.T) {
	if os.Getenv(asChild) != "" {
		os.Stdout.WriteString("bytes=" + strconv.FormatInt(Bytes(), 10) + "\n")
		os.Exit(0)
	}
	child := func(kib string, env ...string) int64 {
		cmd := exec.Command("sh", "-c", "ulimit -v "+kib+` && exec "$0" -test.run=^TestBytes$`, os.Args[0])
		cmd.Env = append(os.Environ(), append(env, asChild+"=1")...)
		out, err := cmd.Output()
		_, text, _ := strings.Cut(string(out), "bytes=")
		n, bad := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || bad != nil {
			t.Fatalf("ulimit -v %s: got %q, %v", kib, out, err)
		}
		return n
	}
	if got := child("unlimited", "GOMEMLIMIT=100MiB"); got != 100<<20 {
		t.Errorf("GOMEMLIMIT: got %d, want 100 MiB", got)
	}
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &lim); err != nil || lim.Cur < 4<<30 || raceEnabled {
		t.Skip("the limit on address space is too low, or the race detector needs too much, to be lowered")
	}
	if got := child("4194304", "GOMEMLIMIT=off"); got <= 0 || got >= 4<<30-512<<20 {
		t.Errorf("4 GiB of address space: got %d, want what the runtime has left of it", got)
	}
}
