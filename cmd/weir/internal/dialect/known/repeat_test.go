package known

import (
	"strconv"
	"strings"
	"testing"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/dialect/transcript"
)

// Events that are the last one again have the verdict that they would have by themselves, and those that are nearly so,
// their own. A body that arrives byte by byte is never read the short way.
func TestRepeats(t *testing.T) {
	for path, frame := range map[string]string{
		"/v1/chat/completions": `data: {"created":1,"choices":[{"index":0,"delta":{"content":"@"},"finish_reason":null}]}` + "\n\n",
		"/v1/completions":      `data: {"choices":[{"index":0,"text":"@","finish_reason":null}]}` + "\n\n",
		"/v1/messages":         "event: content_block_delta\ndata: " + `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"}}` + "\n\n",
		"/v1/responses":        "event: response.output_text.delta\ndata: " + `{"type":"response.output_text.delta","sequence_number":1,"delta":"@","logprobs":[]}` + "\n\n",
		"/api/chat":            `{"model":"m","message":{"role":"assistant","content":"@"},"done":false}` + "\n",
		"/api/generate":        `{"model":"m","response":"@","done":false}` + "\n",
	} {
		event := func(text string) string { return strings.Replace(frame, "@", text, 1) }
		e, a := endpointAt(t, path), event("a")
		for _, second := range []string{
			a, event("bc"), event(""), event(`\n`), event(`\"`), event(`\x`), event("\x01"), event("é"), event(strings.Repeat("x", 300)),
			event(`","error":"x`), event(`"},"done":true,"x":{"y":"`), event("\n"), event("\r"), event("x\n\n"), event("\""),
			strings.Replace(a, "null", `"stop"`, 1), strings.Replace(a, "false", "true", 1), strings.Replace(a, `"index":0`, `"index":1`, 1),
			strings.Replace(a, "}\n", "}", 1), strings.ReplaceAll(a, "\n", "\r\n"), a[:len(a)-1], a[:len(a)/2], ": hi\n\n" + a, "id: 1\n" + a, "\n" + a,
			strings.Replace(a, `"a"`, `"a`, 1), strings.Replace(a, `"a"`, "7", 1), strings.Replace(a, `"a"`, "{}", 1),
		} {
			for _, third := range []string{"", a, "data: [DONE]\n\n", event("zz")} {
				transcript.Split(t, e, []byte(a+second+third))
			}
		}
	}
}

// Events as servers send them whose members differ each time; in those of the
// other dialects nothing is looked at behind the text or the number: "#" is a number,
// "@" the text.
var stamped = map[string]string{
	"/v1/chat/completions": `data: {"t":#,"id":"c","choices":[{"index":0,"delta":{"content":"@"},"finish_reason":null}],"obfuscation":"x#"}` + "\n\n",
	"/v1/completions":      `data: {"id":"c","created":#,"choices":[{"text":"@","index":0,"logprobs":null}],"model":"m"}` + "\n\n",
	"/api/chat":            `{"model":"m","created_at":"2026-01-01T00:00:#Z","message":{"role":"assistant","content":"@"},"done":false}` + "\n",
	"/api/generate":        `{"model":"m","created_at":"2026-01-01T00:00:#Z","response":"@","done":false}` + "\n",
}

// stamp is an event of stamped.
func stamp(frame string, n int, text string) string {
	return strings.Replace(strings.ReplaceAll(frame, "#", strconv.Itoa(n)), "@", text, 1)
}

// Values that the judge does not ask for may differ, and nothing else.
func TestRepeatsWithOtherValues(t *testing.T) {
	for path, frame := range stamped {
		e := endpointAt(t, path)
		before := stamp(frame, 7, "a") + stamp(frame, 10, "b")
		number := func(with string) string { return strings.ReplaceAll(stamp(frame, 1234, "d"), "1234", with) }
		for _, next := range []string{
			stamp(frame, 11, "d"), stamp(frame, 11, ""), stamp(frame, 11, `\n`), stamp(frame, 11, "\n"),
			number(""), number("-1"), number("1.5"), number("1e3"), number("1]"), number("1,"), number(`1"`), number(`\"`), number("\n"), number("null"),
			number(`1,"error":{"message":"x"},"u":1`), number(`1","error":"x","u":"1`), number(`1"},"done":true,"x":{"y":"1`),
			number(strings.Repeat("9", 260)), strings.Replace(stamp(frame, 12, "d"), "null", `"stop"`, 1),
		} {
			transcript.Split(t, e, []byte(before+next+stamp(frame, 13, "zz")))
		}
	}
}

// counting is a judge of which is counted how often it is shown a member.
type counting struct {
	dialect.Judge
	members int
}

func (c *counting) Member(of dialect.Slot, v dialect.Value) bool {
	c.members++
	return c.Judge.Member(of, v)
}

// From the third event on the judge is not asked again.
func TestRepeatsAreNotScanned(t *testing.T) {
	for path, frame := range stamped {
		e, j := *endpointAt(t, path), new(counting)
		make := e.Judge
		e.Judge = func() dialect.Judge {
			j.Judge = make()
			return j
		}
		var r dialect.Reader
		r.Reset(&e)
		for n := range 9 {
			before, event := j.members, []byte(stamp(frame, 95+n, strings.Repeat("x", 1+n)))
			if read, v := r.Next(event); read != len(event) || !v.Has(dialect.Whole|dialect.Substance) {
				t.Fatalf("%s: got %d, %v for %q", path, read, v, event)
			}
			if asked := j.members > before; asked != (n < 2) {
				t.Errorf("%s, event %d: the judge was asked: %v, want only for the first two", path, n, asked)
			}
		}
	}
}
