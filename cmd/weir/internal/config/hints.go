package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// This file is what is meant by names that there are not: those of other
// gateways, of earlier versions, and of fields that stand elsewhere.

// hints are answers to unknown fields, by the struct that was to have them and
// by the names of the fields as bare writes them.
var hints = map[reflect.Type]map[string]string{
	reflect.TypeFor[Config](): table(
		"port host bind address addr addresses server", `the addresses to serve on are listen: ["127.0.0.1:8080"]`,
		"providers backends servers endpoints clusters origins", `servers that requests are relayed to are upstreams: {NAME: {url: "http://127.0.0.1:8000"}}`,
		"model_list deployments", `models are models: {NAME: {targets: [{upstream: NAME}]}}`,
		"key api_key api_keys token tokens auth users virtual_keys", `keys of clients are not supported yet; the key for an upstream is its key_env`,
		"timeout timeouts", `timeouts are an upstream's: upstreams: {NAME: {timeouts: {first_event: 120s}}}`,
		"metrics prometheus monitoring", `metrics are served at the address in admin: {listen: "127.0.0.1:9464"}`,
		"telemetry tracing", `traces are not supported yet`,
		"logging access_log log_level logs", `the access log is log: {access: stdout, format: json}`,
		"workers threads loops", `the number of event loops is the flag --loops`,
		"max_body body_limit max_body_size client_max_body_size", `the largest request body is limits: {body: 64MiB}`,
		"allowed_origins", `whose pages may use the gateway is cors: {origins: ["https://app.example"]}`,
		"allowed_hosts trusted_hosts server_name", `the names that clients may send in Host are hosts: [gw.example]`,
		"grace shutdown_timeout grace_period graceful_timeout", `how long running streams may continue is drain: 60s; the time before that is the flag --grace`,
		"ssl", `TLS on the addresses of listen is tls: {cert: server.pem, key: server.key}`,
	),
	reflect.TypeFor[TLS](): table(
		"certificate crt cert_file certfile ssl_certificate", `the file with the certificate is cert`,
		"key_file keyfile private_key ssl_certificate_key", `the file with the private key is key`,
		"enabled", `TLS is on where there are cert and key`,
	),
	reflect.TypeFor[Admin](): table(
		"token key password secret", `the token is not written here: token_env is the name of the environment variable that has it`,
		"port address addr host bind", `the address is listen: "127.0.0.1:9464"`,
		"enabled", `listen: "" turns it off`,
	),
	reflect.TypeFor[Upstream](): table(
		"key api_key token auth authorization bearer password secret credentials", `a key is not written here: key_env is the name of the environment variable that has it`,
		"base_url api_base endpoint address addr host uri server target base", `where the upstream is is its url: "https://host/v1"`,
		"tls ssl https cert ca insecure insecure_skip_verify verify", `TLS follows from the url: write https:// there. The authorities of this system are trusted, or those in the file that the environment variable SSL_CERT_FILE names`,
		"timeout request_timeout response_timeout read_timeout", `there are several: timeouts: {connect: 2s, first_event: 120s, idle: 120s, whole: 600s, total: 0s}`,
		"model models model_name", `the name of a model there is its target's: models: {NAME: {targets: [{upstream: NAME, model: NAME}]}}`,
		"dialect", `an upstream may speak several: dialects: [openai]`,
		"type provider api api_type kind format protocol schema", `the APIs that it speaks are dialects: [openai]`,
		"max_connections max_concurrency concurrency max_requests limit max_parallel_requests max_conns", `how many requests it may have at a time is max_streams`,
		"healthcheck health_path health_url", `health probes are health: {path: /health}`,
	),
	reflect.TypeFor[Timeouts](): table(
		"request response read", `first_event bounds the wait for a stream, whole that for another response, idle the silence within, and total everything`,
		"ttft first_token first_byte first", `the time until a stream's first event is first_event`,
		"dial", `the time for the connection is connect`,
	),
	reflect.TypeFor[Health](): table(
		"url endpoint", `what is asked for is path: /health; it begins at the host of the upstream's url`,
		"enabled", `there are probes where there is a path`,
	),
	reflect.TypeFor[Breaker](): table(
		"failures", `failures in a row no longer open the breaker: "share: 0.5" with "volume: 10" opens it when half of at least ten responses failed, and "share: 0" turns it off`,
		"threshold ratio rate error_rate", `the share of failures that opens it is share: 0.5`,
		"enabled", `share: 0 turns it off`,
		"timeout cooldown sleep", `how long it stays open is open: 5s`,
	),
	reflect.TypeFor[Model](): table(
		"upstream upstreams target url base_url backend backends provider providers", `the upstreams that serve it are targets: [{upstream: NAME}]`,
		"strategy lb load_balancing load_balancer routing balance balancer", `how a target is chosen is policy: least_outstanding`,
		"num_retries max_retries attempts", `further attempts are retries`,
		"timeout timeouts", `timeouts are an upstream's: upstreams: {NAME: {timeouts: {first_event: 120s}}}`,
		"heartbeat ping", `silence after which a client hears something is keepalive: 10s`,
		"name id model model_name alias", `the model's name is that of the entry; the name that it has at an upstream is the target's: targets: [{upstream: NAME, model: NAME}]`,
		"temperature top_p max_tokens max_completion_tokens stop seed params parameters", `parameters of requests are set by request: {merge: {temperature: 0.7}}`,
		"key api_key token", `the key for an upstream is the upstream's key_env`,
		"handler plugin", `a native handler is native: demo/babble`,
	),
	reflect.TypeFor[Target](): table(
		"url base_url", `a target names an upstream; the url is the upstream's`,
		"name", `want upstream: NAME, and model: NAME if the model has another name there`,
	),
	reflect.TypeFor[Hold](): table("timeout time", `how long to wait for the events is wait: 2s`),
	reflect.TypeFor[Limits](): table(
		"body_size max_body max_body_size request request_size", `the largest request body is body`,
		"memory", `request bytes of all clients together are bodies`,
		"connections max_connections conns concurrency requests", `requests at a time are streams; connections have the limit on open files`,
		"event_size line max_event", `the longest line of an event is event`,
	),
	reflect.TypeFor[Route]():   table("handler", `the name of the handler is native`, "method", `the method is a part of the path: "POST /v1/generate"`, "model", `models are models: {NAME: {…}}; a route is for a native handler`),
	reflect.TypeFor[Library](): table("path file lib library", `the file is so: ./libtiny.so`),
	reflect.TypeFor[CORS]():    table("allow_origins allowed_origins origin", `whose pages may use the gateway is origins`),
	reflect.TypeFor[Log](): table(
		"level", `the access log has no levels; failures are logged to stderr at levels of their own`,
		"file path output", `access is stdout or stderr; redirect it to a file`,
	),
}

