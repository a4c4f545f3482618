package policy

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

const clientsDir = "../../../../scripts/clients"

// 10,000 random patches do what they do in JavaScript.
func TestOracleFastJSONPatch(t *testing.T) {
	in, out := startOracle(t)
	const questions = 10_000
	type question struct{ doc, patch string }
	asked := make(chan question, questions)
	go func() {
		defer close(asked)
		for i := range uint64(questions) {
			r := randomOf(i)
			q := question{doc: r.document()}
			q.patch = r.operations(q.doc)
			asked <- q
			oneLine := strings.NewReplacer("\n", " ", "\r", " ").Replace(fmt.Sprintf(`{"doc":%s,"patch":%s}`, q.doc, q.patch))
			if _, err := io.WriteString(in, oneLine+"\n"); err != nil {
				return
			}
		}
	}()
	var e Editor
	applied, different := 0, 0
	for q := range asked {
		line, err := out.ReadBytes('\n')
		if err != nil {
			t.Fatalf("the oracle has ended: %v", err)
		}
		var answer struct {
			Doc   json.RawMessage
			Error string
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			t.Fatalf("the oracle wrote %s: %v", line, err)
		}
		p := compiled(t, q.patch)
		got, err := e.Apply(p, []byte(q.doc))
		outside(t, []byte(q.doc), got, e.Edits())
		switch {
		case err != nil && answer.Error != "":
		case err == nil && answer.Error == "" && same(string(got), string(answer.Doc)):
			applied++
		case lenient(err):
			different++
		default:
			t.Errorf("%s\nwith %s\ngot %s, %v\nwant %s%s", q.doc, q.patch, got, err, answer.Doc, answer.Error)
		}
	}
	t.Logf("%d of %d patches applied, %d differences are right as they are", applied, questions, different)
	if applied < questions/5 {
		t.Errorf("only %d patches applied", applied)
	}
}

// lenient reports whether err is from a step that fast-json-patch does not
// check: move and copy to an index beyond the end of an array (RFC 6902 4.4 and
// 4.5 want what add does, which is an error), or to something below the value
// that was moved away.
func lenient(err error) bool {
	f, ok := err.(*Failure)
	return ok && f.Err == ErrAbsent && (f.Op == "move" || f.Op == "copy")
}

func startOracle(t *testing.T) (io.WriteCloser, *bufio.Reader) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: patches are not compared with fast-json-patch")
	}
	if _, err := os.Stat(filepath.Join(clientsDir, "node_modules", "fast-json-patch")); err != nil {
		t.Skip("fast-json-patch is not installed: run scripts/install.sh")
	}
	cmd := exec.Command(node, "patch.mjs")
	cmd.Dir = clientsDir
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if t.Failed() { // with answers left unread, it would wait for us forever
			cmd.Process.Kill()
		}
		if err := cmd.Wait(); err != nil && !t.Failed() {
			t.Errorf("oracle: %v", err)
		}
	})
	return in, bufio.NewReader(out)
}

// libraryApply is evanphx/json-patch with the RFC's rules, as far as it has
// them. It panics on some patches: panicked is true then.
func libraryApply(doc, patch string) (result string, err error, panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			panicked = true
		}
	}()
	p, err := jsonpatch.DecodePatch([]byte(patch))
	if err != nil {
		return "", err, false
	}
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = false
	got, err := p.ApplyWithOptions([]byte(strings.TrimSpace(doc)), options)
	return string(got), err, false
}

// 10,000 random patches do what they do in evanphx/json-patch, but for what the
// RFC has otherwise.
func TestLibrary(t *testing.T) {
	var e Editor
	applied, different := 0, map[string]int{}
	for i := range uint64(10_000) {
		r := randomOf(1<<32 + i)
		doc := r.document()
		patch := r.operations(doc)
		p := compiled(t, patch)
		got, err := e.Apply(p, []byte(doc))
		outside(t, []byte(doc), got, e.Edits())
		want, wantErr, panicked := libraryApply(doc, patch)
		switch {
		case !panicked && err != nil && wantErr != nil:
		case !panicked && err == nil && wantErr == nil && same(string(got), want):
			applied++
		default:
			if why := knownFault(p, err, wantErr, panicked); why != "" {
				different[why]++
				continue
			}
			t.Errorf("%s\nwith %s\ngot %s, %v\nwant %s, %v, panicked %v", doc, patch, got, err, want, wantErr, panicked)
		}
	}
	t.Logf("%d patches applied; the library's faults: %v", applied, different)
	if applied < 2000 {
		t.Errorf("only %d patches applied", applied)
	}
}

