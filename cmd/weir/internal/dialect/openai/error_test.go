package openai

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"weir/cmd/weir/internal/dialect"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestGolden(t *testing.T) {
	model := Model{ID: "weir-demo", Created: 1700000000, OwnedBy: "weir"}
	golden(t, "model.json", AppendModel(nil, model))
	golden(t, "models.json", AppendModels(nil, []Model{model, {ID: "b/\"c\"", Created: 1, OwnedBy: "x"}}))
	golden(t, "models-none.json", AppendModels(nil, nil))
	golden(t, "error.json", Dialect.AppendError(nil, dialect.ModelNotFound("gpt-\"x\"")))
	golden(t, "error-event.txt", new(judge).AppendFault(nil, dialect.ServerError(500, "The upstream went away.\n"), dialect.Stamp{}))
}

// G17
func TestErrorShape(t *testing.T) {
	errs := map[string][]*dialect.Fault{
		"invalid_request_error": {dialect.ModelNotFound("x"), dialect.NotFound("GET", "/v2"), dialect.MethodNotAllowed("PUT", "/v1/models"), dialect.TooLarge(8 << 20), dialect.Missing("model"), dialect.Refused(400)},
		"server_error":          {dialect.Overloaded(), dialect.ServerError(502, "bad gateway"), dialect.Loop()},
		"rate_limit_error":      {dialect.Refused(429)},
		"authentication_error":  {dialect.Refused(401)},
	}
	for kind, faults := range errs {
		for _, e := range faults {
			checkShape(t, e, kind)
		}
	}
}

func checkShape(t *testing.T, e *dialect.Fault, kind string) {
	var body struct{ Error map[string]any }
	if err := json.Unmarshal(Dialect.AppendError(nil, e), &body); err != nil {
		t.Fatal(err)
	}
	if len(body.Error) != 4 || body.Error["message"] != e.Message || body.Error["type"] != kind {
		t.Errorf("got %v, want the four fields of %+v and type %s", body.Error, e, kind)
	}
	for field, want := range map[string]string{"param": e.Param, "code": e.Code} {
		if got := body.Error[field]; got != want && (want != "" || got != nil) {
			t.Errorf("%s: got %v, want %q", field, got, want)
		}
	}
	if e.Status < 400 || e.Message == "" {
		t.Errorf("got %+v, want a status and a message", e)
	}
}

// G4: an upstream's error becomes an event of one line, word for word; one in another shape is told in this one.
func TestRefusal(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":{"message":"x"}}`:                           `{"error":{"message":"x"}}`,
		"{\n \"error\": {\n\"code\": null}\r\n}":              `{"error":{"code":null}}`,
		`{"error":"x"}`:                                       `{"error":{"message":"x","type":"rate_limit_error","param":null,"code":null}}`,
		`{"type":"error","error":{"type":"t","message":"x"}}`: `{"error":{"message":"x","type":"rate_limit_error","param":null,"code":null}}`,
	} {
		f, ok := dialect.ReadFault(429, []byte(body))
		if !ok {
			t.Fatalf("%s is not an error", body)
		}
		want = "data: " + want + "\n\n"
		if got := string(new(judge).AppendFault(nil, f, dialect.Stamp{})); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
}
