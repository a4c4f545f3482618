// Package config is the gateway's configuration: a YAML file, patched by
// overlays, checked whole.
//
//	weir.yaml ─ YAML ─┐
//	o.yaml ─── YAML ──┴─ merged (RFC 7396) ─ decoded ─ defaults ─ checked ─ *Config
//
// The structs are the only place where the shape is written down. Their tags
// define what a field may hold, and four readers follow them: the decoder,
// which fills the structs and notes every mistake; [Schema], the JSON schema
// that an editor can use; the guide's page that has every field; and the tests
// that compare them.
//
//	json:"name"       the field's name
//	need:"true"       it must be given, and not be empty
//	enum:"a,b"        one of these strings
//	min:"1" max:"9"   bounds, in the field's own notation ("2s", "64MiB")
//	of:"merge"        JSON of any kind: a merge patch, or operations of a JSON Patch
//	unit:"…"          of what it is a number, or a name
//	doc:"…"           a sentence for the schema and the guide
//	example:"…"       a value, in YAML; of a map of structs, a name in it
//	later:"x,y"       fields (on the blank field) or values of an enum that weir
//	                  knows and does not support yet
//
// A mistake is a [Problem] with a JSON pointer into the merged document, and
// all of them are reported at once:
//
//	weir.yaml:12: /models/small/targets/0/upstream: no upstream named "vlm-a"; there are "vllm-a", "vllm-b"
//
// A pointer always names something that is in the document. What is missing is
// reported at the mapping it is missing from.
package config
