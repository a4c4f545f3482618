package serve

import (
	"cmp"
	"strings"
	"testing"

	"weir/cmd/weir/internal/mock"
)

// failing is a request that cannot succeed, and what a client is told.
type failing struct {
	name   string
	model  string // "m" if not given; "-" is none
	fault  string // of the upstream
	long   bool   // the request is beyond limits.body
	status int    // 0: it fails in the middle
	class  string // of the package from PyPI
	code   string
	asked  int // requests that the upstream saw
}

// Before an answer's first event each error has its status, and so its type.
var refusals = []failing{
	{name: "no model named", model: "-", status: 400, class: "BadRequestError", code: "missing_required_parameter"},
	{name: "unknown model", model: "none", status: 404, class: "NotFoundError", code: "model_not_found"},
	{name: "too long", long: true, status: 413, class: "APIStatusError", code: "request_too_large"},
	{name: "upstream 400", fault: "status=400", status: 400, class: "BadRequestError", code: "mock_400", asked: 1},
	{name: "upstream 401", fault: "status=401", status: 401, class: "AuthenticationError", code: "mock_401", asked: 1},
	{name: "upstream 403", fault: "status=403", status: 403, class: "PermissionDeniedError", code: "mock_403", asked: 1},
	{name: "upstream 404", fault: "status=404", status: 404, class: "NotFoundError", code: "mock_404", asked: 1},
	{name: "upstream 409", fault: "status=409", status: 409, class: "ConflictError", code: "mock_409", asked: 1},
	{name: "upstream 422", fault: "status=422", status: 422, class: "UnprocessableEntityError", code: "mock_422", asked: 1},
	{name: "upstream 429", fault: "status=429", status: 429, class: "RateLimitError", code: "mock_429", asked: 1},
	{name: "upstream 500", fault: "status=500", status: 500, class: "InternalServerError", code: "mock_500", asked: 1},
	{name: "upstream 503", fault: "status=503", status: 503, class: "InternalServerError", code: "mock_503", asked: 1},
	{name: "refused", model: "gone", status: 502, class: "InternalServerError"},
	{name: "reset", fault: "reset-before-head", status: 502, class: "InternalServerError", asked: 2}, // G6: its connection was a kept one
	{name: "garbage", fault: "garbage-head", status: 502, class: "InternalServerError", asked: 1},
	{name: "too slow", model: "slow", fault: "slow-head=1h", status: 504, class: "InternalServerError", asked: 1},
}

// G4: what fails after its first event is an error while the client iterates,
// after all that had come; at three events that is two tokens.
var breaks = []failing{
	{name: "reset", fault: "reset-after=3", class: "APIError", asked: 1},
	{name: "closed", fault: "close-after=3", class: "APIError", asked: 1},
	// G1: its beginning was out, and they stumble over that.
	{name: "cut inside an event", fault: "cut-inside=4", class: "JSONDecodeError", asked: 1},
	{name: "bad chunk", fault: "bad-chunk-size=3", class: "APIError", asked: 1},
	{name: "silent", model: "silent", fault: "stall-after=3", class: "APIError", asked: 1},
	{name: "the upstream's own error event", fault: "error-event=4", class: "APIError", code: "mock_error", asked: 1},
}

// otherClasses are the types that the npm packages have for some that the PyPI
// package has.
var otherClasses = map[string]map[string]string{
	"openai (npm)": {"APIStatusError": "APIError", "JSONDecodeError": "SyntaxError"},
	"ai (npm)":     {"APIError": "Object", "JSONDecodeError": "AI_JSONParseError"}, // it hands over an event's error as it came
}

// classOf is the type that a package has for it.
func (f *failing) classOf(sdk string) string {
	if sdk == "ai (npm)" && f.status != 0 {
		return "AI_APICallError"
	}
	return cmp.Or(otherClasses[sdk][f.class], f.class)
}

func (f *failing) wish(mode string) wish {
	w := wish{Mode: mode, Model: cmp.Or(f.model, "m")}
	if f.model == "-" {
		w.Model = ""
	}
	if f.fault != "" {
		w.Headers = map[string]string{"x-mock-fault": f.fault}
	}
	if f.long {
		w.Message = strings.Repeat("long ", 1000)
	}
	return w
}

// toMockSDK has models over one mock: m is plain, slow and silent have upstreams
// that are not waited for long, and gone has one that is not there.
func toMockSDK(t *testing.T, up *mock.Server) string {
	const breaker = "breaker: {share: 0}"
	return "limits: {body: 4KiB}\nupstreams:\n" +
		"  up: {url: '" + up.URL() + "', " + breaker + "}\n" +
		"  slow: {url: '" + up.URL() + "', timeouts: {first_event: 100ms, whole: 100ms}, " + breaker + "}\n" +
		"  silent: {url: '" + up.URL() + "', timeouts: {idle: 500ms}, " + breaker + "}\n" +
		"  gone: {url: 'http://" + mock.Refused(t) + "', " + breaker + "}\n" +
		"models:\n" +
		"  m: {targets: [{upstream: up}]}\n" +
		"  slow: {targets: [{upstream: slow}]}\n" +
		"  silent: {targets: [{upstream: silent}]}\n" +
		"  gone: {targets: [{upstream: gone}]}\n"
}

