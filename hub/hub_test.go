package hub_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/hub"
	"weir/internal/leak"
	"weir/weirtest"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m)) }

// room is a hub behind a server on the memory kernel: GET /t/{topic} subscribes, as=ndjson and skip=1 and all=1 choose
// how.
type room struct {
	*testing.T
	*weirtest.Server
	*hub.Hub
	srv *weir.Server
}

// atRoom runs f with a hub in a bubble with a fake clock.
func atRoom(t *testing.T, c hub.Config, f func(r *room)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h, err := hub.New(c)
		if err != nil {
			t.Fatal(err)
		}
		m := new(weir.Mux)
		serve := func(w *weir.Response, r *weir.Request) {
			o := new(hub.Options)
			q := r.Query()
			if q.Get("as") == "ndjson" {
				o.Format = hub.NDJSON
			}
			if q.Get("skip") != "" {
				o.Policy = hub.Skip
			}
			o.All = q.Get("all") != ""
			h.Serve(w, r, r.PathValue("topic"), o)
		}
		m.HandleFunc("/t/{topic}", serve).Inline()
		m.HandleFunc("/slow/t/{topic}", serve) // on a goroutine
		srv := &weir.Server{Handler: m, Loops: 2, Logger: slog.New(slog.DiscardHandler)}
		r := &room{t, weirtest.Start(t, srv), h, srv}
		f(r)
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		r.Settle()
		if s := h.Stats(); s.Subscribers != 0 || s.Topics != 0 || s.Bytes != 0 {
			t.Errorf("the closed hub has %+v, want nothing", s)
		}
	})
}

// publish publishes text.
func (r *room) publish(topic, text string) (delivered int) {
	r.Helper()
	n, err := r.Publish(topic, hub.Event{Data: []byte(text)})
	if err != nil {
		r.Error(err)
	}
	return n
}

// sub is one subscriber's client, which reads when the test does.
type sub struct {
	*room
	c *weirtest.Client
	// head is what precedes the body; replay is its Weir-Replay.
	head, replay string
	rest         string
	last         string // id of the last event
	gap          string // that of the last gap
}

// join subscribes. last is a Last-Event-ID, "" for none.
func (r *room) join(path, last string) *sub {
	r.Helper()
	c := r.Dial()
	request := "GET " + path + " HTTP/1.1\r\nHost: test\r\n"
	if last != "" {
		request += "Last-Event-ID: " + last + "\r\n"
	}
	c.Send(request + "\r\n")
	s := &sub{room: r, c: c, last: last}
	head, rest, _ := strings.Cut(c.Received(), "\r\n\r\n")
	s.head, s.rest = head, rest
	_, replay, _ := strings.Cut(head, "Weir-Replay: ")
	s.replay, _, _ = strings.Cut(replay, "\r\n")
	return s
}

func (s *sub) status() string { return strings.Fields(s.head + " none none")[1] }

// body is what has come of the body, out of its chunks.
func (s *sub) body() (text string) {
	s.Helper()
	s.rest += s.c.Received()
	for s.rest != "" {
		size, rest, ok := strings.Cut(s.rest, "\r\n")
		var n int
		if _, err := fmt.Sscanf(size, "%x", &n); err != nil || !ok || len(rest) < n+2 {
			break
		}
		text, s.rest = text+rest[:n], rest[n+2:]
	}
	return text
}

// events are those that have come, as "name:data", without what has no data; their ids are noted.
func (s *sub) events() (got []string) {
	s.Helper()
	for block := range strings.SplitSeq(s.body(), "\n\n") {
		name, data := "", []string(nil)
		for line := range strings.SplitSeq(block, "\n") {
			switch field, value, _ := strings.Cut(line, ": "); field {
			case "event":
				name = value + ":"
			case "id":
				s.last = value
			case "data":
				data = append(data, value)
			}
		}
		if data != nil {
			got = append(got, name+strings.Join(data, "\n"))
		}
		if name == "gap:" {
			s.gap = s.last
		}
	}
	return got
}

