package conform

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// responseCases are items 120, 124 and 135: what bodies and heads look like.
func responseCases() []Case {
	const text = "ä€😀 – ok"
	return []Case{
		c(120, "path that a redirect could copy", "", send(msg("GET //evil.example/../plaintext HTTP/1.1", host)), answerTo("GET", anyStatus(), localLocation), settled),
		c(120, "dot segments that a redirect could copy", "", send(msg("GET /a/../..//evil.example HTTP/1.1", host)), answerTo("GET", anyStatus(), localLocation), settled),
		c(120, "CR LF that a redirect could copy", "", send(msg("GET /a/..//plaintext?q=%0d%0aX-Injected:%201 HTTP/1.1", host)),
			answerTo("GET", anyStatus(), localLocation, without("X-Injected")), settled),
		c(124, "UTF-8 cut by chunks", "", serve(chunkedPost(bytewise(text)+lastChunk), text)),
		c(124, "UTF-8 under every split", "H22", sameUnderSplits(msg(postLine, host, fmt.Sprintf("Content-Length: %d", len(text)))+text, 200)),
		c(135, "NDJSON", "", send(msg("GET /ndjson?n=10 HTTP/1.1", host)), answer(200, names("Content-Type", "ndjson"), isNDJSON(10)), alive),
		c(135, "JSON", "", send(msg("GET /json HTTP/1.1", host)), answer(200, names("Content-Type", "application/json"), is(`{"message":"Hello, World!"}`)), alive),
		c(135, "values in JSON are escaped", "", send(msg("GET /params/17/a%22b?q=%0a HTTP/1.1", host, `X-Quote: "\`)), answer(200, isJSON), alive),
	}
}

// anyStatus returns every final status: for items that only restrict what the
// response contains.
func anyStatus() in {
	var all in
	for status := 200; status < 600; status++ {
		all = append(all, status)
	}
	return all
}

// localLocation wants no redirect to another host. The reader checks in every
// response that no field value holds CR or LF.
func localLocation(r *response) error {
	to, ok := r.value("Location")
	if ok && (strings.HasPrefix(to, "//") || strings.Contains(to, `\`) || !strings.HasPrefix(to, "/")) {
		return fmt.Errorf("got Location: %q, want a path of this host", to)
	}
	return nil
}

// bytewise is text as chunks of one byte.
func bytewise(text string) string {
	var out strings.Builder
	for i := range len(text) {
		out.WriteString("1\r\n" + text[i:i+1] + "\r\n")
	}
	return out.String()
}

func isJSON(r *response) error {
	if !json.Valid(r.body) {
		return fmt.Errorf("got body %s, want JSON", shorten(string(r.body)))
	}
	return nil
}

// isNDJSON wants n lines, each one JSON object.
func isNDJSON(n int) check {
	return func(r *response) error {
		text, ok := strings.CutSuffix(string(r.body), "\n")
		if !ok {
			return errors.New("got a last line without its end")
		}
		lines := strings.Split(text, "\n")
		if len(lines) != n {
			return fmt.Errorf("got %d lines, want %d", len(lines), n)
		}
		for _, line := range lines {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				return fmt.Errorf("got line %s, want an object: %w", shorten(line), err)
			}
		}
		return nil
	}
}
