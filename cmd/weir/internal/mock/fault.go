package mock

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// faults by name. An absent argument is "".
var faults = map[string]func(p *plan, arg string) error{
	"reset-before-head": bare(func(p *plan) { p.head = headReset }),
	"close-before-head": bare(func(p *plan) { p.head = headClose }),
	"garbage-head":      bare(func(p *plan) { p.head = headGarbage }),
	"both-framings":     bare(func(p *plan) { p.head = headBoth }),
	"early":             bare(func(p *plan) { p.early = true }),
	"early-hints":       bare(func(p *plan) { p.hints = true }),
	"error-event-first": bare(func(p *plan) { p.body.ErrorAt = 1 }),
	"no-stream":         bare(func(p *plan) { p.noStream = true }),
	"no-done":           bare(func(p *plan) { p.body.NoDone = true }),
	"crlf":              bare(func(p *plan) { p.body.CRLF = true }),
	"split-utf8":        bare(func(p *plan) { p.body.Wide = true }),
	"byte-per-write":    bare(func(p *plan) { p.bytePerWrite = true }),
	"byte-per-chunk":    bare(func(p *plan) { p.bytePerChunk = true }),
	"close-delimited":   bare(func(p *plan) { p.framing = framingClose }),
	"hold-head":         bare(func(p *plan) { p.holdHead = true }),

	"status":           (*plan).setStatus,
	"slow-head":        func(p *plan, arg string) error { return parseDuration(&p.slowHead, arg) },
	"slow-body":        func(p *plan, arg string) error { return parseDuration(&p.slowBody, arg) },
	"slow-first-event": (*plan).setSlowFirst,
	"long-line":        func(p *plan, arg string) error { return parseCount(&p.body.LongLine, arg) },
	"error-event":      func(p *plan, arg string) error { return parseNumber(&p.body.ErrorAt, arg) },
	"hold-event":       func(p *plan, arg string) error { return parseNumber(&p.holdEvent, arg) },
	"reset-after":      endAfter(endReset),
	"close-after":      endAfter(endClose),
	"stall-after":      endAfter(endStall),
	"cut-inside":       (*plan).setCutInside,
	"bad-chunk-size":   (*plan).setBadChunkSize,
	"close-keepalive":  (*plan).setCloseKeepAlive,
}

// Faults returns the names of all faults, sorted.
func Faults() []string { return slices.Sorted(maps.Keys(faults)) }

// setFaults takes a comma-separated list; an empty one changes nothing.
func (p *plan) setFaults(list string) error {
	if list == "" {
		return nil
	}
	p.faults = list
	for item := range strings.SplitSeq(list, ",") {
		name, arg, _ := strings.Cut(strings.TrimSpace(item), "=")
		set, ok := faults[name]
		if !ok {
			return fmt.Errorf("mock: there is no fault %q", name)
		}
		if err := set(p, arg); err != nil {
			return fmt.Errorf("mock: fault %s: %w", name, err)
		}
	}
	return nil
}

func bare(set func(p *plan)) func(*plan, string) error {
	return func(p *plan, arg string) error {
		if arg != "" {
			return errors.New("it takes no argument")
		}
		set(p)
		return nil
	}
}

func (p *plan) setSlowFirst(arg string) error {
	p.slowFirst = true
	return parseDuration(&p.ttft, arg)
}

func endAfter(kind endKind) func(*plan, string) error {
	return func(p *plan, arg string) error {
		p.end = kind
		return parseCount(&p.endAfter, arg)
	}
}

func (p *plan) setCutInside(arg string) error {
	p.end = endInside
	if err := parseNumber(&p.endAfter, arg); err != nil {
		return err
	}
	p.endAfter--
	return nil
}

func (p *plan) setBadChunkSize(arg string) error {
	p.end, p.endAfter, p.framing = endBadSize, 1, framingChunked
	if arg == "" {
		return nil
	}
	return parseCount(&p.endAfter, arg)
}

func (p *plan) setCloseKeepAlive(arg string) error {
	if arg == "" {
		p.keep = closeOnNext
		return nil
	}
	p.keep = closeIdle
	return parseDuration(&p.idle, arg)
}

// parseNumber is parseCount for what counts from 1.
func parseNumber(p *int, value string) error {
	if err := parseCount(p, value); err != nil {
		return err
	}
	if *p == 0 {
		return errors.New("events count from 1")
	}
	return nil
}
