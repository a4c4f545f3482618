// Package memory reads what a server's connections hold.
package memory

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"weir/bench/internal/proc"
)

// Reading is one reading of a server's memory, in bytes. heap_bytes must be
// there where /stats is; weir counts its stacks elsewhere and may omit
// stack_bytes.
type Reading struct {
	Heap      uint64 `json:"heap_bytes"`
	Stack     uint64 `json:"stack_bytes"`
	Anonymous uint64 `json:"-"`
	RSS       uint64 `json:"-"`
}

// PerConn holds bytes per connection; without the server's own statistics the
// first three are omitted.
type PerConn struct {
	Conns     int     `json:"conns"`
	Heap      float64 `json:"heap,omitempty"`
	Stack     float64 `json:"stack,omitempty"`
	User      float64 `json:"user,omitempty"` // heap + stack
	Anonymous float64 `json:"anonymous"`
	RSS       float64 `json:"rss"`
}

// Per returns what n connections have added, each.
func Per(n int, before, after Reading) PerConn {
	per := func(after, before uint64) float64 { return (float64(after) - float64(before)) / float64(n) }
	p := PerConn{
		Conns:     n,
		Heap:      per(after.Heap, before.Heap),
		Stack:     per(after.Stack, before.Stack),
		Anonymous: per(after.Anonymous, before.Anonymous),
		RSS:       per(after.RSS, before.RSS),
	}
	p.User = p.Heap + p.Stack
	return p
}

// Read reads the memory of the server with that process id, with stats also
// from its /stats?gc=1, which collects garbage first.
func Read(addr string, pid int, stats bool) (Reading, error) {
	var m Reading
	if stats {
		if err := readStats(addr, &m); err != nil {
			return m, err
		}
	}
	kernel, err := proc.ReadMemory(pid)
	m.Anonymous, m.RSS = kernel.Anonymous, kernel.RSS
	return m, err
}

func readStats(addr string, m *Reading) error {
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + addr + "/stats?gc=1")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/stats: got status %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(m); err != nil {
		return fmt.Errorf("/stats: %w", err)
	}
	if m.Heap == 0 {
		return errors.New("/stats has no heap_bytes")
	}
	return nil
}