func (s *sub) expect(want ...string) {
	s.Helper()
	if got := s.events(); strings.Join(got, "|") != strings.Join(want, "|") {
		s.Errorf("got %q, want %q", got, want)
	}
}

// T1, T2, T4. Each subscriber gets each event, and who comes back continues where it was.
func TestTopic(t *testing.T) {
	for _, way := range []string{"", "/slow"} {
		t.Run("way="+way, func(t *testing.T) {
			atRoom(t, hub.Config{}, func(r *room) {
				if n := r.publish("a", "before"); n != 0 {
					t.Errorf("got %d delivered, want none", n)
				}
				one, two, other := r.join(way+"/t/a", ""), r.join(way+"/t/a", ""), r.join(way+"/t/b", "")
				if one.replay != "live" || !strings.Contains(one.head, "Content-Type: text/event-stream") {
					t.Errorf("got %s, want live, and events", one.head)
				}
				if n := r.publish("a", "x"); n != 2 {
					t.Errorf("got %d delivered, want 2", n)
				}
				one.expect("x")
				two.expect("x")
				two.c.Close()
				r.Settle()
				r.publish("a", "y")
				if n, err := r.Publish("a", hub.Event{Name: "note", Data: []byte("two\nlines")}); n != 1 || err != nil {
					t.Errorf("got %d, %v", n, err)
				}
				one.expect("y", "note:two\nlines")
				back := r.join(way+"/t/a", two.last)
				if back.replay != "from="+two.last {
					t.Errorf("got %s, want from=%s", back.replay, two.last)
				}
				back.expect("y", "note:two\nlines")
				r.publish("a", "z")
				back.expect("z")
				one.expect("z")
				other.expect()
				all := r.join(way+"/t/a?all=1", "")
				all.expect("before", "x", "y", "note:two\nlines", "z")
				for _, s := range []*sub{one, back, other, all} {
					s.c.Close()
				}
			})
		})
	}
}

// T3. One that has got no event yet knows where it is, too.
func TestPlaceBeforeTheFirstEvent(t *testing.T) {
	atRoom(t, hub.Config{}, func(r *room) {
		s := r.join("/t/a", "")
		s.expect() // but an id
		s.c.Close()
		r.publish("a", "missed")
		s = r.join("/t/a", s.last)
		s.expect("missed")
		s.c.Close()
	})
}

// T5, T6. No id that is not known is taken for one that is up to date.
func TestUnknownIds(t *testing.T) {
	atRoom(t, hub.Config{}, func(r *room) {
		other := r.join("/t/b", "")
		r.publish("b", "x")
		other.expect("x")
		s := r.join("/t/a", "")
		var ids []string
		for i := range 3 {
			r.publish("a", fmt.Sprint(i))
			s.expect(fmt.Sprint(i))
			ids = append(ids, s.last)
		}
		epoch, seq, _ := strings.Cut(s.last, "-")
		for name, id := range map[string]string{
			"of another topic": other.last, "a number": "2", "no id": "-", "of the future": epoch + "-" + seq + "0", "of a part": s.last + ".1",
			"padded": epoch + "-0" + seq, "signed": epoch + "-+" + seq, "of another numbering": strings.ToLower(epoch) + "x-" + seq, "long": strings.Repeat("9", 5000), "before all": epoch + "-0",
		} {
			lost := r.join("/t/a", id)
			if lost.replay != "gap="+ids[0] {
				t.Errorf("%s: got %q, want gap=%s", name, lost.replay, ids[0])
			}
			lost.expect("gap:"+ids[0], "0", "1", "2")
			lost.c.Close()
			again := r.join("/t/a", lost.gap) // it has disconnected behind the gap
			if again.replay != "from="+lost.gap {
				t.Errorf("%s: the gap's id: got %q, want from=%s", name, again.replay, lost.gap)
			}
			again.expect("0", "1", "2")
			again.c.Close()
		}
		line := r.join("/t/a?as=ndjson", "2")
		if line.replay != "gap="+ids[0] {
			t.Errorf("got %q, want gap=%s", line.replay, ids[0])
		}
		if got, want := line.body(), `{"id":"`+ids[0]+`","data":"0"}`+"\n"; !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want it to begin with %q", got, want)
		}
		nothing := r.join("/t/c", ids[0])
		place, _ := strings.CutPrefix(nothing.replay, "gap=")
		if place == nothing.replay {
			t.Errorf("a topic with nothing: got %q, want a gap", nothing.replay)
		}
		nothing.expect("gap:" + place)
		if nothing.gap != place {
			t.Errorf("the gap has the id %q, want %s", nothing.gap, place)
		}
		r.publish("c", "new")
		nothing.expect("new")
		again := r.join("/t/c", place)
		if again.replay != "from="+place {
			t.Errorf("the place of a gap: got %q, want from=%s", again.replay, place)
		}
		again.expect("new")
		for _, c := range []*sub{s, other, line, nothing, again} {
			c.c.Close()
		}
	})
}

