package config

import (
	"reflect"
	"slices"
	"testing"

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