// only are fields that stand for a whole mapping where somebody writes one value
// in its place.
var only = map[reflect.Type]string{
	reflect.TypeFor[Upstream](): "{url: %q}",
	reflect.TypeFor[Model]():    "{targets: [{upstream: %q}]}",
	reflect.TypeFor[Target]():   "{upstream: %q}",
	reflect.TypeFor[Library]():  "{so: %q}",
	reflect.TypeFor[Admin]():    "{listen: %q}",
	reflect.TypeFor[Hold]():     "{wait: %q}",
	reflect.TypeFor[Health]():   "{path: %q}",
	reflect.TypeFor[CORS]():     "{origins: [%q]}",
	reflect.TypeFor[Log]():      "{access: %q}",
}

// inMapping says how a text is written where a mapping is wanted.
func inMapping(t reflect.Type, in any) string {
	s, isText := in.(string)
	if form := only[t]; isText && form != "" {
		return "; write " + fmt.Sprintf(form, s)
	}
	return ""
}

// inList says how a single item is written where a list is wanted.
func inList(item reflect.Type, in any) string {
	switch v := in.(type) {
	case string:
		if item.Kind() == reflect.String {
			return fmt.Sprintf("; write [%q]", v)
		}
		if form := only[item]; form != "" {
			return "; write [" + fmt.Sprintf(form, v) + "]"
		}
	case map[string]any:
		if item.Kind() == reflect.Struct {
			return "; write [{…}], or a hyphen before it"
		}
	}
	return ""
}

