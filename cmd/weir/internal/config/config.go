package config

import (
	"os"

	"weir/client"
)

// Config is a whole configuration as [Load] returns it: checked, with the
// defaults filled in. It does not change after that, so it is safe for
// concurrent use. The zero value is not a valid configuration.
type Config struct {
	Listen      []string            `json:"listen" unit:"address" doc:"addresses to serve on: host:port, :port or unix:/path?mode=0660; with ?proxy=10.0.0.0/8 behind one, connections are those peers' alone and begin with the PROXY protocol" example:"['127.0.0.1:8080', 'unix:/run/weir.sock?mode=0660']"`
	TLS         TLS                 `json:"tls" doc:"TLS on every TCP address of listen, by HTTP/1.1 and HTTP/2"`
	Open        bool                `json:"open" doc:"serve everyone who can reach an address beyond loopback, without a key" example:"true"`
	Hosts       []string            `json:"hosts" unit:"host name or address" doc:"names of the gateway that clients may send in Host, without ports; * for any. Loopback addresses of listen also accept loopback names; others accept any name while the list is empty" example:"[gw.example]"`
	Admin       Admin               `json:"admin" doc:"where health and metrics are served"`
	Upstreams   map[string]Upstream `json:"upstreams" doc:"the servers that requests are relayed to, by name" example:"vllm-a"`
	Models      map[string]Model    `json:"models" doc:"the models that clients may ask for, by name; in a name * stands for any text: an exact name precedes all of those, then the longest that matches" example:"small"`
	Limits      Limits              `json:"limits" doc:"bounds for every client"`
	RetryBudget RetryBudget         `json:"retry_budget" doc:"how many requests may be retried with another target within ten seconds"`
	Native      []Library           `json:"native" doc:"shared libraries with native handlers, in addition to those that are compiled in"`
	Routes      []Route             `json:"routes" doc:"native handlers on paths of their own"`
	CORS        CORS                `json:"cors" doc:"which web pages may call the gateway"`
	Forwarded   string              `json:"forwarded" enum:"drop,pass,add" doc:"what upstreams are sent of the client's X-Forwarded-For, Forwarded, X-Real-IP and the like: nothing, all of it, or X-Forwarded-* and Forwarded with the client's own address appended" example:"add"`
	Strip       Strip               `json:"strip" doc:"what is removed from requests to upstreams, in addition to the fields and query parameters that are known to carry keys"`
	Log         Log                 `json:"log" doc:"the access log"`
	Drain       Duration            `json:"drain" min:"0s" max:"24h" doc:"how long running streams may continue after SIGTERM" example:"60s"`

	_    struct{}    `later:"keys,otel"`
	env  environment // what came from the environment
	docs []document  // the files
}

// TLS is the gateway's certificate. Without it the gateway speaks HTTP in the
// clear.
type TLS struct {
	Cert string `json:"cert" unit:"file" doc:"PEM file with the certificate, the intermediate ones behind it; it is read again when it changes; a relative path begins at the folder of the file that names it" example:"server.pem"`
	Key  string `json:"key" unit:"file" doc:"PEM file with the certificate's private key" example:"server.key"`
}

// Admin is the second listener, for operators.
type Admin struct {
	Listen   string `json:"listen" unit:"address" doc:"the address: host:port or unix:/path; empty for none; one beyond loopback needs token_env" example:"'127.0.0.1:9464'"`
	TokenEnv string `json:"token_env" unit:"environment variable" doc:"the environment variable with the bearer token that admin requests must carry" example:"WEIR_ADMIN_TOKEN"`
	Probes   bool   `json:"probes" doc:"serve /livez and /readyz on the addresses of listen too, for probes that cannot reach the admin address" example:"true"`
}

// Token returns the admin token, "" if none is required.
func (a Admin) Token() string { return fromEnv(a.TokenEnv) }

