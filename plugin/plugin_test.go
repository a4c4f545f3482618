package plugin_test

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"weir/plugin"
)

// caught returns what f panics with, as text.
func caught(f func()) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprint(v)
		}
	}()
	f()
	return ""
}

// here returns the line it is called from.
func here() int {
	_, _, line, _ := runtime.Caller(1)
	return line
}

var taken = plugin.Handler{Unary: func(plugin.Call, plugin.Reply) error { return nil }}

// first is the line of the only registration of test/taken.
var first = func() int {
	line := here() + 1
	plugin.Register("test/taken", taken)
	return line
}()

func TestRegisterPanicsNamingBothPlaces(t *testing.T) {
	second := here() + 1
	got := caught(func() { plugin.Register("test/taken", taken) })
	want := fmt.Sprintf(`^plugin: register "test/taken" at \S+/plugin_test\.go:%d: already registered at \S+/plugin_test\.go:%d$`, second, first)
	if !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("got the panic %q, want %s", got, want)
	}
	if _, ok := plugin.Lookup("test/taken"); !ok || !slices.Contains(plugin.Names(), "test/taken") {
		t.Error("the first registration is gone")
	}
}

func TestRegisterPanicsNamingItsPlace(t *testing.T) {
	line := here() + 1
	got := caught(func() { plugin.Register("test//x", plugin.Handler{}) })
	if !strings.Contains(got, fmt.Sprintf("plugin_test.go:%d: malformed name", line)) {
		t.Errorf("got the panic %q, want line %d and the reason", got, line)
	}
}
