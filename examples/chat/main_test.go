package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/hub"
	"weir/weirtest"
)

func start(t *testing.T) *weirtest.Server {
	t.Helper()
	rooms, err := hub.New(hub.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rooms.Close() }) // it returns the memory broker's nil
	return weirtest.Start(t, &weir.Server{Handler: routes(rooms)})
}

// say posts a message and returns the status.
func say(s *weirtest.Server, room, contentType, body string) int {
	c := s.Dial()
	c.Send(fmt.Sprintf("POST /rooms/%s HTTP/1.1\r\nHost: chat\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", room, contentType, len(body), body))
	defer c.Close()
	return c.Response().Status
}

// join opens a room's events, behind a message that is already there.
func join(s *weirtest.Server, room, last string) *weirtest.Client {
	c := s.Dial()
	c.Send("GET /rooms/" + room + " HTTP/1.1\r\nHost: chat\r\nLast-Event-ID: " + last + "\r\n\r\n")
	return c
}

// heard returns the messages that have arrived, and the id of the last one.
func heard(c *weirtest.Client) (messages []string, last string) {
	for line := range strings.Lines(c.Response().Body) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			messages = append(messages, strings.TrimSpace(data))
		}
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			last = strings.TrimSpace(id)
		}
	}
	return messages, last
}

// Who joins gets what was said before; who comes back gets what was said meanwhile.
func TestChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		const hello, there = `{"from":"ann","text":"hello"}`, `{"from":"bob","text":"\u003cb\u003ethere\u003c/b\u003e"}`
		if got := say(s, "lobby", "application/json", ` { "from" : " ann " , "text" : "hello" } `); got != 204 {
			t.Fatalf("got status %d", got)
		}
		ann := join(s, "lobby", "")
		messages, last := heard(ann)
		if len(messages) != 1 || messages[0] != hello {
			t.Errorf("got %q, want %q", messages, hello)
		}
		ann.Reset()
		s.Tick(time.Second)
		say(s, "lobby", "application/json", `{"from":"bob","text":"<b>there</b>"}`)
		say(s, "other", "application/json", `{"from":"bob","text":"elsewhere"}`)
		ann = join(s, "lobby", last)
		if messages, _ := heard(ann); len(messages) != 1 || messages[0] != there {
			t.Errorf("got %q, want %q", messages, there)
		}
		if replay := ann.Response().Header.Get("Weir-Replay"); replay != "from="+last {
			t.Errorf("got Weir-Replay %q, want from=%s", replay, last)
		}
		if messages, _ := heard(s.Get("/rooms/lobby?after=" + last)); len(messages) != 1 || messages[0] != there {
			t.Errorf("a page that has connected anew: got %q, want %q", messages, there)
		}
	})
}

func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t)
		for body, want := range map[string]int{
			`{"from":"a","text":"b"}`: 204, `{"from":"","text":"b"}`: 400, `{"from":"a","text":" "}`: 400, `{`: 400, ``: 400,
			`{"from":"` + strings.Repeat("a", maxName+1) + `","text":"b"}`: 400, `{"from":"a","text":"` + strings.Repeat("b", maxText+1) + `"}`: 400,
			strings.Repeat(" ", 2*maxText+1): 413,
		} {
			if got := say(s, "r", "application/json", body); got != want {
				t.Errorf("%.40s: got status %d, want %d", body, got, want)
			}
		}
		if got := say(s, "r", "text/plain", `{"from":"a","text":"b"}`); got != 400 {
			t.Errorf("as text/plain, as a page of another origin may send it: got status %d, want 400", got)
		}
		if got := say(s, strings.Repeat("r", 300), "application/json", `{"from":"a","text":"b"}`); got != 400 {
			t.Errorf("a long name: got status %d, want 400", got)
		}
	})
}

func TestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := start(t).Get("/").Response()
		if res.Status != 200 || res.Body != string(page) || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			t.Errorf("got %d, %d bytes of %s", res.Status, len(res.Body), res.Header.Get("Content-Type"))
		}
	})
}
