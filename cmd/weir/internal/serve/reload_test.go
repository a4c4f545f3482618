package serve

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/cmd/weir/internal/mock"
)

const reloaded = `"msg":"configuration reloaded","because":"SIGHUP"`

// G16: 200 running streams survive 50 reloads, each of which replaces their
// upstream and their model.
func TestReloadSpareStreams(t *testing.T) {
	const streams, reloads, tokens = 200, 50, 200
	up := mock.Start(t, mock.Config{Tokens: tokens, Pace: 25 * time.Millisecond})
	g := serve(t, toMock(up))
	want := string(mock.StreamBody(mock.Body{Model: "m", Tokens: tokens}))
	var all sync.WaitGroup
	for range streams {
		all.Go(func() {
			res, err := client.Do(asked(t, "POST", g.url+chat, askStream))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if got, err := io.ReadAll(res.Body); err != nil || string(got) != want {
				t.Errorf("got %d bytes that end in %q, %v, want %d", len(got), got[max(0, len(got)-200):], err, len(want))
			}
		})
	}
	wait(t, up, func(c mock.Counts) bool { return c.Bodies == streams })
	for i := range reloads {
		g.write(t, fmt.Sprintf("upstreams: {up: {url: %q, headers: {x-reload: '%d'}}}\nmodels: {m: {targets: [{upstream: up}]}, m%d: {targets: [{upstream: up}]}}\n", up.URL(), i, i))
		g.signal(syscall.SIGHUP)
		g.log.wait(t, i+1, reloaded)
	}
	if n := up.Counts().Ended; n > 0 {
		t.Errorf("%d streams have ended before the last reload, want all to live through it", n)
	}
	if _, got := do(t, "GET", g.url+"/v1/models/m49", ""); !strings.Contains(got, `"m49"`) {
		t.Errorf("got %s, want the model of the last reload", got)
	}
	do(t, "POST", g.url+chat, askWhole)
	requests := up.Log().Requests
	if got := requests[len(requests)-1].Get("x-reload"); got != "49" {
		t.Errorf("a new request was sent with x-reload %q, want 49", got)
	}
	all.Wait()
	t.Logf("%d streams of %d bytes each, %d reloads: equal", streams, len(want), reloads)
	g.end()
}

// A bad reload changes nothing and says where.
func TestBadReload(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, toMock(up))
	for i, tt := range []struct{ text, want string }{
		{"models: {m: {targets: [{upstream: u}]}}\n", `/models/m/targets/0/upstream: no upstream named \"u\"`},
		{"models: [\n", `weir.yaml:5: `},
		{toMock(up) + "routes: [{path: 'POST /x', native: y}]\n", `weir.yaml:7: /routes/0/native: no native handler named \"y\"`},
	} {
		g.write(t, tt.text)
		g.signal(syscall.SIGHUP)
		line := g.log.wait(t, i+1, `"level":"ERROR","msg":"configuration not reloaded.*"because":"SIGHUP"`)[i]
		if !strings.Contains(line, tt.want) {
			t.Errorf("got %s, want %s in it", line, tt.want)
		}
		if res, got := do(t, "POST", g.url+chat, askWhole); res.StatusCode != 200 {
			t.Errorf("got %d %s, want the old configuration in force", res.StatusCode, got)
		}
	}
	// What is mended is taken.
	g.write(t, strings.Replace(toMock(up), "{m:", "{n:", 1))
	g.signal(syscall.SIGHUP)
	g.log.wait(t, 1, reloaded)
	if res, _ := do(t, "POST", g.url+chat, askWhole); res.StatusCode != 404 {
		t.Errorf("got %d, want 404 for a model that is no more", res.StatusCode)
	}
	g.end()
}

// What only a restart can change is told.
func TestReloadTellsWhatStays(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, toMock(up))
	g.write(t, toMock(up)+"drain: 1s\n")
	g.signal(syscall.SIGHUP)
	g.log.wait(t, 1, `"level":"WARN","msg":"restart required to apply these changes","fields":\["/drain"\]`)
	g.log.wait(t, 1, reloaded)
	g.end()
}

// A file that is being written is not applied before it is whole, and then once.
func TestFileIsWritten(t *testing.T) {
	files := edits{"old", "old"}
	for i, look := range []struct {
		now  string
		want bool
	}{{"old", false}, {"half", false}, {"more", false}, {"whole", false}, {"whole", true}, {"whole", false}, {"?", false}, {"whole", false}} {
		if got := files.settled(look.now); got != look.want {
			t.Errorf("look %d sees %q: got %v, want %v", i, look.now, got, look.want)
		}
	}
}

// A file that changes is reloaded without being asked.
func TestFileChange(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, toMock(up))
	g.write(t, strings.Replace(toMock(up), "{m:", "{n:", 1))
	g.log.wait(t, 1, `"msg":"configuration reloaded","because":"a file has changed"`)
	if _, got := do(t, "GET", g.url+"/v1/models", ""); !strings.Contains(got, `"n"`) {
		t.Errorf("got %s, want model n", got)
	}
	g.end()
}