// knownFault names what v5.9.11 of the library does against RFC 6902.
func knownFault(p *Patch, err, libraryErr error, panicked bool) string {
	f, _ := err.(*Failure)
	switch {
	case panicked:
		return "panics"
	case slices.ContainsFunc(p.ops, func(op operation) bool { return op.kind == opCopy && len(op.from) == 0 }):
		return "copies the whole document as it was before the patch"
	case err == nil && errors.Is(libraryErr, jsonpatch.ErrTestFailed):
		return "finds 1.0 and 1 different"
	case f != nil && f.Op == "test" && f.Err == ErrAbsent:
		return "finds null where nothing is"
	}
	return ""
}

// Random merge patches do what they do in evanphx/json-patch, but for nulls in
// arrays, which it removes from objects there (RFC 7396 2: only objects of the
// patch itself are looked into).
func TestLibraryMerge(t *testing.T) {
	var e Editor
	different := 0
	for i := range uint64(3000) {
		r := randomOf(2<<32 + i)
		doc, merge := r.document(), r.object(3)
		if anyTwice([]byte(strings.TrimSpace(merge))) {
			continue
		}
		got, err := e.Apply(merged(t, merge), []byte(doc))
		outside(t, []byte(doc), got, e.Edits())
		if err != nil {
			t.Fatalf("%s with %s: %v", doc, merge, err)
		}
		var target, patch any
		if json.Unmarshal([]byte(doc), &target) != nil || json.Unmarshal([]byte(merge), &patch) != nil {
			t.Fatal("no JSON")
		}
		rfc, _ := json.Marshal(mergePatch(target, patch))
		if !same(string(got), string(rfc)) {
			t.Fatalf("%s with %s: got %s, want %s", doc, merge, got, rfc)
		}
		library, err := jsonpatch.MergePatch([]byte(doc), []byte(merge))
		if err != nil || !same(string(got), string(library)) {
			different++
			if !strings.Contains(merge, "[") || !strings.Contains(merge, "null") {
				t.Errorf("%s with %s: got %s, want %s, %v", doc, merge, got, library, err)
			}
		}
	}
	t.Logf("%d differences", different)
}

// mergePatch is the function of RFC 7396 2.
func mergePatch(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = mergePatch(object[name], value)
		}
	}
	return object
}

// Why the library is the oracle and not the engine (ADR 10). When a new version
// of it fails here, it has become better.
func TestFaultsOfTheLibrary(t *testing.T) {
	for _, tt := range []struct{ fault, doc, patch, ours, library string }{
		{"panics at null in an array", `{"a":[null]}`, `[{"op":"test","path":"/a","value":[null]}]`, `{"a":[null]}`, "panic"},
		{"finds 1.0 and 1 different", `{"a":1.0}`, `[{"op":"test","path":"/a","value":1}]`, `{"a":1.0}`, "error"},
		{"finds null where nothing is", `{}`, `[{"op":"test","path":"/a","value":null}]`, "error", `{}`},
		{"copies what the document was", `{"a":1}`, `[{"op":"remove","path":"/a"},{"op":"copy","from":"","path":"/b"}]`, `{"b":{}}`, `{"b":{"a":1}}`},
		{"reads other indexes", `[1,2]`, `[{"op":"remove","path":"/+01"}]`, "error", `[1]`},
		{"does not find empty names", `{"":{"a":1}}`, `[{"op":"replace","path":"//a","value":2}]`, `{"":{"a":2}}`, "error"},
		{"writes two members of one name", `{"a":1,"a":2}`, `[{"op":"replace","path":"/a","value":3}]`, "error", `{"a":3,"a":3}`},
		{"writes everything anew", `{"\u0061": [1 , "<"]}`, `[{"op":"add","path":"/b","value":1}]`, `{"\u0061": [1 , "<"],"b":1}`, `{"a":[1,"\u003c"],"b":1}`},
	} {
		got, err := new(Editor).Apply(compiled(t, tt.patch), []byte(tt.doc))
		library, libraryErr, panicked := libraryApply(tt.doc, tt.patch)
		ours := string(got)
		if err != nil {
			ours = "error"
		}
		if panicked {
			library = "panic"
		} else if libraryErr != nil {
			library = "error"
		}
		if ours != tt.ours || library != tt.library {
			t.Errorf("%s: got %s and, from the library, %s; want %s and %s", tt.fault, ours, library, tt.ours, tt.library)
		}
	}
	const merge = `{"patch":[{"op":"add","path":"/stop","value":null}]}`
	ours, err := new(Editor).Apply(merged(t, merge), []byte(`{}`))
	library, libraryErr := jsonpatch.MergePatch([]byte(`{}`), []byte(merge))
	if err != nil || libraryErr != nil || string(ours) != merge || string(library) != `{"patch":[{"op":"add","path":"/stop"}]}` {
		t.Errorf("merge: got %s, %v and, from the library, %s, %v", ours, err, library, libraryErr)
	}
}
