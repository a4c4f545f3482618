package pattern_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"weir/internal/pattern"
)

// restRoutes is the size and shape of a REST API: 52 routes.
func restRoutes() []string {
	var routes []string
	for _, r := range []string{"models", "files", "batches", "assistants", "threads", "vector_stores", "users", "projects"} {
		routes = append(routes, "GET /v1/"+r, "POST /v1/"+r, "GET /v1/"+r+"/{id}", "POST /v1/"+r+"/{id}", "DELETE /v1/"+r+"/{id}")
	}
	return append(routes, "POST /v1/chat/completions", "POST /v1/completions", "POST /v1/embeddings", "POST /v1/responses",
		"GET /v1/threads/{id}/messages/{message}", "GET /v1/threads/{id}/runs/{run}/steps/{step}", "GET /v1/files/{id}/content",
		"GET /healthz", "GET /metrics", "/static/{path...}", "GET /{$}", "POST /v1/messages")
}

var benchmarks = []struct{ name, method, path string }{
	{"literal", "POST", "/v1/chat/completions"},
	{"short", "GET", "/healthz"},
	{"wildcard", "GET", "/v1/models/qwen2.5-7b-instruct"},
	{"three", "GET", "/v1/threads/th_123/runs/run_456/steps/step_789"},
	{"rest", "GET", "/static/js/app/main.js"},
	{"escaped", "GET", "/v1/models/meta%2Fllama"},
	{"miss", "GET", "/v1/nothing/here"},
}

// BenchmarkMatch is what a Mux does for a request: match, and read the first value.
func BenchmarkMatch(b *testing.B) {
	tree := plant(b, restRoutes()...)
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) {
			method, host, path := []byte(bb.method), []byte("localhost:8080"), []byte(bb.path)
			var ps pattern.Params
			b.ReportAllocs()
			for b.Loop() {
				if _, _, ok := tree.Match(method, host, path, &ps); ok == (bb.name == "miss") {
					b.Fatalf("got match %v", ok)
				}
				ps.Get("id")
			}
		})
	}
}

// BenchmarkServeMux is the same with net/http. Its ServeHTTP is the only way to path values; the handler does nothing
// but read one.
func BenchmarkServeMux(b *testing.B) {
	mux := http.NewServeMux()
	for _, p := range restRoutes() {
		mux.HandleFunc(p, func(_ http.ResponseWriter, r *http.Request) { r.PathValue("id") })
	}
	for _, bb := range benchmarks {
		if bb.name == "miss" {
			continue // it would measure the writing of a 404
		}
		b.Run(bb.name, func(b *testing.B) {
			r := httptest.NewRequest(bb.method, "http://localhost:8080"+bb.path, nil)
			b.ReportAllocs()
			for b.Loop() {
				mux.ServeHTTP(nil, r)
			}
		})
	}
}
