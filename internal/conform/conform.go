// Package conform is the black-box conformance suite of the server: the X rules
// of docs/rules.md, HTTP/1.1 stimuli and the responses they must get, as tables
// of cases, and a small runner that plays them over raw sockets.
//
// It knows the server only by its address and by the routes of `weir tour`
// (/plaintext, /echo, /upload, /sse …), so that the same cases run against a
// server in this process, against the binary, and over TCP and unix sockets
// alike:
//
//	conform.Run(t, conform.Target{Dial: func() (net.Conn, error) { return net.Dial("tcp", addr) }})
//
// A case is a list of steps on one connection: bytes to send, and what must
// come back. Responses are read by a strict reader of its own (response.go):
// exactly one status line per response, exact chunk framing, no stray byte.
//
// Reading order: this file, steps.go (the vocabulary), request_line.go (the
// first table). excluded.go names the items that need more than a socket.
package conform

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"weir/internal/patience"
)

// A Target is a server under test.
//
// A time-out that is zero skips the cases that wait for it; the others should
// be as short as the machine allows (0.5 s is good), because cases really wait
// for them.
type Target struct {
	// Dial opens a connection to the server. It is called concurrently.
	Dial func() (net.Conn, error)

	// DialTimed opens a connection to a server whose time-outs are those stated
	// below; nil means Dial. Two servers are better than one: with short
	// time-outs, cases that send a request byte by byte run into them on a
	// loaded machine.
	DialTimed func() (net.Conn, error)

	// Patience is how long a step waits for a reaction that must come; 0 means
	// patience.Limit.
	Patience time.Duration

	// HeadTimeout is the server's limit from a request's first byte to the end
	// of its head.
	HeadTimeout time.Duration
	// IdleTimeout is the server's limit for a connection between two requests.
	IdleTimeout time.Duration
	// BodyTimeout is when a body of a few bytes a second must get 408, grace
	// included.
	BodyTimeout time.Duration
	// StallTimeout is the server's limit for a client that reads nothing of a
	// stream.
	StallTimeout time.Duration

	// MaxBody is the limit of a buffered body (POST /echo) in bytes; 0 means 8
	// MiB.
	MaxBody int64
}

func (t Target) withDefaults() Target {
	if t.Patience == 0 {
		t.Patience = patience.Limit
	}
	if t.MaxBody == 0 {
		t.MaxBody = 8 << 20
	}
	return t
}

// A Case is one of the X rules, or one variant of it.
type Case struct {
	Item  int    // the number among the X rules of docs/rules.md, 1 to 138
	Name  string // what is sent, in words
	Rule  string // the other rule there that decides, or ""
	steps []Step

	alone bool                 // counts in /stats: nothing else may run
	needs func(*Target) string // a reason to skip, or ""
}

// c makes a case: the steps are played in order on one connection.
func c(item int, name, rule string, steps ...Step) Case {
	return Case{Item: item, Name: name, Rule: rule, steps: steps}
}

// ID is the subtest's name: item and name, as in X04_bare_LF.
func (k Case) ID() string {
	return fmt.Sprintf("X%02d_%s", k.Item, strings.ReplaceAll(k.Name, " ", "_"))
}

// sections are those of the X rules, each with its last item.
var sections = []struct {
	name string
	last int
}{
	{"request line", 30}, {"host", 41}, {"fields", 59}, {"framing", 91}, {"connections", 106}, {"slow", 118}, {"responses", 138},
}

// section returns the index of the case's section.
func (k Case) section() int {
	for i, s := range sections {
		if k.Item <= s.last {
			return i
		}
	}
	panic(fmt.Sprintf("conform: item %d is in no section", k.Item))
}

// byItself marks the case as one that reads the server's counters.
func (k Case) byItself() Case {
	k.alone = true
	return k
}

// waitsFor marks the case as one that needs a time-out of the target.
func (k Case) waitsFor(name string, of func(*Target) time.Duration) Case {
	k.needs = func(t *Target) string {
		if of(t) == 0 {
			return "the target states no " + name
		}
		return ""
	}
	return k
}

// Cases returns the whole suite in the order of the X rules.
func Cases() []Case {
	var all []Case
	for _, table := range [][]Case{
		requestLineCases(), targetCases(),
		hostCases(),
		fieldCases(), fieldLimitCases(),
		lengthCases(), codingCases(), smuggleCases(), chunkCases(), trailerCases(), bodyLimitCases(),
		connectionCases(), noBodyCases(), expectCases(), closingCases(),
		slowCases(), failureCases(),
		responseCases(), streamCases(), cancelCases(),
	} {
		all = append(all, table...)
	}
	return all
}

// Run plays every case against target, each as a subtest section/ID. It returns
// when all of them have ended, so the caller may stop its server then.
func Run(t *testing.T, target Target) {
	t.Helper()
	target = target.withDefaults()
	cases := make([][]Case, len(sections))
	for _, k := range Cases() {
		cases[k.section()] = append(cases[k.section()], k)
	}
	for i, s := range sections {
		// The group's end is a barrier: cases that stand alone in the next
		// section find no case of this one still running.
		t.Run(s.name, func(t *testing.T) {
			for _, k := range cases[i] {
				t.Run(k.ID(), func(t *testing.T) { runCase(t, target, k) })
			}
		})
	}
}

func runCase(t *testing.T, target Target, k Case) {
	if k.needs != nil {
		if why := k.needs(&target); why != "" {
			t.Skip(why)
		}
	}
	if !k.alone {
		t.Parallel()
	}
	if err := play(&target, k); err != nil {
		t.Errorf("item %d %s: %v", k.Item, k.Rule, err)
	}
}

// play runs the case's steps. The error describes what went wrong and lists the
// exchange up to there.
func play(target *Target, k Case) error {
	if k.needs != nil && target.DialTimed != nil {
		timed := *target
		timed.Dial = timed.DialTimed
		target = &timed
	}
	p := &peer{target: target}
	defer p.close()
	for _, step := range k.steps {
		if err := step(p); err != nil {
			return fmt.Errorf("%w%s", err, p.story())
		}
	}
	return p.nothingLeft()
}
