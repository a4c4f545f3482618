package policy

import "fmt"

// Source is the rules of one model as JSON text. An empty part is none.
type Source struct {
	Merge    []byte // request.merge: an object (RFC 7396)
	Patch    []byte // request.patch: a list of operations (RFC 6902)
	Event    []byte // event.patch: a list of operations
	Response []byte // response.patch: a list of operations
}

// A Policy is what a model changes. The zero value changes nothing.
type Policy struct {
	Request  *Patch // nil = nothing
	Event    *Patch // nil = nothing
	Response *Patch // nil = nothing
}

// A Problem is a mistake in a Source.
type Problem struct {
	Pointer string // JSON pointer: /request/merge, /request/patch/0/path, /event/patch/1/value …
	Message string
}

// A Patch is a merge patch, a JSON Patch, or one behind the other, compiled. It
// does not change and is safe for concurrent use.
type Patch struct {
	ops     []operation
	foreign bool // documents are a client's, who may spell names in another case: see ErrCase
}

// Compile checks the rules of a model and prepares them. It returns every
// mistake; without one, the Policy can be used.
func Compile(s Source) (*Policy, []Problem) {
	var c compiler
	request := append(c.merge("/request/merge", s.Merge), c.patch("/request/patch", s.Patch)...)
	event := c.patch("/event/patch", s.Event)
	response := c.patch("/response/patch", s.Response)
	return &Policy{Request: patchOf(request, true), Event: patchOf(event, false), Response: patchOf(response, false)}, c.problems
}

func patchOf(ops []operation, foreign bool) *Patch {
	if len(ops) == 0 {
		return nil
	}
	return &Patch{ops, foreign}
}

// compiler gathers the problems.
type compiler struct{ problems []Problem }

func (c *compiler) complain(pointer, format string, args ...any) {
	c.problems = append(c.problems, Problem{pointer, fmt.Sprintf(format, args...)})
}

// operation is one step of a patch.
type operation struct {
	kind  kind
	path  []token
	from  []token // move and copy
	named []byte  // add, move and copy: the path's last step with a colon, as a member begins
	value []byte  // add, replace and merges, on one line
	test  want    // test
	fails failures
	lacks failures // move and copy: those of from

	// whole is for merges: whole[i] is all that the merge patch has for the
	// value to which the first i steps lead, for the case that there is none.
	// names[i] is the ith step as named.
	whole [][]byte
	names [][]byte
}

type kind uint8

const (
	opTest kind = iota
	opAdd
	opReplace
	opRemove
	opMove
	opCopy
	opMergeSet
	opMergeRemove
	opMergeObject // makes sure that there is an object
)
