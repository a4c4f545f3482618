package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Why a document is not one that a patch can be applied to.
var (
	ErrSyntax = errors.New("policy: not JSON")
	ErrDepth  = fmt.Errorf("policy: more than %d arrays and objects within each other", MaxDepth)
	ErrSize   = errors.New("policy: the document becomes larger than is allowed")
	ErrNoData = errors.New("policy: the event has no data")
)

// Why an operation does not apply, as the Err of a [Failure].
var (
	ErrTest   = errors.New("the value is different")
	ErrAbsent = errors.New("there is no such value")
	ErrTwice  = errors.New("an object on the path has two members of that name")
	ErrCase   = errors.New("an object on the path has a member of that name in another case")
)

// A Failure is an operation of a JSON Patch, or a member of a merge patch, that
// does not apply to a document.
type Failure struct {
	Index int    // of the operation, from 0; -1 for a merge patch
	Op    string // "test" and so on, "merge" for a merge patch
	Path  string // its path; for an absent source of move and copy its from
	Err   error  // ErrTest, ErrAbsent, ErrTwice or ErrCase
}

func (f *Failure) Error() string { return "policy: " + f.Text() }

// Text is the error without a prefix: "patch[0]: test /stream: …".
func (f *Failure) Text() string {
	if f.Index < 0 {
		return fmt.Sprintf("merge: %s: %v", shown(f.Path), f.Err)
	}
	return fmt.Sprintf("patch[%d]: %s %s: %v", f.Index, f.Op, shown(f.Path), f.Err)
}

// shown is a path in a sentence.
func shown(path string) string {
	if path == "" || strings.ContainsFunc(path, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(path)
	}
	return path
}

func (f *Failure) Unwrap() error { return f.Err }

// failures are those of one path of an operation, made in advance: events to
// which a patch does not apply are frequent.
type failures struct{ test, absent, twice, cased *Failure }

func failuresOf(index int, op, path string) failures {
	of := func(err error) *Failure { return &Failure{index, op, path, err} }
	return failures{of(ErrTest), of(ErrAbsent), of(ErrTwice), of(ErrCase)}
}
