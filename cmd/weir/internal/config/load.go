package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Source is the text of one file.
type Source struct {
	Name string // as it is named in problems
	YAML []byte
}

// Load reads a configuration and the overlays that change it, in order. Its
// error is [Problems]: all that is wrong. The environment variables that the
// configuration names must be set.
func Load(path string, overlays ...string) (*Config, error) {
	return LoadFor(nil, path, overlays...)
}

// LoadFor is [Load] for a program with further checks of a configuration in
// which nothing else is wrong: what look finds is also an error, with the files
// and lines of its pointers. A nil look finds nothing.
func LoadFor(look func(c *Config) Problems, path string, overlays ...string) (*Config, error) {
	var sources []Source
	var problems Problems
	for _, name := range append([]string{path}, overlays...) {
		text, err := read(name)
		if err != nil {
			problems = append(problems, Problem{File: name, Message: "cannot be read: " + reason(err)})
			continue
		}
		sources = append(sources, Source{name, text})
	}
	if problems != nil {
		return nil, problems
	}
	return parse(look, sources[0], sources[1:])
}

// maxFile is the size of a file, in bytes: what is larger is another file.
const maxFile = 16 << 20

func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("larger than %d MiB: want a configuration", maxFile>>20)
	}
	return text, err
}

// Parse is Load without the files.
func Parse(main Source, overlays ...Source) (*Config, error) {
	return parse(nil, main, overlays)
}

func parse(look func(*Config) Problems, main Source, overlays []Source) (*Config, error) {
	docs, problems := readAll(main, overlays)
	if slices.ContainsFunc(docs, func(d document) bool { return d.value == nil }) {
		problems.sort()
		return nil, problems
	}
	merged := docs[0].value
	for _, d := range docs[1:] {
		merged = mergePatch(merged, d.value).(map[string]any)
	}
	for i := range problems { // an overlay may have removed where they were
		for p := &problems[i]; !resolves(merged, p.Pointer); {
			p.Pointer = parent(p.Pointer)
		}
	}
	c, found := check(merged)
	for i := range c.Native {
		library := &c.Native[i]
		library.SO = beside(origin(at("native", i, "so"), docs).name, library.SO)
	}
	c.TLS.Cert = beside(origin(at("tls", "cert"), docs).name, c.TLS.Cert)
	c.TLS.Key = beside(origin(at("tls", "key"), docs).name, c.TLS.Key)
	if c.TLS.Cert != "" && len(problems)+len(found) == 0 {
		if _, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key); err != nil {
			found = append(found, Problem{Pointer: at("tls"), Message: err.Error()})
		}
	}
	c.docs = docs
	if look != nil && len(problems)+len(found) == 0 {
		found = look(c)
	}
	for i := range found {
		c.Place(&found[i])
	}
	if problems = append(problems, found...); len(problems) > 0 {
		problems.sort()
		return nil, problems
	}
	return c, nil
}

func readAll(main Source, overlays []Source) (docs []document, problems Problems) {
	for _, s := range append([]Source{main}, overlays...) {
		d, found := readYAML(s.Name, s.YAML)
		docs = append(docs, d)
		problems = append(problems, found...)
	}
	return docs, problems
}

// check makes a configuration of a merged document.
func check(doc map[string]any) (*Config, Problems) {
	e := &expander{env: environment{}}
	full := e.expand("", doc)
	d := &decoder{doc: full, env: e.env, refused: map[string]bool{}}
	for _, p := range e.problems {
		d.refused[p.Pointer] = true
	}
	c := &Config{env: e.env}
	d.decode(c)
	v := &validator{Config: c, doc: full, env: e.env, problems: append(e.problems, d.problems...), refused: d.refused}
	for _, p := range d.problems {
		v.refused[p.Pointer] = true
	}
	v.validate()
	return c, v.problems
}

// Place finds the file and the line from which the value at a problem's pointer
// comes.
func (c *Config) Place(p *Problem) {
	d := origin(p.Pointer, c.docs)
	p.File = d.name
	if p.Pointer != "" {
		p.Line = d.lines[p.Pointer]
	}
}

// origin returns the document from which the value at pointer comes: the last
// one that has something there; empty if none has.
func origin(pointer string, docs []document) document {
	for _, d := range slices.Backward(docs) {
		if resolves(d.value, pointer) {
			return d
		}
	}
	return document{}
}

// beside returns the path of a file that is named in another one.
func beside(file, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(file), name)
}

// mergePatch applies a merge patch by RFC 7396 section 2. The result shares
// parts of both, and neither is changed.
func mergePatch(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	old, _ := target.(map[string]any) // anything else is replaced by an empty mapping
	merged := make(map[string]any, len(old)+len(changes))
	for name, value := range old {
		merged[name] = value
	}
	for name, change := range changes {
		if change == nil {
			delete(merged, name)
		} else {
			merged[name] = mergePatch(merged[name], change)
		}
	}
	return merged
}

// reason is an error of a file operation without the file's name.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return err.Error()
}
