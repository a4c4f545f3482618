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
	guest  bool // of net/http's server, so that no weir.Server reports and counts
	http2  bool
}

// ways are all that there are. The first is the one that records.
var ways = []way{
	{name: "reactor over TCP", start: overTCP},
	{name: "reactor over a unix socket", start: overUnix},
	{name: "reactor over TLS", start: overTLS},
	{name: "weirtest", start: inMemory, bubble: true},
	{name: "ToHTTP under httptest", start: underHTTP, guest: true},
	{name: "HTTP/2 over TLS", start: overHTTP2, http2: true},
}

// A difference is what one way shows in one case in the place of what the others
// show, and why. An empty text leaves the comparison out.
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
	{
		"ToHTTP under httptest", "304", `length 0, Content-Length=["5"]`, "length 0, ",
		"net/http sends no length of a body that it does not send",
	},
	{
		"HTTP/2 over TLS", "204", "204, length 0", "204, length -1",
		"net/http's HTTP/2 client does not know that a 204 has no body",
	},
	{
		"HTTP/2 over TLS", "no route", "204, length 0", "204, length -1",
		"net/http's HTTP/2 client does not know that a 204 has no body",
	},
	{
		"HTTP/2 over TLS", "304", `length 0, Content-Length=["5"]`, "length -1, ",
		"ToHTTP does not announce the length of a 304, which net/http's HTTP/2 client takes for that of a body",
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
				if c.host && w.guest {
					continue
				}
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
		if d.others == "" {
			t.Skip(d.because)
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