// byName says how a list is written where a mapping of names is wanted.
func byName(in any) string {
	if _, isList := in.([]any); isList {
		return "; write each entry under its name: NAME: {…}"
	}
	return ""
}

// table makes a map of pairs: names, separated by spaces, and what is meant by
// each.
func table(pairs ...string) map[string]string {
	meant := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		for name := range strings.FieldsSeq(pairs[i]) {
			meant[bare(name)] = pairs[i+1]
		}
	}
	return meant
}

// bare is a name without what distinguishes api_key, apiKey and API-Key.
func bare(name string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
}

// unknown says what could be meant by a field that t does not have.
func unknown(t reflect.Type, name string) string {
	names := shapeOf(t).names()
	if hint := hints[t][bare(name)]; hint != "" {
		return "unknown field: " + hint
	}
	for _, n := range names {
		if bare(n) == bare(name) {
			return "unknown field; did you mean \"" + n + "\"?"
		}
	}
	if near := nearest(name, names); near != "" {
		return "unknown field; did you mean \"" + near + "\"?"
	}
	if places := placesOf(name); len(places) > 0 {
		return "unknown field here; it is a field of " + strings.Join(places, " and of ")
	}
	return "unknown field; " + among(name, names)
}

// placesOf returns where a field of that name stands.
func placesOf(name string) (places []string) {
	var walk func(t reflect.Type, path string)
	walk = func(t reflect.Type, path string) {
		switch t.Kind() {
		case reflect.Map:
			walk(t.Elem(), path+".NAME")
		case reflect.Slice:
			walk(t.Elem(), path+"[]")
		case reflect.Struct:
			for _, f := range shapeOf(t).fields {
				here := strings.TrimPrefix(path+"."+fieldName(f), ".")
				if fieldName(f) == name && path != "" {
					places = append(places, path)
				} else if fieldName(f) == name {
					places = append(places, "the whole configuration")
				}
				walk(f.Type, here)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
	return places
}

// amount splits a text into its number and its unit, with nothing between them.
func amount(text string) (n, unit string) {
	i := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 {
		return text, ""
	}
	return text[:i], strings.ToLower(strings.TrimSpace(text[i:]))
}

// writtenDuration is how a text that is not a duration is probably meant, "" if
// that cannot be guessed.
func writtenDuration(text string) string {
	n, unit := amount(text)
	unit, ok := map[string]string{
		"": "s", "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "ms": "ms", "msec": "ms", "millis": "ms", "milliseconds": "ms",
		"m": "m", "min": "m", "mins": "m", "minute": "m", "minutes": "m", "h": "h", "hr": "h", "hour": "h", "hours": "h", "d": "d", "day": "d", "days": "d",
	}[unit]
	if unit == "d" {
		d, err := time.ParseDuration(n + "h")
		n, unit, ok = Duration(24*d).String(), "", ok && err == nil
	}
	if _, err := time.ParseDuration(n + unit); !ok || err != nil {
		return ""
	}
	return n + unit
}

// writtenSize is the same for a size.
func writtenSize(text string) string {
	n, unit := amount(text)
	unit, ok := map[string]string{
		"k": "KiB", "ki": "KiB", "kb": "kB", "kib": "KiB", "m": "MiB", "mi": "MiB", "mb": "MB", "mib": "MiB", "g": "GiB", "gi": "GiB", "gb": "GB", "gib": "GiB",
		"b": "B", "bytes": "B", "byte": "B",
	}[unit]
	if _, valid := parseSize(n + unit); !ok || !valid {
		return ""
	}
	return n + unit
}
