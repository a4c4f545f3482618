package weir

import (
	"reflect"
	"testing"
)

// An exchange, which each stream and each WebSocket has for as long as it lasts, fits the allocator's class of 1536 bytes; the next
// is of 1792.
func TestSize(t *testing.T) {
	if n := reflect.TypeFor[exchange]().Size(); n > 1536 {
		t.Errorf("got %d bytes", n)
	}
}