// T7. Lines of JSON.
func TestNDJSON(t *testing.T) {
	atRoom(t, hub.Config{}, func(r *room) {
		s := r.join("/t/a?as=ndjson", "")
		if !strings.Contains(s.head, "Content-Type: application/x-ndjson") || s.replay != "live" {
			t.Errorf("got %s", s.head)
		}
		texts := []string{"x", "", "two\nlines", `"quoted" <b>&`, "\u2028é\x00", "bad \xff"}
		for _, text := range texts {
			r.publish("a", text)
		}
		if _, err := r.Publish("a", hub.Event{Name: "note", Data: []byte("n")}); err != nil {
			t.Error(err)
		}
		lines := strings.Split(strings.TrimSuffix(s.body(), "\n"), "\n")
		if len(lines) != len(texts)+1 {
			t.Fatalf("got %q, want %d lines", lines, len(texts)+1)
		}
		for i, line := range lines {
			var e struct{ ID, Event, Data string }
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID == "" {
				t.Errorf("%q: %v", line, err)
			}
			want := "n"
			if i < len(texts) {
				want = strings.ToValidUTF8(texts[i], "\ufffd")
			} else if e.Event != "note" {
				t.Errorf("%q: want its name", line)
			}
			if e.Data != want {
				t.Errorf("got %q, want %q", e.Data, want)
			}
		}
		if got := lines[3]; !strings.Contains(got, `<b>&`) {
			t.Errorf("got %q, want it unescaped", got)
		}
		s.c.Close()
	})
}

// T8. What is kept is bounded by bytes and by age, and a gap says so.
func TestHistory(t *testing.T) {
	limits := hub.Limits{Event: 1000, History: 10_000, Memory: 25_000, Age: time.Minute}
	atRoom(t, hub.Config{Limits: limits}, func(r *room) {
		s := r.join("/t/a", "")
		var ids []string
		for i := range 100 {
			r.publish("a", fmt.Sprint(i, " ", strings.Repeat("x", 500)))
			s.events()
			ids = append(ids, s.last)
		}
		if got := r.Stats().Bytes; got > 10_000 {
			t.Errorf("the topic has %d bytes, want at most 10000", got)
		}
		old := r.join("/t/a", ids[50])
		first, _ := strings.CutPrefix(old.replay, "gap=")
		if got := old.events(); len(got) < 5 || len(got) > 20 || got[0] != "gap:"+first || old.last != ids[99] {
			t.Errorf("got %d events from %.60q to %s, want the last ones", len(got), got[0], old.last)
		}
		recent := r.join("/t/a", ids[97])
		if got := recent.events(); recent.replay != "from="+ids[97] || len(got) != 2 {
			t.Errorf("got %s and %d events, want 2 behind %s", recent.replay, len(got), ids[97])
		}
		for i := range 10 {
			for range 10 {
				r.publish(fmt.Sprint("many", i), strings.Repeat("x", 500))
			}
		}
		if got := r.Stats().Bytes; got > 25_000 {
			t.Errorf("all topics have %d bytes, want at most 25000", got)
		}
		for topic, want := range map[string]int{"many0": 0, "many9": 10} { // those that are idle longest lose theirs first
			all := r.join("/t/"+topic+"?all=1", "")
			if got := len(all.events()); got != want {
				t.Errorf("%s: got %d events, want %d", topic, got, want)
			}
			all.c.Close()
		}
		r.Tick(2 * time.Minute)
		if got := r.Stats().Bytes; got != 0 {
			t.Errorf("got %d bytes after the age, want none", got)
		}
		aged := r.join("/t/a", ids[99])
		if aged.replay != "from="+ids[99] {
			t.Errorf("got %s, want %s, which is up to date", aged.replay, ids[99])
		}
		aged.expect()
		older := r.join("/t/a", ids[98])
		if older.replay != "gap="+ids[99] {
			t.Errorf("got %s, want the gap at the end", older.replay)
		}
		for _, c := range []*sub{s, old, recent, aged, older} {
			c.c.Close()
		}
		r.Tick(10 * time.Minute)
		if got := r.Stats().Topics; got != 0 {
			t.Errorf("got %d topics that nobody uses, want none", got)
		}
		back := r.join("/t/a", ids[99])
		if !strings.HasPrefix(back.replay, "gap=") {
			t.Errorf("got %s of a topic that was forgotten, want a gap", back.replay)
		}
		back.c.Close()
	})
}

