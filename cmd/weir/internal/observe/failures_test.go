package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/cmd/weir/internal/relay"
	"weir/cmd/weir/internal/target"
	"weir/cmd/weir/internal/upstream"
)

type failureLine struct {
	Time     time.Time
	Upstream string
	Failures int
	Reason   string
	Model    string
	Attempt  int
	Err      string
}

// An upstream that fails again and again is a line a second, which says how
// often; none of the failures is left out.
func TestFailuresAreSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		f := NewFailures(slog.New(slog.NewJSONHandler(&out, nil)))
		fail := func(name string, n int) {
			for i := range n {
				f.add(relay.Attempt{
					Request: new(weir.Request), Model: "m", Upstream: &upstream.Upstream{Config: upstream.Config{Name: name}},
					Number: i + 1, Reason: target.Unreachable, Err: errors.New("refused"),
				})
			}
		}
		lines := func() (all []failureLine) {
			synctest.Wait()
			f.mu.Lock()
			defer f.mu.Unlock()
			for {
				text, err := out.ReadBytes('\n')
				if err != nil {
					return all
				}
				var l failureLine
				if err := json.Unmarshal(text, &l); err != nil {
					t.Fatal(err)
				}
				all = append(all, l)
			}
		}
		want := func(what string, got []failureLine, counts ...int) {
			t.Helper()
			if len(got) != len(counts) {
				t.Fatalf("%s: got %v, want %d lines", what, got, len(counts))
			}
			for i, l := range got {
				if l.Failures != counts[i] || l.Reason != "unreachable" || l.Model != "m" || l.Err != "refused" {
					t.Errorf("%s: got %+v, want %d failures", what, l, counts[i])
				}
			}
		}
		fail("a", 100)
		want("at once", lines(), 1)
		fail("b", 1)
		want("another upstream at once", lines(), 1)
		time.Sleep(time.Second)
		got := lines()
		want("after a second", got, 99)
		if got[0].Attempt != 100 || got[0].Upstream != "a" {
			t.Errorf("got %+v, want the last failure", got[0])
		}
		fail("a", 2)
		want("in the second after", lines())
		time.Sleep(time.Second)
		want("after two seconds", lines(), 2)
		time.Sleep(time.Minute)
		want("when it works", lines())
		fail("a", 3)
		want("when it fails again", lines(), 1)
		f.Flush()
		want("at the end", lines(), 2)
	})
}
