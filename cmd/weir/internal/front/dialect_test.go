package front

import (
	"fmt"
	"testing"
	"testing/synctest"

	"weir"
	"weir/weirtest"
)

// G17: what the server refuses itself has the shape of the path's dialect: a path or method that there is not, a body
// that is too large.
func TestRefusalsInTheirDialect(t *testing.T) {
	mux := new(weir.Mux)
	for _, path := range []string{"/v1/chat/completions", "/v1/messages", "/v1/responses", "/api/chat"} {
		mux.HandleFunc("POST "+path, func(*weir.Response, *weir.Request) {})
	}
	srv := &weir.Server{Handler: mux, Limits: weir.Limits{Body: 10}, OnError: Explain(10)}
	synctest.Test(t, func(t *testing.T) {
		s := weirtest.Start(t, srv)
		for _, tt := range []struct{ method, path, body, want string }{
			{"GET", "/v1/chat/completions", "", `{"error":{"message":"Not allowed to GET on /v1/chat/completions.","type":"invalid_request_error","param":null,"code":"method_not_supported"}}`},
			{"GET", "/v1/messages", "", `{"type":"error","error":{"type":"invalid_request_error","message":"Not allowed to GET on /v1/messages."}}`},
			{"GET", "/api/chat", "", `{"error":"Not allowed to GET on /api/chat."}`},
			{"POST", "/v1/messages/batches", "", `{"type":"error","error":{"type":"not_found_error","message":"Invalid URL (POST /v1/messages/batches)"}}`},
			{"POST", "/api/pull", "", `{"error":"Invalid URL (POST /api/pull)"}`},
			{"POST", "/v1/responses", "0123456789a", `{"error":{"message":"The request body is larger than 10 bytes.","type":"invalid_request_error","param":null,"code":"request_too_large"}}`},
			{"POST", "/v1/messages", "0123456789a", `{"type":"error","error":{"type":"request_too_large","message":"The request body is larger than 10 bytes."}}`},
			{"POST", "/api/chat", "0123456789a", `{"error":"The request body is larger than 10 bytes."}`},
		} {
			c := s.Dial()
			c.Send(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", tt.method, tt.path, len(tt.body), tt.body))
			s.Settle()
			if res := c.Response(); res.Body != tt.want || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s %s: got %d %s, want %s", tt.method, tt.path, res.Status, res.Body, tt.want)
			}
			_ = c.Close()
		}
	})
}
