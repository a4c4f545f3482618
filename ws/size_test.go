package ws

import (
	"reflect"
	"testing"
)

// A connection that rests fits the allocator's class of 576 bytes; the next is of 640.
func TestSize(t *testing.T) {
	if n := reflect.TypeFor[serverConn]().Size(); n > 576 {
		t.Errorf("got %d bytes", n)
	}
}
