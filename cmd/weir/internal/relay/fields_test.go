package relay

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/cmd/weir/internal/front"
	"weir/cmd/weir/internal/mock"
	"weir/cmd/weir/internal/upstream"
	"weir/weirtest"
)

// G12: the upstream's Date passes, once; where it sends none, or what is none,
// the answer is dated here.
func TestDate(t *testing.T) { each(t, testDate) }

func testDate(t *testing.T, gateway func(http.Handler) string) {
	const old, older = "Sun, 06 Nov 1994 08:49:37 GMT", "Sat, 05 Nov 1994 08:49:37 GMT"
	for _, tt := range []struct {
		name string
		sent []string
		want string // "" = now
	}{
		{"one", []string{old}, old},
		{"two", []string{old, older}, old},
		{"none", nil, ""},
		{"garbage", []string{"yesterday"}, ""},
	} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, stream %v", tt.name, stream), func(t *testing.T) {
				url := gateway(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header()["Date"] = tt.sent
					if stream {
						w.Header().Set("Content-Type", "text/event-stream")
					}
					io.WriteString(w, "data: [DONE]\n\n")
				}))
				begun := time.Now().Truncate(time.Second)
				res, _, err := post(t, url, ask)
				if err != nil {
					t.Fatal(err)
				}
				got := res.Header["Date"]
				if tt.want != "" {
					if strings.Join(got, "; ") != tt.want {
						t.Errorf("got %q, want %q", got, tt.want)
					}
					return
				}
				at, err := http.ParseTime(strings.Join(got, "; "))
				if err != nil || at.Before(begun) || at.After(time.Now()) {
					t.Errorf("got %q, %v, want now", got, err)
				}
			})
		}
	}
}

// G14: the gateway's own answers say what was tried, as relayed ones do, and
// those for which nobody was asked do not.
func TestAttemptsToldWithErrors(t *testing.T) {
	var ups []*upstream.Upstream
	for _, name := range []string{"first", "second"} {
		u := upstream.New(upstream.Config{Name: name, Endpoint: at("http://" + mock.Refused(t))})
		ups = append(ups, u)
	}
	mux := new(weir.Mux)
	mux.HandleLoop("POST /v1/chat/completions", newGateway(ups...).At(chat))
	url := "http://" + serve(t, mux) + "/v1/chat/completions"
	for _, tt := range []struct {
		name, body         string
		status             int
		attempts, upstream string
	}{
		{"two that refuse", ask, 502, "2", "second"},
		{"unknown model", `{"model":"other"}`, 404, "", ""},
		{"no JSON", `?`, 400, "", ""},
	} {
		res, got, err := post(t, url, tt.body)
		if err != nil || res.StatusCode != tt.status {
			t.Errorf("%s: got %d %q, %v, want %d", tt.name, res.StatusCode, got, err, tt.status)
		}
		if got := res.Header.Get("X-Weir-Attempts"); got != tt.attempts {
			t.Errorf("%s: got %q attempts, want %q", tt.name, got, tt.attempts)
		}
		if got := res.Header.Get("X-Weir-Upstream"); got != tt.upstream {
			t.Errorf("%s: got upstream %q, want %q", tt.name, got, tt.upstream)
		}
		timing := res.Header.Get("Server-Timing")
		if told := strings.HasPrefix(timing, "upstream;dur=") && strings.Contains(timing, ", weir;dur="); told != (tt.attempts != "") {
			t.Errorf("%s: got server-timing %q", tt.name, timing)
		}
	}
}

// An upstream is sent the id that the client gets back, once: the client's own
// if that can be used, which stays among the client's fields as it was.
func TestRequestIDIsSentUpstream(t *testing.T) {
	for name, tt := range map[string]struct{ sent, want string }{
		"the client's": {"X-Request-ID: mine\r\n", "mine"},
		"unusable":     {"X-Request-ID: not usable\r\n", "req_"},
		"none":         {"", "req_"},
		"not wanted":   {"X-Request-ID: mine\r\nConnection: x-request-id\r\n", "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := weirtest.Start(t, &weir.Server{OnHeaders: front.Identify, Handler: weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
					var got []string
					for _, f := range new(Gateway).fields(nil, r, new(made)) {
						if strings.EqualFold(string(f.Name), front.RequestID) {
							got = append(got, string(f.Value))
						}
					}
					sent, _, _ := strings.Cut(strings.TrimPrefix(tt.sent, "X-Request-ID: "), "\r\n")
					id := w.Header().Get(front.RequestID)
					if len(got) != 1 || got[0] != id || !strings.HasPrefix(id, tt.want) || r.Header().Get(front.RequestID) != sent {
						t.Errorf("the upstream is sent %q, the client %q and has sent %q, want %q", got, id, r.Header().Get(front.RequestID), tt.want)
					}
				})})
				c := s.Dial()
				c.Send("GET / HTTP/1.1\r\nHost: a\r\n" + tt.sent + "\r\n")
				if got := c.Response().Status; got != 200 {
					t.Errorf("got %d", got)
				}
			})
		})
	}
}