// Upstream is one server that requests are relayed to.
type Upstream struct {
	URL        string            `json:"url" need:"true" unit:"URL" doc:"where it is: http://host:port, https://host or unix:/path; a path is the base of the API and replaces the client's /v1: https://host/openai/v1; without one it is /v1" example:"https://llm.example/openai/v1"`
	Dialects   []string          `json:"dialects" enum:"openai,responses,anthropic,ollama" unit:"dialect" doc:"the APIs that it speaks: openai (chat completions, completions, embeddings), responses, anthropic (messages), ollama" example:"[openai, anthropic]"`
	KeyEnv     string            `json:"key_env" unit:"environment variable" doc:"the environment variable with the key that is sent to it" example:"VLLM_KEY"`
	Headers    map[string]string `json:"headers" unit:"field value" doc:"fields of every request to it; they replace the client's of the same name" example:"{x-team: infra}"`
	HTTP2      bool              `json:"http2" doc:"offer HTTP/2 to an https upstream; that costs more CPU, as its connections do not live on the event loops" example:"true"`
	Timeouts   Timeouts          `json:"timeouts" doc:"time limits; 0s is without limit"`
	MaxStreams int               `json:"max_streams" min:"0" max:"1000000" unit:"requests" doc:"requests at a time, beyond which another target is chosen; 0 is without limit" example:"256"`
	Health     Health            `json:"health" doc:"active probes; off without a path"`
	Breaker    Breaker           `json:"breaker" doc:"when it is skipped after failures"`
	Resolve    Duration          `json:"resolve" min:"0s" max:"24h" doc:"how long the addresses of its name are believed before they are looked up again; 0s is until one of them cannot be connected to" example:"30s"`
}

// Key returns the key that is sent to the upstream, "" for none. It is read
// from the environment each time, so that no printed Config shows it.
func (u Upstream) Key() string { return fromEnv(u.KeyEnv) }

// Endpoint returns the upstream's parsed URL. It is the zero Endpoint if the
// URL is wrong, which [Load] refuses.
func (u Upstream) Endpoint() client.Endpoint {
	e, _ := client.ParseEndpoint(u.URL) // Load has checked it
	return e
}

// Timeouts bound an exchange with an upstream. Zero is without limit.
type Timeouts struct {
	Connect    Duration `json:"connect" min:"0s" max:"24h" doc:"until the connection is established, TLS included" example:"2s"`
	FirstEvent Duration `json:"first_event" min:"0s" max:"24h" doc:"from the request to the first event of a stream" example:"120s"`
	Idle       Duration `json:"idle" min:"0s" max:"24h" doc:"between two events, or two pieces of a response that is not a stream" example:"120s"`
	Whole      Duration `json:"whole" min:"0s" max:"24h" doc:"from the request to the head of a response that is not a stream: models send it when the whole response is there" example:"600s"`
	Total      Duration `json:"total" min:"0s" max:"24h" doc:"the whole exchange" example:"30m"`
}

// Health is how an upstream is probed. Without a path it is not.
type Health struct {
	Path      string   `json:"path" unit:"path" doc:"the path of a GET request with the upstream's own headers and key; a status from 200 to 299 is a success; redirects are not followed" example:"/health"`
	Interval  Duration `json:"interval" min:"10ms" max:"24h" doc:"from one probe to the next" example:"5s"`
	Timeout   Duration `json:"timeout" min:"1ms" max:"24h" doc:"after which a probe has failed" example:"2s"`
	Healthy   int      `json:"healthy" min:"1" max:"100" unit:"probes" doc:"successes in a row that bring the upstream back" example:"2"`
	Unhealthy int      `json:"unhealthy" min:"1" max:"100" unit:"probes" doc:"failures in a row that take it out" example:"3"`
}

