package dialect

import (
	"bytes"
	"mime/multipart"
	"strings"
	"testing"
)

// a form with these parts, each "name=value", or "@name=value" for a file.
func makeForm(t *testing.T, parts ...string) (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		name, value, _ := strings.Cut(p, "=")
		part, err := w.CreateFormField(name)
		if file, ok := strings.CutPrefix(name, "@"); ok {
			part, err = w.CreateFormFile(file, "a.wav")
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write([]byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

// The model is a part, before or behind the file; all other bytes pass unchanged.
func TestForm(t *testing.T) {
	noise := "\r\n--\r\n-\x00\r\r\n--x\xff"
	for _, tt := range []struct {
		name          string
		parts         []string
		model, user   string
		stream, twice bool
	}{
		{"before the file", []string{"model=whisper-1", "@file=" + noise, "stream=true"}, "whisper-1", "", true, false},
		{"behind the file", []string{"@file=" + noise + noise, "user=me", "model=whisper-1"}, "whisper-1", "me", false, false},
		{"none", []string{"@file=model"}, "", "", false, false},
		{"a file of that content", []string{"@file=name=\"model\"\r\n\r\nx", "model=m"}, "m", "", false, false},
		{"twice", []string{"model=a", "model=b"}, "b", "", false, true},
		{"empty", []string{"model=", "@file="}, "", "", false, false},
		{"long", []string{"model=" + strings.Repeat("m", peekValue+1)}, "", "", false, false},
		{"as long as may be", []string{"model=" + strings.Repeat("m", peekValue)}, strings.Repeat("m", peekValue), "", false, false},
		{"stream is false", []string{"stream=false", "model=m"}, "m", "", false, false},
	} {
		kind, body := makeForm(t, tt.parts...)
		for cut := range len(body) + 1 {
			var p Peek
			p.Form([]byte(kind))
			p.Feed(body[:cut])
			p.Feed(body[cut:])
			hasModel := strings.Contains(strings.Join(tt.parts, "\n")+"\n", "model=") && tt.name != "none"
			if p.Model != tt.model || p.User != tt.user || p.Stream != tt.stream || p.HasModel() != hasModel || !p.Complete() || p.Bad() || (p.Ambiguous() != nil) != tt.twice {
				t.Fatalf("%s cut at %d: got %q %q %v, complete %v, bad %v, %v", tt.name, cut, p.Model, p.User, p.Stream, p.Complete(), p.Bad(), p.Ambiguous())
			}
			if tt.twice || !hasModel {
				continue
			}
			name := p.AppendName(nil, "large")
			model := tt.model
			if tt.name == "long" {
				model = strings.Repeat("m", peekValue+1)
			}
			want := strings.Replace(string(body), "\"model\"\r\n\r\n"+model, "\"model\"\r\n\r\nlarge", 1)
			if tt.name == "a file of that content" {
				want = strings.TrimSuffix(string(body), "\r\n\r\nm"+string(body[bytes.LastIndex(body, []byte("\r\n--")):])) + "\r\n\r\nlarge" + string(body[bytes.LastIndex(body, []byte("\r\n--")):])
			}
			if got := string(p.Rename(body, name)); got != want || len(got) != len(body)+p.Growth(name) {
				t.Fatalf("%s cut at %d: got\n%q\nwant\n%q", tt.name, cut, got, want)
			}
		}
		var p Peek
		p.Form([]byte(kind))
		for i := range body {
			p.Feed(body[i : i+1])
		}
		if p.Model != tt.model || !p.Complete() || p.Bad() {
			t.Errorf("%s byte by byte: got %q, complete %v, bad %v", tt.name, p.Model, p.Complete(), p.Bad())
		}
	}
}

func TestBadForm(t *testing.T) {
	for _, tt := range []struct{ kind, body string }{
		{"multipart/form-data", ""},
		{"multipart/form-data; boundary=", ""},
		{"multipart/form-data; boundary=" + strings.Repeat("x", 71), ""},
		{"multipart/form-data; boundary=x", "--xy\r\n"},
		{"multipart/form-data; boundary=x", "--x\r\n" + strings.Repeat("h", formLine+1)},
	} {
		var p Peek
		p.Form([]byte(tt.kind))
		p.Feed([]byte(tt.body))
		if !p.Bad() || p.Complete() || p.Malformed().Status != 400 || !strings.Contains(p.Malformed().Message, "multipart") {
			t.Errorf("%.60s: bad %v, complete %v, %v", tt.kind, p.Bad(), p.Complete(), p.Malformed())
		}
	}
	for _, body := range []string{"", "x", "--x", "--x\r\nContent-Disposition: form-data; name=model\r\n\r\nm\r\n--x"} {
		var p Peek
		p.Form([]byte(`Multipart/Form-Data; boundary="x"`))
		if p.Feed([]byte(body)); p.Complete() || p.Bad() {
			t.Errorf("%q: complete %v, bad %v, want neither", body, p.Complete(), p.Bad())
		}
	}
}

// FuzzForm writes forms with mime/multipart: the model is found wherever they are cut, whatever the file holds.
func FuzzForm(f *testing.F) {
	f.Add("whisper-1", []byte("\r\n--"), uint(70), true)
	f.Add("", []byte("--x\r\nContent-Disposition: form-data; name=model\r\n\r\n"), uint(9), false)
	f.Fuzz(func(t *testing.T, model string, file []byte, cut uint, before bool) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		if err := w.SetBoundary("boundary"); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(file, []byte("--boundary")) || strings.Contains(model, "--boundary") || len(model) > peekValue {
			t.Skip()
		}
		write := func(name string, content []byte) {
			part, err := w.CreateFormFile(name, "f")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := part.Write(content); err != nil {
				t.Fatal(err)
			}
		}
		if before {
			write("model", []byte(model))
		}
		write("file", file)
		if !before {
			write("model", []byte(model))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		body := b.Bytes()
		at := int(cut % uint(len(body)+1))
		var p Peek
		p.Form([]byte("multipart/form-data; boundary=boundary"))
		p.Feed(body[:at])
		p.Feed(body[at:])
		if p.Model != model || !p.HasModel() || !p.Complete() || p.Bad() {
			t.Fatalf("%q cut at %d: got model %q, complete %v, bad %v", body, at, p.Model, p.Complete(), p.Bad())
		}
		renamed := p.Rename(body, []byte("other"))
		var again Peek
		again.Form([]byte("multipart/form-data; boundary=boundary"))
		again.Feed(renamed)
		if again.Model != "other" || len(renamed) != len(body)-len(model)+len("other") {
			t.Fatalf("%q: renamed to %q", body, renamed)
		}
	})
}
