package relay

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/cmd/weir/internal/mock"
	"weir/cmd/weir/internal/upstream"
)

// ended is an Observer that hands on the records.
type ended struct {
	ignore
	records chan Record
}

func (e ended) Ended(r *Record) { e.records <- *r }

// to is an upstream that trusts the mock.
func to(t *testing.T, name, url string, m *mock.Server) *upstream.Upstream {
	t.Helper()
	cfg := upstream.Config{Name: name, Endpoint: at(url)}
	if m != nil && strings.HasPrefix(url, "https") {
		cfg.Roots = m.Pool()
	}
	u := upstream.New(cfg)
	return u
}

// mocked serves a gateway in front of the upstreams and returns its URL.
func mocked(t *testing.T, ups ...*upstream.Upstream) string {
	t.Helper()
	return served(t, newGateway(ups...))
}

func served(t *testing.T, g *Gateway) string {
	t.Helper()
	mux := new(weir.Mux)
	mux.HandleLoop("POST /v1/chat/completions", g.At(chat))
	return "http://" + serve(t, mux) + "/v1/chat/completions"
}

// padded makes a body of about n bytes around what is given.
func padded(before string, n int, after string) string {
	return before + `"messages":["` + strings.Repeat("x", n) + `"]` + after
}

// G8: wherever model and stream stand in a long body, and whatever its framing,
// it arrives as it was sent but for the name of the model.
func TestLongBody(t *testing.T) { each(t, testLongBody) }

func testLongBody(t *testing.T, gateway func(http.Handler) string) {
	url := gateway(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.ContentLength >= 0 && r.ContentLength != int64(len(b)) {
			t.Errorf("upstream got %d bytes of %d, %v", len(b), r.ContentLength, err)
		}
		w.Write(b)
	}))
	for _, name := range []string{"m", "short", "long"} {
		for _, size := range []int{gatherLimit / 2, gatherLimit, 5 * gatherLimit} {
			for _, tt := range []struct{ name, before, after string }{
				{"model first", `{"model":"` + name + `","stream":false,`, `}`},
				{"without stream", `{"model":"` + name + `",`, `}`},
				{"model last", `{`, `,"stream":false,"model":"` + name + `"}`},
			} {
				body := padded(tt.before, size, tt.after)
				want := strings.Replace(strings.Replace(body, `"short"`, `"s"`, 1), `"long"`, `"`+strings.Repeat("l", 400)+`"`, 1)
				for _, framed := range []io.Reader{strings.NewReader(body), io.MultiReader(strings.NewReader(body))} {
					req, _ := http.NewRequest("POST", url, framed)
					res, err := http.DefaultClient.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(res.Body)
					res.Body.Close()
					if err != nil || string(got) != want {
						t.Fatalf("%s, model %s, %d bytes (announced %d): got %d with %.100q, %v; want %d", tt.name, name, len(body), req.ContentLength, len(got), got, err, len(want))
					}
				}
			}
		}
	}
}

// G8: a long body goes on as soon as its model is known.
func TestLongBodyGoesOn(t *testing.T) { each(t, testLongBodyGoesOn) }

func testLongBodyGoesOn(t *testing.T, gateway func(http.Handler) string) {
	arrived := make(chan struct{})
	url := gateway(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadFull(r.Body, make([]byte, gatherLimit))
		close(arrived)
		rest, err2 := io.ReadAll(r.Body)
		fmt.Fprint(w, len(rest), err, err2)
	}))
	out, in := io.Pipe()
	first, rest := padded(`{"model":"m",`, 2*gatherLimit, ","), `"user":"u"}`
	go func() {
		io.WriteString(in, first)
		<-arrived // nothing else comes before the upstream has what is here
		io.WriteString(in, rest)
		in.Close()
	}()
	res, err := http.Post(url, "application/json", out)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if want := fmt.Sprint(len(first)+len(rest)-gatherLimit, nil, nil); err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// G8: a stream that turns out to be one at the end of a long body counts for
