package ways

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"weir"
)

// A way brings the requests of clients to the handlers of a server.
type way struct {
	name   string
	start  func(t *testing.T, srv *weir.Server) dialer
	bubble bool // of testing/synctest
	guest  bool // of net/http's server: a weir.Server, which reports and counts, does not run
}

// ways are all that there are. The first is the one that records.
var ways = []way{
	{"reactor over TCP", overTCP, false, false},
	{"reactor over a unix socket", overUnix, false, false},
	{"reactor over TLS", overTLS, false, false},
	{"weirtest", inMemory, true, false},
}

// A difference is what one way shows in one case in the place of what the others
// show, and why.
type difference struct{ way, name, others, here, because string }

var explained = []difference{
	{
		"reactor over a unix socket", "the client's address", `whole: " 127.0.0.1"`, `whole: "invalid IP"`,
		"clients of a unix socket have no address",
	},
	{
		"weirtest", "the client's address", `whole: " 127.0.0.1"`, `whole: " 192.0.2.1"`,
		"clients in memory have addresses of a network for documentation",
	},
}

const records = "testdata/records.txt"

// The same handlers behave alike over all ways. Set WAYS_UPDATE=1 to record what
// the first one shows.
func TestWays(t *testing.T) {
	want, update := recorded(t), os.Getenv("WAYS_UPDATE") != ""
	for i, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			for _, c := range cases() {
				t.Run(c.name, func(t *testing.T) {
					got := run(t, w, c)
					if update && i == 0 {
						want[c.name] = got
					}
					if want := w.explain(t, c.name, want[c.name]); got != want {
						t.Errorf("got\n%s\nwant\n%s", got, want)
					}
				})
			}
		})
	}
	if update {
		var text strings.Builder
		for _, c := range cases() {
			fmt.Fprintf(&text, "# %s\n%s\n", c.name, want[c.name])
		}
		if err := os.WriteFile(records, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// explain returns what a way shall show in the place of what all others do.
func (w way) explain(t *testing.T, name, record string) string {
	t.Helper()
	for _, d := range explained {
		if d.way != w.name || d.name != name {
			continue
		}
		if !strings.Contains(record, d.others) {
			t.Errorf("%q is explained, but not what others show", d.others)
		}
		record = strings.ReplaceAll(record, d.others, d.here)
	}
	if w.guest {
		record = withoutReports(record)
	}
	return record
}

// recorded returns the records by the names of their cases.
func recorded(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(records)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for section := range strings.SplitSeq("\n\n"+string(text), "\n\n# ") {
		name, record, _ := strings.Cut(section, "\n")
		if name != "" {
			all[name] = strings.TrimRight(record, "\n") + "\n"
		}
	}
	for name := range all {
		if !slices.ContainsFunc(cases(), func(c aCase) bool { return c.name == name }) {
			t.Errorf("%s has a record, but is not a case", name)
		}
	}
	return all
}