// T9. A subscriber that is behind is cut, or skips, and nobody waits for it.
func TestBehind(t *testing.T) {
	limits := hub.Limits{Event: 10_000, History: 50_000}
	atRoom(t, hub.Config{Limits: limits}, func(r *room) {
		cut, skips, reads := r.join("/t/a", ""), r.join("/t/a?skip=1", ""), r.join("/t/a", "")
		cut.c.SetWindow(0)
		skips.c.SetWindow(0)
		for i := range 100 {
			if n := r.publish("a", fmt.Sprint(i, " ", strings.Repeat("x", 9000))); n != 3 && i < 10 {
				t.Errorf("got %d delivered, want 3", n)
			}
			if got := reads.events(); len(got) != 1 || !strings.HasPrefix(got[0], fmt.Sprint(i, " ")) {
				t.Fatalf("event %d: the one that reads got %.50q", i, got)
			}
		}
		cut.c.SetWindow(1 << 20)
		skips.c.SetWindow(1 << 20)
		if got := cut.events(); len(got) == 0 || len(got) > 99 || !strings.HasPrefix(got[0], "0 ") {
			t.Errorf("got %d events, want the first ones", len(got))
		}
		if err := cut.c.Err(); err == nil {
			t.Errorf("the one that is behind is not cut")
		}
		got := skips.events()
		gap, next := -1, 0
		for i, e := range got {
			if id, ok := strings.CutPrefix(e, "gap:"); ok {
				if gap >= 0 || id == "" {
					t.Errorf("got a second gap, or one without an id")
				}
				gap = i
				_, _ = fmt.Sscan(got[i+1], &next)
				continue
			}
			if !strings.HasPrefix(e, fmt.Sprint(next, " ")) {
				t.Fatalf("got %.20q, want %d", e, next)
			}
			next++
		}
		if gap < 1 || next != 100 {
			t.Errorf("got %d events with a gap at %d up to %d, want a gap and 100", len(got), gap, next)
		}
		again := r.join("/t/a", cut.last)
		if !strings.HasPrefix(again.replay, "gap=") {
			t.Errorf("got %s, want a gap", again.replay)
		}
		rest := r.join("/t/a", skips.gap)
		if n := len(rest.events()); rest.replay != "from="+skips.gap || n != len(got)-gap-1 {
			t.Errorf("behind the gap: got %s and %d events, want the %d that came then", rest.replay, n, len(got)-gap-1)
		}
		for _, s := range []*sub{cut, skips, reads, again, rest} {
			s.c.Close()
		}
	})
}