// check asks and wants the failure.
func (f *failing) check(t *testing.T, s *sdk, up *mock.Server, sdk, mode, text string) {
	t.Helper()
	before := up.Counts().Requests
	got, last := s.ask(f.wish(mode))
	if sdk == "ai (npm)" && f.status != 0 {
		last.Code = f.code // it has none
	}
	if last.Type != "error" || last.Class != f.classOf(sdk) || last.Status != f.status || last.Code != f.code || last.Message == "" {
		t.Errorf("got %+v, want %s, status %d, code %q", last, f.classOf(sdk), f.status, f.code)
	}
	if got != text {
		t.Errorf("got the text %q, want %q", got, text)
	}
	if n := up.Counts().Requests - before; n != f.asked {
		t.Errorf("the upstream saw %d requests, want %d", n, f.asked)
	}
}

// The official clients stream, leave, and raise each error as its own type;
// after every one the next request works.
func TestSDKErrors(t *testing.T) {
	up := mock.Start(t, mock.Config{Tokens: 5})
	g := serve(t, toMockSDK(t, up), "--loops", "1") // so that connections to the upstream are kept for all
	const all = "token 0 token 1 token 2 token 3 token 4 "
	eachSDK(t, []string{"openai (npm)", "openai (PyPI)", "ai (npm)"}, func(t *testing.T, name string, open func(string) *sdk) {
		s := open(g.url)
		modes := []string{"stream", "once"}
		if name == "ai (npm)" {
			modes = modes[:1]
		}
		whole := func(t *testing.T, mode string) {
			t.Helper()
			text, last := s.ask(wish{Mode: mode, Model: "m"})
			if last.Type != "done" || last.Text != all || mode == "stream" && text != all {
				t.Errorf("got %q and %+v, want the whole answer", text, last)
			}
		}
		for _, mode := range modes {
			whole(t, mode)
			for _, tt := range refusals {
				t.Run(mode+"/"+tt.name, func(t *testing.T) {
					tt.check(t, s, up, name, mode, "")
					whole(t, mode)
				})
			}
		}
		for _, tt := range breaks {
			t.Run("broken/"+tt.name, func(t *testing.T) {
				tt.check(t, s, up, name, "stream", "token 0 token 1 ")
				whole(t, "stream")
			})
		}
		t.Run("an error in place of a stream", func(t *testing.T) { // G2: as if it had come with its status
			told := failing{fault: "error-event-first", status: 500, class: "InternalServerError", code: "mock_error", asked: 1}
			told.check(t, s, up, name, "stream", "")
			whole(t, "stream")
		})
		t.Run("complete without [DONE]", func(t *testing.T) {
			w := (&failing{fault: "no-done"}).wish("stream")
			if text, last := s.ask(w); last.Type != "done" || text != all {
				t.Errorf("got %q and %+v, want the whole answer", text, last)
			}
		})
		if name == "ai (npm)" {
			return
		}
		// A whole answer that broke has no form for an error: the connection is
		// cut, and the part not taken for the whole.
		for _, fault := range []string{"reset-after=2", "cut-inside=3"} {
			_, last := s.ask(wish{Mode: "once", Model: "m", Headers: map[string]string{"x-mock-fault": fault}})
			if last.Type != "error" || last.Status != 0 {
				t.Errorf("once, %s: got %+v, want an error", fault, last)
			}
			whole(t, "once")
		}
	})
	g.end()
}

// G3: a client that leaves by its package's own way ends its upstream's work,
// too, while the upstream speaks and while it is silent.
func TestSDKAborts(t *testing.T) {
	up := mock.Start(t, mock.Config{})
	g := serve(t, toMockSDK(t, up))
	left := 0
	eachSDK(t, []string{"openai (npm)", "openai (PyPI)", "ai (npm)"}, func(t *testing.T, _ string, open func(string) *sdk) {
		s := open(g.url)
		for _, set := range []map[string]string{
			{"x-mock-tokens": "1000000", "x-mock-pace": "5ms"},
			{"x-mock-fault": "stall-after=3"},
		} {
			text, last := s.ask(wish{Mode: "abort", Model: "m", After: 2, Headers: set})
			if last.Type != "aborted" || !strings.HasPrefix(text, "token 0 token 1 ") {
				t.Errorf("%v: got %q and %+v, want two tokens and no more wanted", set, text, last)
			}
			left++
			wait(t, up, func(c mock.Counts) bool { return c.Left >= left && c.Ended >= left })
			g.out.wait(t, left, `"status":499`)
		}
	})
	if n := up.Counts().Left; n != left {
		t.Errorf("the upstream saw %d clients leave, want %d", n, left)
	}
	g.end()
}
