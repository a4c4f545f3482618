package known

import (
	"testing"

	"weir"
	"weir/cmd/weir/internal/dialect"
)

// G17: an error is in the dialect of its path, also where nothing is served.
func TestOf(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/chat/completions": "openai", "/v1/models": "openai", "/v1/x": "openai", "/": "openai", "": "openai", "/v1/messagesx": "openai", "/apix": "openai",
		"/v1/messages": "anthropic", "/v1/messages/count_tokens": "anthropic", "/v1/messages/batches": "anthropic",
		"/v1/responses": "responses", "/v1/responses/resp_1/cancel": "responses",
		"/api/chat": "ollama", "/api/pull": "ollama", "/api": "ollama",
	} {
		if got := Of(path).Name(); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	for _, d := range Dialects {
		for _, e := range d.Endpoints() {
			if got := Of(e.Path); got != d || e.Dialect != d {
				t.Errorf("%s of %s: got %s, %s", e.Path, d.Name(), got.Name(), e.Dialect.Name())
			}
		}
		if Named(d.Name()) != d {
			t.Errorf("%s is not found by its name", d.Name())
		}
	}
	if d := Named("esperanto"); d != nil {
		t.Errorf("got %s, want nil", d.Name())
	}
}

// A mux takes all endpoints beside each other, and finds each of them.
func TestMux(t *testing.T) {
	mux := new(weir.Mux)
	for _, d := range Dialects {
		for _, e := range d.Endpoints() {
			mux.HandleFunc(e.Method+" "+e.Path, func(*weir.Response, *weir.Request) {})
		}
	}
	for path, want := range map[string]string{
		"/v1/messages": "/v1/messages", "/v1/messages/count_tokens": "/v1/messages/count_tokens", "/v1/audio/speech": "/v1/{path...}", "/v1/responses": "/v1/responses",
		"/api/chat": "/api/chat",
	} {
		if got, ok := mux.Match("POST", "", path); !ok || got.Pattern() != "POST "+want {
			t.Errorf("%s: got %v, want %q", path, got, want)
		}
	}
}

// Only what names a model in its body is relayed.
func TestRelayed(t *testing.T) {
	for _, d := range Dialects {
		for _, e := range d.Endpoints() {
			if got, want := e.Kind.Relayed(), e.Method == "POST"; got != want {
				t.Errorf("%s: got %v, want %v", e.Path, got, want)
			}
			if e.Kind == dialect.Generate && e.Judge == nil {
				t.Errorf("%s generates and has no judge", e.Path)
			}
		}
	}
}
