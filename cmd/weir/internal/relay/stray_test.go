package relay

import "testing"

func TestStrays(t *testing.T) {
	for path, want := range map[string]bool{
		"/v1/audio/speech": false, "/v1/a%20b/c": false, "/v1/files/%7Bid%7D": false, "/v1/a%2Fb": false, "/v1/..a/b%2e": false, "/v1/%2e%2e%2e": false,
		"/v1/%2e%2e/admin": true, "/v1/%2E./admin": true, "/v1/a/%2e": true, "/v1/..%2fadmin": true, "/v1/a%2F..%2F..%2Fadmin": true, "/v1/..%5Cadmin": true, "/v1/a%2f%2e%2e": true,
	} {
		if got := strays([]byte(path)); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}
