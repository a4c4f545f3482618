package conform

import (
	"io"
	"log"
	"maps"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// suite is Cases, built once: some of its stimuli are megabytes.
var suite = sync.OnceValue(Cases)

var discardLog = log.New(io.Discard, "", 0)

// every plays the cases against target, several at a time and those that count in
// /stats by themselves, and returns what went wrong, by ID.
func every(target Target, cases []Case) map[string]error {
	var (
		mu      sync.Mutex
		failed  = map[string]error{}
		players sync.WaitGroup
		slots   = make(chan struct{}, 16)
	)
	target = target.withDefaults()
	one := func(k Case) {
		if err := play(&target, k); err != nil {
			mu.Lock()
			failed[k.ID()] = err
			mu.Unlock()
		}
	}
	for _, k := range cases {
		if k.alone {
			one(k)
		}
	}
	for _, k := range cases {
		if !k.alone {
			slots <- struct{}{}
			players.Go(func() {
				one(k)
				<-slots
			})
		}
	}
	players.Wait()
	return failed
}

// those keeps the cases whose ID is in failed.
func those(failed map[string]error) []Case {
	var left []Case
	for _, k := range suite() {
		if failed[k.ID()] != nil {
			left = append(left, k)
		}
	}
	return left
}

// unproven are the cases that no server of these tests can pass; the reason says what
// shows instead that they ask for the right thing.
var unproven = map[string]string{
	"X78_Transfer-Encoding_beside_Content-Length": "net/http serves some; TestSmuggleOracle explains each",
	"X78_Content-Length_beside_Transfer-Encoding": "net/http serves some; TestSmuggleOracle explains each",
}

// TestEveryCaseCanPass shows that no case asks for the impossible: each is passed by
// net/http with the tour's routes or, where net/http is laxer than the rules, by a
// server that gives the one refusal that is wanted.
func TestEveryCaseCanPass(t *testing.T) {
	target := referenceTarget(t)
	target.Patience = 2 * time.Second
	failed := every(target, suite())
	t.Logf("net/http passes %d of %d cases", len(suite())-len(failed), len(suite()))

	first := maps.Clone(failed)
	rewritten := target
	rewritten.Dial = asHTTP11(target.Dial)
	for _, k := range those(failed) {
		if strings.Contains(failed[k.ID()].Error(), "HTTP/1.0") && every(rewritten, []Case{k})[k.ID()] == nil {
			delete(failed, k.ID())
		}
	}
	var servers []func(*net.TCPConn)
	for _, status := range []int{400, 501, 431, 414, 413, 505} {
		servers = append(servers, refuser(status))
	}
	servers = append(servers, headClock, helloAt(0), helloAt(1))
	for range 5 { // cases that wait can miss their moment on a busy machine
		failed = every(target, those(failed))
		for _, serve := range servers {
			strict := scripted(t, serve)
			strict.Patience, strict.HeadTimeout = time.Second, refTimeout
			failed = every(strict, those(failed))
		}
	}
	for id, err := range failed {
		if unproven[id] == "" {
			t.Errorf("%s is passed by no server: got from net/http %v\nand from the last one %v", id, first[id], err)
		}
	}
}

// TestEveryCaseCanFail shows that no case is satisfied by everything: a server that
// slams the door and one that says 200 to everything fail all of them together.
func TestEveryCaseCanFail(t *testing.T) {
	passed := map[string]bool{}
	for _, k := range suite() {
		passed[k.ID()] = true
	}
	for _, serve := range []func(*net.TCPConn){slammer, yesMan} {
		target := scripted(t, serve)
		target.Patience = 100 * time.Millisecond
		target.HeadTimeout, target.IdleTimeout = 50*time.Millisecond, 50*time.Millisecond
		target.BodyTimeout, target.StallTimeout = 50*time.Millisecond, 50*time.Millisecond
		var left []Case
		for _, k := range suite() {
			if passed[k.ID()] {
				left = append(left, k)
			}
		}
		for id := range every(target, left) {
			delete(passed, id)
		}
	}
	for id := range passed {
		t.Errorf("%s passes with a server that answers nothing and with one that answers anything", id)
	}
}

// TestSmuggleOracle plays every mutation against net/http. It may serve only what it
// is known to be lax about: both framing fields at once, bare LF, and obs-fold.
func TestSmuggleOracle(t *testing.T) {
	lax := regexp.MustCompile(`(?i)(^|\n)(transfer-encoding|content-length):|\n[ \t]`)
	target := referenceTarget(t).withDefaults()
	for _, side := range []struct {
		name    string
		gadgets []string
		build   func(string) (raw, body string)
		most    int // mutations on which net/http may differ
	}{
		{"coding", codingGadgets(), smuggleByCoding, 20},
		{"length", lengthGadgets(), smuggleByLength, 32},
	} {
		differs := 0
		for _, gadget := range side.gadgets {
			p := &peer{target: &target}
			err := playGadget(gadget, side.build)(p)
			p.close()
			if err == nil {
				continue
			}
			differs++
			if !lax.MatchString(gadget) || !strings.Contains(err.Error(), "got 200, want [400 501]") {
				t.Errorf("%s gadget %q: %v", side.name, gadget, err)
			}
		}
		if differs == 0 || differs > side.most {
			t.Errorf("%s: net/http differs on %d of %d mutations, want 1 to %d", side.name, differs, len(side.gadgets), side.most)
		}
	}
	if n := len(codingGadgets()) + len(lengthGadgets()); n < 1768 {
		t.Errorf("got %d mutations, want 1768 or more", n)
	}
}

// TestItems wants each item from 1 to 138 in the suite or among the excluded ones, and
// each subtest name once.
func TestItems(t *testing.T) {
	seen, ids := map[int]bool{}, map[string]bool{}
	for _, k := range suite() {
		if ids[k.ID()] {
			t.Errorf("two cases are named %s", k.ID())
		}
		seen[k.Item], ids[k.ID()] = true, true
	}
	for item := 1; item <= 138; item++ {
		if !seen[item] && Excluded[item] == "" {
			t.Errorf("item %d is neither in the suite nor excluded", item)
		}
	}
	for item := range Excluded {
		if item < 1 || item > 138 {
			t.Errorf("item %d is not of this suite", item)
		}
	}
}

// TestRunSkipsUnstatedTimeouts wants the cases that wait for a time-out skipped when
// the target states none.
func TestRunSkipsUnstatedTimeouts(t *testing.T) {
	target, waiting := (Target{}).withDefaults(), 0
	for _, k := range suite() {
		if k.needs == nil {
			continue
		}
		waiting++
		if k.needs(&target) == "" {
			t.Errorf("%s runs without its time-out", k.ID())
		}
	}
	if waiting < 8 {
		t.Errorf("got %d cases that wait for a time-out, want 8 or more", waiting)
	}
}