// Breaker is when an upstream is skipped because requests to it failed. An
// upstream that does not respond at all is skipped after a few failures in a
// row, whatever the share.
type Breaker struct {
	Share  float64  `json:"share" min:"0" max:"1" unit:"share of responses" doc:"the share of failures among the responses within window that opens it; 0 turns it off" example:"0.5"`
	Volume int      `json:"volume" min:"1" max:"1000000" unit:"responses" doc:"the responses within window from which the share counts" example:"10"`
	Window Duration `json:"window" min:"1ms" max:"24h" doc:"for how long a response counts" example:"10s"`
	Open   Duration `json:"open" min:"1ms" max:"24h" doc:"how long it stays open before one trial request is let through" example:"5s"`
}

// RetryBudget bounds the retries of all requests together, within ten seconds.
type RetryBudget struct {
	Share float64 `json:"share" min:"0" max:"1" unit:"share of requests" doc:"retries as a share of the requests" example:"0.2"`
	Floor int     `json:"floor" min:"0" max:"1000000" unit:"retries" doc:"retries that are always allowed" example:"10"`
}

// Model is a name that clients may ask for, and what serves it.
type Model struct {
	Targets   []Target `json:"targets" doc:"the upstreams that serve it"`
	Policy    string   `json:"policy" enum:"round_robin,least_outstanding,p2c,prefix_hash,session" doc:"how a target is chosen" example:"session"`
	Session   Session  `json:"session" doc:"what identifies a session for policy session; by default the user field"`
	Retries   int      `json:"retries" min:"0" max:"10" unit:"attempts" doc:"further attempts before the first event" example:"2"`
	RetryOn   []Status `json:"retry_on" unit:"status" doc:"statuses of an upstream after which the request is retried: numbers, and ranges such as 500-599; [] for none" example:"[408, 429, 500-599]"`
	Fallback  []string `json:"fallback" unit:"model" doc:"models to try, in order, when no target is left" example:"[big]"`
	Hold      Hold     `json:"hold" doc:"the window in which an early failure can still be retried with another target"`
	Keepalive Duration `json:"keepalive" min:"0s" max:"1h" doc:"silence after which the client of a stream is sent something that means nothing: a comment, a ping or an empty line, as its dialect has it; the response's status is 200 from then on; 0s is off, else at least 10ms" example:"10s"`
	Request   Request  `json:"request" doc:"what is changed in requests before they are sent to an upstream"`
	Event     Event    `json:"event" doc:"what is changed in the events of responses before they are sent to the client"`
	Response  Response `json:"response" doc:"what is changed in responses that are not streams before they are sent to the client"`
	Native    string   `json:"native" unit:"native handler" doc:"a native handler that serves the model instead of targets" example:"demo/babble"`
}

// Request is what a model changes in requests: by merge, and then by patch.
type Request struct {
	Merge JSON `json:"merge" of:"merge" doc:"a merge patch (RFC 7396): members that requests get, in place of their own; null removes one" example:"{temperature: 0.7}"`
	Patch JSON `json:"patch" of:"operations" doc:"a JSON Patch (RFC 6902); a request to which it does not apply, as when a test fails, gets 400" example:"[{op: test, path: /stream, value: true}, {op: replace, path: /max_tokens, value: 512}]"`
}

// Event is what a model changes in the events of responses.
type Event struct {
	Patch JSON `json:"patch" of:"operations" doc:"a JSON Patch (RFC 6902) for the JSON of each event; an event to which it does not apply passes unchanged, so that test selects events" example:"[{op: replace, path: /model, value: small}]"`
}

// Response is what a model changes in responses that are not streams.
type Response struct {
	Patch JSON `json:"patch" of:"operations" doc:"a JSON Patch (RFC 6902) for a whole response in JSON that is not an error; one to which it does not apply passes unchanged, so that test selects responses" example:"[{op: replace, path: /model, value: small}]"`
}

// Target is one upstream of a model.
type Target struct {
	Upstream string `json:"upstream" need:"true" unit:"upstream" doc:"the name of an upstream" example:"vllm-a"`
	Model    string `json:"model" unit:"model" doc:"the model's name there; the name that the client used if empty" example:"qwen2.5-7b"`
	Weight   int    `json:"weight" min:"1" max:"1000" unit:"parts" doc:"its share, relative to the other targets" example:"2"`
}