// the keep-alive comments and for the record.
func TestLateStream(t *testing.T) {
	release := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-release
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: [DONE]\n\n")
	}))
	defer up.Close()
	records := make(chan Record, 1)
	g := newGateway(to(t, "up", up.URL, nil))
	g.Observer, g.Models["m"].Keepalive = ended{records: records}, 20*time.Millisecond
	url := served(t, g)
	res, err := http.Post(url, "application/json", strings.NewReader(padded(`{"model":"m",`, 200<<10, `,"stream":true}`)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	const comment = ": keep-alive\n\n"
	heard := make([]byte, len(comment))
	if _, err := io.ReadFull(res.Body, heard); err != nil || string(heard) != comment {
		t.Errorf("got %q, %v, want a comment", heard, err)
	}
	close(release)
	if rest, err := io.ReadAll(res.Body); err != nil || !bytes.HasSuffix(rest, []byte("data: [DONE]\n\n")) {
		t.Errorf("got %q, %v, want the stream", rest, err)
	}
	if r := <-records; !r.Stream || r.Err != nil {
		t.Errorf("got a record with stream %v and %v, want a stream", r.Stream, r.Err)
	}
}

// G8: a request with two models, or one that a server may take for the model, is
// refused, wherever it is: which of them the upstream would take is not known, and
// only one was looked at.
func TestTwoModels(t *testing.T) { each(t, testTwoModels) }

func testTwoModels(t *testing.T, gateway func(http.Handler) string) {
	bodies := make(chan error, 1)
	url := gateway(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		bodies <- err
	}))
	for _, tt := range []struct {
		name, body string
		asked      bool
	}{
		{"short", `{"model":"m","stream":true,"model":"other"}`, false},
		{"another case", `{"model":"m","Model":"other"}`, false},
		{"another case alone", `{"MODEL":"m"}`, false},
		{"stream in another case", `{"model":"m","Stream":true}`, false},
		{"stream with a long s", `{"model":"m","\u017ftream":true}`, false},
		{"two streams", `{"model":"m","stream":true,"stream":false}`, false},
		{"the same", `{"model":"m","model":"m"}`, false},
		{"escaped", `{"model":"m","mode\u006c":"other"}`, false},
		{"long", padded(`{"model":"m",`, 1<<20, `,"model":"other"}`), true},
		{"long, another case", padded(`{"model":"m",`, 1<<20, `,"mOdel":"other"}`), true},
	} {
		res, got, err := post(t, url, tt.body)
		if err != nil || res.StatusCode != 400 || !strings.Contains(got, `"code":"duplicate_parameter"`) && !strings.Contains(got, `"code":"ambiguous_parameter"`) {
			t.Errorf("%s: got %d %q, %v, want 400", tt.name, res.StatusCode, got, err)
		}
		if tt.asked && <-bodies == nil {
			t.Errorf("%s: the upstream got a whole body", tt.name)
		}
	}
	if len(bodies) > 0 {
		t.Error("the upstream was asked for a short one")
	}
}

// G8: what is no JSON object at its end is not sent to its end.
func TestLongBodyBroken(t *testing.T) { each(t, testLongBodyBroken) }

func testLongBodyBroken(t *testing.T, gateway func(http.Handler) string) {
	bodies := make(chan error, 1)
	url := gateway(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		bodies <- err
	}))
	for _, after := range []string{"", "}}", "} x"} {
		res, got, err := post(t, url, padded(`{"model":"m",`, 1<<20, after))
		if err != nil || res.StatusCode != 400 || !strings.Contains(got, "JSON") {
			t.Errorf("%q: got %d %q, %v, want 400", after, res.StatusCode, got, err)
		}
		if <-bodies == nil {
			t.Errorf("%q: the upstream got a whole body", after)
		}
	}
}

// G6, G8: a long body is sent to another target if it is kept; one that is not,
// only when there was no connection to the first one.
func TestLongBodyElsewhere(t *testing.T) {
	for _, tls := range []bool{false, true} {
		good := mock.Start(t, mock.Config{TLS: tls})
		bad := mock.Start(t, mock.Config{TLS: tls, Rules: []mock.Rule{{Set: mock.Set{"fault": "reset-before-head"}}}})
		scheme, _, _ := strings.Cut(good.URL(), "://")
		for _, tt := range []struct {
			name, first string
			replay      int64
			status      int
			attempts    string
		}{
			{"refused", scheme + "://" + mock.Refused(t), gatherLimit, 200, "2"},
			{"reset", bad.URL(), gatherLimit, 502, "1"},
			{"reset, kept", bad.URL(), 4 << 20, 200, "2"},
		} {
			for _, body := range []string{padded(`{"model":"m",`, 1<<20, `}`), padded(`{`, 1<<20, `,"model":"m"}`)} {
				g := newGateway(to(t, "first", tt.first, bad), to(t, "second", good.URL(), good))
				g.MaxReplay = tt.replay
				url := served(t, g)
				good.Forget()
				res, got, err := post(t, url, body)
				if attempts := res.Header.Get("X-Weir-Attempts"); err != nil || res.StatusCode != tt.status || attempts != tt.attempts {
					t.Errorf("%s, tls %v: got %d after %s attempts, %.200q, %v; want %d after %s", tt.name, tls,
						res.StatusCode, attempts, got, err, tt.status, tt.attempts)
				}
				requests := good.Log().Requests
				if tt.status == 200 && (len(requests) != 1 || requests[0].BodyLength != int64(len(body))) || tt.status != 200 && len(requests) > 0 {
					t.Errorf("%s, tls %v: the other target saw %d requests", tt.name, tls, len(requests))
				}
			}
		}
	}
}

