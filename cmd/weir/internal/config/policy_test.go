package config

import (
	"reflect"
	"slices"
	"testing"

	"weir/cmd/weir/internal/dialect/known"
	"weir/cmd/weir/internal/target"
)

// TestPolicies: the policies that may be configured are those that there are.
func TestPolicies(t *testing.T) {
	f, _ := reflect.TypeFor[Model]().FieldByName("Policy")
	got, want := list(f.Tag, "enum"), target.Names()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestDialects: the dialects that may be configured are those that there are.
func TestDialects(t *testing.T) {
	f, _ := reflect.TypeFor[Upstream]().FieldByName("Dialects")
	got, want := list(f.Tag, "enum"), []string(nil)
	for _, d := range known.Dialects {
		want = append(want, d.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
