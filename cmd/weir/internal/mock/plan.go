package mock

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/http1"
)

// plan is the response to one request, and how it is sent. Copies
// are independent as long as fields and splits are only appended to.
type plan struct {
	body   Body
	status int // 0 = the endpoint's own
	fields []Field
	faults string // as given, for the records

	text      string // instead of numbered tokens
	tools     string // that are called: see fit
	arguments string // of those calls, as JSON

	head     headKind
	framing  framing
	end      endKind
	endAfter int // events; for endInside, those ahead of the one that is cut

	ttft, pace, gap    time.Duration
	slowHead, slowBody time.Duration
	slowFirst          bool // ttft is also between head and body of a whole response
	early, hints       bool
	noStream           bool // a request for a stream gets a whole response
	holdHead           bool
	holdEvent          int // the event that waits for Release; 0 = none

	splits                     []int
	bytePerWrite, bytePerChunk bool

	keep keepKind
	idle time.Duration // of closeIdle
}

type headKind uint8

const (
	headWhole headKind = iota
	headReset
	headClose
	headGarbage
	headBoth
)

type framing uint8

const (
	framingAuto framing = iota
	framingLength
	framingChunked
	framingClose
)

type endKind uint8

const (
	endWhole endKind = iota
	endReset
	endClose
	endInside
	endStall
	endBadSize
)

type keepKind uint8

const (
	keepOpen keepKind = iota
	closeOnNext
	closeIdle
)

// Set is settings by name: see the package's documentation.
type Set map[string]string

// apply changes the plan by the settings, in the order of their names except
// fault, which comes last and so wins over settings that mean the same.
func (s Set) apply(p *plan) error {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if name == "fault" {
			continue
		}
		if err := p.set(name, s[name]); err != nil {
			return err
		}
	}
	return p.setFaults(s["fault"])
}

// settings are those whose value is not a field of the response.
var settings = map[string]func(p *plan, value string) error{
	"status":  (*plan).setStatus,
	"ttft":    func(p *plan, v string) error { return parseDuration(&p.ttft, v) },
	"pace":    func(p *plan, v string) error { return parseDuration(&p.pace, v) },
	"gap":     func(p *plan, v string) error { return parseDuration(&p.gap, v) },
	"tokens":  func(p *plan, v string) error { return parseCount(&p.body.Tokens, v) },
	"size":    func(p *plan, v string) error { return parseCount(&p.body.Size, v) },
	"framing": (*plan).setFraming,
	"split":   (*plan).setSplits,

	"text":      func(p *plan, v string) error { p.text = v; return nil },
	"think":     func(p *plan, v string) error { return parseCount(&p.body.Thoughts, v) },
	"tool":      func(p *plan, v string) error { p.tools = v; return nil },
	"arguments": (*plan).setArguments,
	"finish":    (*plan).setFinish,
}

// set takes one setting.
func (p *plan) set(name, value string) error {
	if set, ok := settings[name]; ok {
		if err := set(p, value); err != nil {
			return fmt.Errorf("mock: setting %s: %w", name, err)
		}
		return nil
	}
	field, isField := strings.CutPrefix(name, "header-")
	if name == "retry-after" {
		field, isField = name, true
	}
	if !isField {
		return fmt.Errorf("mock: there is no setting %q", name)
	}
	if err := http1.CheckField(field, value); err != nil {
		return fmt.Errorf("mock: setting %s: %w", name, err)
	}
	p.fields = append(p.fields[:len(p.fields):len(p.fields)], Field{field, value})
	return nil
}

func (p *plan) setStatus(value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 200 || n > 599 {
		return fmt.Errorf("want a number from 200 to 599, got %q", value)
	}
	p.status = n
	return nil
}

var framings = map[string]framing{"auto": framingAuto, "length": framingLength, "chunked": framingChunked, "close": framingClose}

func (p *plan) setFraming(value string) error {
	f, ok := framings[value]
	if !ok {
		return fmt.Errorf("want auto, length, chunked or close, got %q", value)
	}
	p.framing = f
	return nil
}

func (p *plan) setSplits(value string) error {
	var at []int
	for text := range strings.SplitSeq(value, "/") {
		var n int
		if err := parseCount(&n, text); err != nil {
			return err
		}
		if n == 0 || len(at) > 0 && n <= at[len(at)-1] {
			return fmt.Errorf("want offsets in ascending order, got %q", value)
		}
		at = append(at, n)
	}
	p.splits = at
	return nil
}

func parseDuration(p *time.Duration, value string) error {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return fmt.Errorf(`want a duration such as "10ms", got %q`, value)
	}
	*p = d
	return nil
}

func parseCount(p *int, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return fmt.Errorf("want a number from 0 on, got %q", value)
	}
	*p = n
	return nil
}