// T10. Every limit has its response.
func TestLimits(t *testing.T) {
	limits := hub.Limits{Event: 100, Name: 10, Topics: 3, Subscribers: 4, PerTopic: 2}
	atRoom(t, hub.Config{Limits: limits}, func(r *room) {
		for _, tt := range []struct {
			topic, name, data string
			want              error
			status            int
		}{
			{"a", "", strings.Repeat("x", 101), hub.ErrTooLarge, 413},
			{"a", "n", strings.Repeat("x", 100), hub.ErrTooLarge, 413},
			{"a", "two\nlines", "x", hub.ErrEvent, 400},
			{"a", "nul\x00", "x", hub.ErrEvent, 400},
			{"a", "gap", "x", hub.ErrEvent, 400},
			{"", "", "x", hub.ErrTopic, 400},
			{"12345678901", "", "x", hub.ErrTopic, 400},
			{"a\nb", "", "x", hub.ErrTopic, 400},
		} {
			_, err := r.Publish(tt.topic, hub.Event{Name: tt.name, Data: []byte(tt.data)})
			if !errors.Is(err, tt.want) || hub.Status(err) != tt.status {
				t.Errorf("%q: got %v, want %v and %d", tt.topic, err, tt.want, tt.status)
			}
		}
		subs := []*sub{r.join("/t/a", ""), r.join("/t/a", "")}
		refused := r.join("/t/a", "")
		if refused.status() != "503" || !strings.Contains(refused.head, "Retry-After: 1") {
			t.Errorf("a third one of the topic: got %q", refused.head)
		}
		subs = append(subs, r.join("/t/b", ""), r.join("/t/c", ""))
		if s := r.join("/t/b", ""); s.status() != "503" {
			t.Errorf("a fifth one: got %s", s.head)
		}
		if s := r.join("/t/d", ""); s.status() != "503" {
			t.Errorf("a fourth topic: got %s", s.head)
		}
		if _, err := r.Publish("d", hub.Event{}); !errors.Is(err, hub.ErrTooMany) || hub.Status(err) != 503 {
			t.Errorf("publishing to a fourth topic: got %v", err)
		}
		if s := r.join("/t/12345678901", ""); s.status() != "400" {
			t.Errorf("a long name: got %s", s.head)
		}
		subs[3].c.Close()
		r.Settle()
		if s := r.join("/t/d", ""); s.status() != "200" { // in place of c, which nobody uses
			t.Errorf("a fourth topic when the third is free: got %s", s.head)
		} else {
			s.c.Close()
		}
		for _, s := range subs[:3] {
			s.c.Close()
		}
	})
}

// A configuration that makes no sense is an error.
func TestConfig(t *testing.T) {
	for _, c := range []hub.Config{
		{Policy: 9}, {Limits: hub.Limits{Event: -1}}, {Limits: hub.Limits{Name: -1}}, {Limits: hub.Limits{History: -1}},
		{Limits: hub.Limits{Memory: -1}}, {Limits: hub.Limits{History: 100}}, {Limits: hub.Limits{Memory: 1000}},
	} {
		if _, err := hub.New(c); err == nil {
			t.Errorf("%+v: got no error", c)
		}
	}
}

// T11. Heartbeats are for subscribers of SSE that have got nothing for a while.
func TestHeartbeat(t *testing.T) {
	atRoom(t, hub.Config{Heartbeat: 20 * time.Second}, func(r *room) {
		s, lines := r.join("/t/a", ""), r.join("/t/a?as=ndjson", "")
		s.body()
		r.Tick(21 * time.Second)
		if got := s.body(); got != ":\n\n" {
			t.Errorf("got %q, want a comment", got)
		}
		for range 10 {
			r.publish("a", "x")
			r.Tick(9 * time.Second)
		}
		if got := s.body(); strings.Contains(got, ":\n\n") {
			t.Errorf("got %q, want no comment", got)
		}
		r.Tick(100 * time.Second)
		if got := strings.Count(s.body(), ":\n\n"); got != 5 {
			t.Errorf("got %d comments in 100 s, want 5", got)
		}
		if got := strings.Count(lines.body(), "\n"); got != 10 {
			t.Errorf("got %d lines, want the 10 events", got)
		}
		s.c.Close()
		lines.c.Close()
	})
	for _, c := range []hub.Config{
		{},
		{Limits: hub.Limits{Age: 8 * time.Second}}, // for which the clock ticks more often
		{Limits: hub.Limits{Age: time.Hour}, Heartbeat: 10 * time.Minute},
	} {
		every := cmp.Or(c.Heartbeat, 30*time.Second)
		atRoom(t, c, func(r *room) {
			s := r.join("/t/a", "")
			s.body()
			r.Tick(every - time.Second)
			if got := s.body(); got != "" {
				t.Errorf("%v: got %q before it is due", every, got)
			}
			r.Tick(10*every + 2*time.Second)
			if got := strings.Count(s.body(), ":\n\n"); got != 11 {
				t.Errorf("%v: got %d comments, want 11", every, got)
			}
			s.c.Close()
		})
	}
	atRoom(t, hub.Config{Heartbeat: -1}, func(r *room) {
		s := r.join("/t/a", "")
		s.body()
		r.Tick(time.Hour)
		if got := s.body(); got != "" {
			t.Errorf("got %q, want nothing", got)
		}
		s.c.Close()
	})
}

