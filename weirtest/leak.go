package weirtest

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// bubble returns the goroutines of the caller's bubble, except the caller, by
// their identifier.
func bubble() map[string]bool {
	ids := map[string]bool{}
	for id := range stacks() {
		ids[id] = true
	}
	return ids
}

// bubbleWithout returns the stacks of those that are not in before, in the
// order in which they were started.
func bubbleWithout(before map[string]bool) (left []string) {
	all := stacks()
	maps.DeleteFunc(all, func(id, _ string) bool { return before[id] })
	ids := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b) // numbers
		}
		return strings.Compare(a, b)
	})
	for _, id := range ids {
		left = append(left, all[id])
	}
	return left
}

// stackBuffers spares the thousands of short tests of PlayCut most of their
// garbage.
var stackBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// stacks returns the stacks of the goroutines of the caller's bubble, except
// the caller's. The runtime heads each with
//
//	goroutine 42 [chan receive (durable), synctest bubble 7]:
func stacks() map[string]string {
	kept := stackBuffers.Get().(*[]byte)
	defer stackBuffers.Put(kept)
	buf := *kept
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	*kept = buf
	all := strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n")
	_, own := header(all[0]) // the caller comes first
	found := map[string]string{}
	for _, stack := range all[1:] {
		if id, of := header(stack); of == own {
			found[id] = stack
		}
	}
	return found
}

// header returns a goroutine's identifier, and its bubble's.
func header(stack string) (id, bubble string) {
	line, _, _ := strings.Cut(stack, "\n")
	id, state, _ := strings.Cut(strings.TrimPrefix(line, "goroutine "), " ")
	_, bubble, _ = strings.Cut(state, "synctest bubble ")
	if end := strings.IndexAny(bubble, "], "); end >= 0 {
		bubble = bubble[:end]
	}
	return id, bubble
}