// Session is what makes requests one session under policy session: the header's
// value, or the body's user if that is missing or not configured.
type Session struct {
	Header string `json:"header" unit:"header field" doc:"the name of a request header" example:"x-session-id"`
	User   bool   `json:"user" doc:"the body's user field" example:"true"`
}

// Hold is how long the beginning of a stream is held back: until one event has
// something of the model's, and so many have come. Without events nothing is
// held.
type Hold struct {
	Events int      `json:"events" min:"0" max:"64" unit:"events" doc:"events to wait for, one of which must have something of the model's" example:"1"`
	Wait   Duration `json:"wait" min:"0s" max:"5m" doc:"how long an event of the model's waits for further ones; also the longest Retry-After that is waited for" example:"2s"`
}

// Limits are bounds for every client.
type Limits struct {
	Body    Size `json:"body" min:"1KiB" max:"64GiB" doc:"the largest request body" example:"64MiB"`
	Bodies  Size `json:"bodies" min:"0B" max:"65536GiB" doc:"request bytes that are kept for all clients together; beyond it 503; 0 is a quarter of the memory limit (GOMEMLIMIT, control group, ulimit -v, machine)" example:"2GiB"`
	Replay  Size `json:"replay" min:"0B" max:"1GiB" doc:"the largest request body that is kept for another attempt; a longer one is relayed while it arrives, to one target" example:"4MiB"`
	Streams int  `json:"streams" min:"1" max:"10000000" unit:"requests" doc:"requests at a time" example:"20000"`
	Event   Size `json:"event" min:"1KiB" max:"1GiB" doc:"the largest event that is gathered, to be changed by event.patch or held back, and the largest response that response.patch changes; what only passes is of any length" example:"4MiB"`
}

// Library is a shared library with native handlers that speak the C ABI of
// plugin/include/weir_plugin.h.
type Library struct {
	SO string `json:"so" need:"true" unit:"file" doc:"the file; a relative path begins at the folder of the file that names it" example:"./libtiny.so"`
}

// Route is a native handler on a path of its own.
type Route struct {
	Path   string `json:"path" need:"true" unit:"pattern" doc:"the requests that it gets, as a pattern of method and path; {name} stands for a part of the path" example:"POST /v1/generate"`
	Native string `json:"native" need:"true" unit:"native handler" doc:"the name of the handler" example:"demo/babble"`
}

// CORS is which web pages may call the gateway. nil is the default, which
// depends on the listener.
type CORS struct {
	Origins []string `json:"origins" unit:"origin" doc:"the origins of the pages: * for all, or such as https://app.example. Without it, pages and desktop applications on this machine may call loopback addresses, and no others may call anything; [] allows none at all" example:"['https://app.example']"`
}

// Strip is further parts of a request that are not sent to upstreams.
type Strip struct {
	Headers []string `json:"headers" unit:"header field" doc:"names of header fields" example:"[x-tenant-key]"`
	Query   []string `json:"query" unit:"query parameter" doc:"names of query parameters" example:"[token]"`
}

// Log is the access log: one line for each request.
type Log struct {
	Access  string   `json:"access" enum:"stdout,stderr,none" doc:"where it goes" example:"stdout"`
	Format  string   `json:"format" enum:"auto,json,text" doc:"how a line is written; auto is text on a terminal, else json" example:"json"`
	Sample  float64  `json:"sample" min:"0" max:"1" unit:"share of requests" doc:"the share of the requests that are logged; failed ones always are" example:"0.1"`
	Proxies []string `json:"proxies" unit:"address, prefix, loopback, private, unix or *" doc:"proxies in front of the gateway that name their clients in X-Forwarded-For: the log has those; that field of others is not read" example:"[10.0.0.0/8]"`
}

func fromEnv(name string) string {
	if name == "" {
		return ""
	}
	return os.Getenv(name)
}
