package policy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// chunk is a vLLM server's.
const chunk = `data: {"id":"chatcmpl-7f3a51c0d1ff4d2c9a6b7d8e9f001122","object":"chat.completion.chunk","created":1764230400,"model":"qwen2.5-7b-instruct","choices":[{"index":0,"delta":{"content":" stream"},"logprobs":null,"finish_reason":null}]}` + "\n\n"

var eventPatches = []struct{ name, patch string }{
	{"replace", `[{"op":"replace","path":"/model","value":"small"}]`},
	{"test+replace", `[{"op":"test","path":"/object","value":"chat.completion.chunk"},{"op":"replace","path":"/model","value":"small"}]`},
	{"test, another", `[{"op":"test","path":"/object","value":"chat.completion"},{"op":"replace","path":"/model","value":"small"}]`},
	{"deep", `[{"op":"add","path":"/choices/0/delta/role","value":"assistant"}]`},
	{"four", `[{"op":"test","path":"/object","value":"chat.completion.chunk"},{"op":"replace","path":"/model","value":"small"},{"op":"remove","path":"/created"},{"op":"add","path":"/x","value":1}]`},
}

func BenchmarkEvent(b *testing.B) {
	for _, bb := range eventPatches {
		b.Run(bb.name, func(b *testing.B) {
			p, event := compiled(b, bb.patch), []byte(chunk)
			var e Editor
			b.ReportAllocs()
			b.SetBytes(int64(len(event)))
			for b.Loop() {
				e.Event(p, event)
			}
		})
	}
}

// The same, decoded and encoded again by the library.
func BenchmarkLibrary(b *testing.B) {
	data := bytes.TrimSpace([]byte(strings.TrimPrefix(chunk, "data: ")))
	for _, bb := range eventPatches {
		b.Run(bb.name, func(b *testing.B) {
			p, err := jsonpatch.DecodePatch([]byte(bb.patch))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				_, _ = p.Apply(data)
			}
		})
	}
}

func BenchmarkRequest(b *testing.B) {
	p, problems := Compile(Source{
		Merge: []byte(`{"temperature":0.7}`),
		Patch: []byte(`[{"op":"test","path":"/stream","value":true},{"op":"replace","path":"/max_tokens","value":512}]`),
	})
	if problems != nil {
		b.Fatal(problems)
	}
	for _, size := range []int{1 << 10, 100 << 10, 4 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			text := strings.Repeat(`Once upon a time there was a \"model\".\n`, size/40)
			doc := []byte(`{"model":"m","messages":[{"role":"user","content":"` + text + `"}],"stream":true,"max_tokens":100}`)
			var e Editor
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if _, err := e.Apply(p.Request, doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