// G5, G8: while the client is slow to send its body the upstream is not late;
// one that does not take it is.
func TestSlowUpload(t *testing.T) {
	const limit = 10 * time.Second // of newGateway, for the first event
	atRig(t, 1, func(r *rig) {
		body := padded(`{"model":"m",`, 3*gatherLimit, `,"stream":true}`)
		c := r.dial(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:2*gatherLimit]))
		up := r.asked(0)
		if got := r.seen(up); !strings.HasSuffix(got, body[:2*gatherLimit]) {
			t.Fatalf("upstream got %d bytes, want what is there", len(got))
		}
		for i := range 5 { // above the least pace, but slow
			time.Sleep(limit/2 - time.Second)
			r.write(c, body[2*gatherLimit+i*1200:][:1200])
		}
		if got := r.seen(c); got != "" {
			t.Fatalf("got %q while the client is slow", got)
		}
		r.write(c, body[2*gatherLimit+6000:])
		if got := r.seen(up); got != body[2*gatherLimit:] {
			t.Fatalf("upstream got %d bytes, want the rest", len(got))
		}
		time.Sleep(limit - time.Second)
		if got := r.seen(c); got != "" {
			t.Fatalf("got %q before the upstream was late", got)
		}
		time.Sleep(2 * time.Second)
		if got := r.seen(c); !strings.HasPrefix(got, "HTTP/1.1 504 ") {
			t.Fatalf("got %q, want 504", got)
		}
	})
	atRig(t, 1, func(r *rig) {
		body := padded(`{"model":"m",`, 4<<20, `,"stream":true}`)
		c := r.dial(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:2*gatherLimit]))
		up := r.asked(0)
		r.seen(up)
		up.SetWindow(0)
		go io.WriteString(c, body[2*gatherLimit:]) // it will not get rid of all
		time.Sleep(limit + time.Second)
		if got := r.seen(c); !strings.HasPrefix(got, "HTTP/1.1 504 ") {
			t.Fatalf("got %q, want 504", got)
		}
		c.Close()
	})
}

// G8: of a long body nothing is held once it was sent, even if it had to be kept
// whole until its model was known.
func TestLongBodyFreed(t *testing.T) {
	arrived, release := make(chan int64), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		arrived <- n
		<-release
	}))
	defer up.Close()
	url := mocked(t, to(t, "up", up.URL, nil))
	const size = 30_000_000
	for _, tt := range []struct{ name, before, after string }{
		{"model first", `{"model":"m",`, `}`},
		{"model last", `{`, `,"model":"m"}`},
	} {
		before := heap()
		answered := make(chan error)
		go func() {
			head, tail := tt.before+`"messages":["`, `"]`+tt.after
			body := io.MultiReader(strings.NewReader(head), io.LimitReader(xs{}, size), strings.NewReader(tail))
			res, err := http.Post(url, "application/json", body)
			if err == nil {
				res.Body.Close()
			}
			answered <- err
		}()
		if n := <-arrived; n < size {
			t.Errorf("%s: got %d bytes, want more than %d", tt.name, n, size)
		}
		if held := heap() - before; held > 2<<20 {
			t.Errorf("%s: %d KiB are held while the answer is waited for, want less than 2 MiB", tt.name, held>>10)
		}
		release <- struct{}{}
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
}

// heap is the memory in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools held is gone by now
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// xs reads as the letter x for ever.
type xs struct{}

func (xs) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