// T12. Subscribers of a server that shuts down leave one by one, with a response that is complete.
func TestDrain(t *testing.T) {
	atRoom(t, hub.Config{Spread: 10 * time.Second}, func(r *room) {
		var subs []*sub
		for range 100 {
			subs = append(subs, r.join("/t/a", ""))
		}
		r.publish("a", "x")
		begun := time.Now()
		report := r.Drain()
		left := func() (n int) {
			for _, s := range subs {
				if s.body(); s.c.Err() != nil {
					n++
				}
			}
			return n
		}
		r.Tick(time.Second / 2)
		if n := left(); n > 30 {
			t.Errorf("%d of 100 have left at once", n)
		}
		r.Tick(5 * time.Second)
		if n := left(); n < 20 || n > 90 {
			t.Errorf("%d of 100 have left half way, want about half", n)
		}
		r.Tick(20 * time.Second)
		got := <-report
		if got.Cut != 0 || got.Drained != 100 || time.Since(begun) > 30*time.Second {
			t.Errorf("got %+v, want 100 drained", got)
		}
	})
}

// T13. A topic that ends is complete for its subscribers, and gone for those that have all of it.
func TestEnd(t *testing.T) {
	atRoom(t, hub.Config{}, func(r *room) {
		s := r.join("/t/a", "")
		r.publish("a", "last")
		if err := r.End("a"); err != nil {
			t.Error(err)
		}
		s.expect("last")
		if s.body(); !strings.HasSuffix(s.rest, "0\r\n\r\n") && s.c.Err() == nil && s.rest != "" {
			t.Errorf("got %q, want the end", s.rest)
		}
		if again := r.join("/t/a", s.last); again.status() != "204" {
			t.Errorf("got %s, want 204", again.head)
		}
		all := r.join("/t/a?all=1", "")
		all.expect("last")
		if _, err := r.Publish("a", hub.Event{}); !errors.Is(err, hub.ErrEnded) {
			t.Errorf("got %v, want ErrEnded", err)
		}
		if err := r.End("b"); err != nil { // nothing is kept of it
			t.Error(err)
		}
		lost := r.join("/t/b", "unknown")
		lost.events()
		if again := r.join("/t/b", lost.last); again.status() != "204" {
			t.Errorf("behind the gap: got %s, want 204", again.head)
		}
	})
}

// HEAD has the head of GET, and does not subscribe.
func TestHead(t *testing.T) {
	atRoom(t, hub.Config{}, func(r *room) {
		for _, way := range []string{"", "/slow"} {
			c := r.Dial()
			c.Send("HEAD " + way + "/t/a HTTP/1.1\r\nHost: test\r\n\r\n")
			if got := c.Received(); !strings.Contains(got, "Weir-Replay: live") || !strings.HasSuffix(got, "\r\n\r\n") {
				t.Errorf("got %q", got)
			}
			if n := r.Stats().Subscribers; n != 0 {
				t.Errorf("got %d subscribers, want none", n)
			}
			c.Close()
		}
	})
}
