//go:build cgo && unix

package cabi

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/plugin"
)

func TestLoad(t *testing.T) {
	h := find(t, "unary/echo")
	if h.Limit != 7 || h.Doc != "what was asked" || h.Unary == nil || h.Stream != nil {
		t.Errorf("got %+v, want unary, the limit 7 and the doc", h)
	}
	if h := find(t, "stream/count"); h.Limit != plugin.DefaultLimit || h.Doc != "" || h.Unary != nil || h.Stream == nil {
		t.Errorf("got %+v, want a stream with the default limit and no doc", h)
	}
	if got, want := names["unary"][:2], []string{"unary/echo", "unary/tiny"}; !slices.Equal(got, want) {
		t.Errorf("got the names %q, want %q: those of the plugin, in its order", got, want)
	}
	got, err := Load(filepath.Join(libraries, "unary.so"))
	if err == nil || !strings.Contains(err.Error(), "loaded already") || got != nil {
		t.Errorf("the same file again: got %q, %v, want that it is loaded already", got, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"nothing there", filepath.Join(dir, "none.so"), "no such file"},
		{"a bare name is no search", "libc.so.6", "no such file"},
		{"an empty path", "", "a directory"},
		{"a directory", dir, "a directory"},
		{"a device", "/dev/null", "not a regular file"},
		{"an empty file", file("empty.so", ""), "not a shared object"},
		{"a text", file("text.so", "int main(void) { return 0; }\n"), "not a shared object"},
		{"garbage with an ELF head", file("garbage.so", "\x7fELF\x02\x01\x01"+strings.Repeat("\xff", 4096)), "not a shared object"},
		{"a program", program, "not a shared object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantRefused(t, tt.path, tt.want) })
	}
}

func TestLoadRefusesPlugins(t *testing.T) {
	tests := []struct{ name, want string }{
		{"WRONG_ABI", "version 99 of the C ABI, this weir has 1"},
		{"NO_ABI", "no function weir_plugin_abi"},
		{"NO_INIT", "no function weir_plugin_init"},
		{"NO_HANDLERS", "no function weir_plugin_handlers"},
		{"BAD_INIT", "weir_plugin_init returned 42"},
		{"EMPTY", "no handlers"},
		{"UNSET", "no handlers"},
		{"SMALL", "handler 1 of 1: its struct_size is 8"},
		{"NAMELESS", "name is NULL"},
		{"NEITHER", "neither unary nor stream"},
		{"BOTH", "more than one of unary, stream and open"},
		{"HALF", "message, closed or subprotocols without open"},
		{"MALFORMED", "malformed name"},
		{"UNDEFINED", "a symbol is missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantRefused(t, variant(t, tt.name), tt.want) })
	}
}

// variant builds refused.c; each time another file, which can be loaded once more.
func variant(t testing.TB, name string) string {
	t.Helper()
	as, err := os.MkdirTemp(libraries, name)
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, "refused.c", filepath.Join(filepath.Base(as), name), "-DCASE="+name)
}

func wantRefused(t *testing.T, path, want string) {
	t.Helper()
	got, err := Load(path)
	if err == nil || !strings.HasPrefix(err.Error(), "cabi: load "+path+": ") || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error with the path and %q", err, want)
	}
	if got != nil {
		t.Errorf("got the names %q, want none", got)
	}
}

// All of a library's names are registered, or none.
func TestLoadTakenName(t *testing.T) {
	for range 2 {
		wantRefused(t, variant(t, "TWICE"), `"refused/twice"`)
		if _, ok := plugin.Lookup("refused/twice"); ok {
			t.Error("one of two handlers is registered, want none")
		}
	}
	path := variant(t, "LARGER")
	find(t, "later/one") // from another file
	for range 2 {
		wantRefused(t, path, `"later/one" at `+path+": already registered at ")
	}
}

// A library that failed to get ready is not asked again, and its file is told to be replaced.
func TestLoadFailedBefore(t *testing.T) {
	for _, name := range []string{"BAD_INIT", "EMPTY", "SMALL"} {
		path := variant(t, name)
		_, first := Load(path)
		_, again := Load(path)
		if first == nil || strings.Contains(first.Error(), "loaded already") {
			t.Errorf("%s: got %v, want why it cannot be loaded", name, first)
		}
		if again == nil || !strings.Contains(again.Error(), "it is loaded already, and failed then: ") || !strings.Contains(again.Error(), "by renaming") {
			t.Errorf("%s: got %v, want what to do", name, again)
		}
		// What is put in its place is another library.
		if err := os.Rename(variant(t, "WRONG_ABI"), path); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, path, "version 99")
	}
}

// What a later weir.h adds at the end of a handler does not hide the next one.
func TestLoadLargerStructs(t *testing.T) {
	find(t, "later/one")
	if got, want := names["later"], []string{"later/one", "later/two"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// W54: a plugin that was built before there were WebSockets is loaded, and what lies
// behind its smaller structs is not read as theirs.
func TestLoadEarlierStructs(t *testing.T) {
	got, err := Load(variant(t, "EARLIER"))
	if want := []string{"earlier/one", "earlier/two"}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
	one, _ := plugin.Lookup("earlier/one")
	two, _ := plugin.Lookup("earlier/two")
	if one.Unary == nil || two.Stream == nil || one.WebSocket != nil || two.WebSocket != nil {
		t.Errorf("got %+v and %+v, want a unary and a stream handler", one, two)
	}
}

// The header is C of 1999 and C++ of 2011, alone and without a warning.
func TestHeader(t *testing.T) {
	tests := []struct{ compiler, language, standard string }{
		{"gcc", "c", "c99"}, {"gcc", "c", "c17"}, {"g++", "c++", "c++11"}, {"g++", "c++", "c++20"},
	}
	for _, tt := range tests {
		t.Run(tt.standard, func(t *testing.T) {
			if _, err := exec.LookPath(tt.compiler); err != nil {
				t.Skip("no " + tt.compiler)
			}
			cmd := exec.Command(tt.compiler, "-x", tt.language, "-std="+tt.standard, "-pedantic", "-Wall", "-Wextra", "-Werror",
				"-fsyntax-only", "../include/weir_plugin.h")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %v\n%s", cmd, err, out)
			}
		})
	}
}
