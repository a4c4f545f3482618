package http1

import "iter"

// This file is about fields that hold lists of tokens: Connection, Upgrade, TE,
// Expect, Vary, Allow and the like. A sender may spread such a list over
// several lines, in any way it likes (RFC 9110 5.3), so the first line alone
// decides nothing.

// Elements yields the elements of the comma-separated list value (RFC 9110
// 5.6.1), without white space around them. Empty elements are skipped. Quoted
// strings are not recognized: lists of tokens have none.
func Elements(value []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(value) > 0 {
			var e []byte
			if e, value = cutElement(value); len(e) > 0 && !yield(e) {
				return
			}
		}
	}
}

// HasToken reports whether the comma-separated list value (RFC 9110 5.6.1) has
// token as an element, in any case. Empty elements are skipped; an element with
// parameters does not match.
func HasToken[T string | []byte](value []byte, token T) bool {
	for len(value) > 0 {
		var e []byte
		if e, value = cutElement(value); len(e) > 0 && equalFold(e, token) {
			return true
		}
	}
	return false
}

// cutElement splits the comma-separated list v after its first element, which
// it returns without white space around it.
func cutElement(v []byte) (element, rest []byte) {
	i := 0
	for i < len(v) && v[i] != ',' {
		i++
	}
	return trimSpace(v[:i]), v[min(i+1, len(v)):]
}

// HasToken reports whether the fields with that name, in any case, have token
// as an element of the list that all their lines make up together.
func (h *head) HasToken(name, token string) bool { return hasToken(h, name, token) }

func hasToken[T string | []byte](h *head, name string, token T) bool {
	for _, f := range h.fields {
		if f.called(h.buf, name) && HasToken(f.value.in(h.buf), token) {
			return true
		}
	}
	return false
}

// ClassOf is like the function [ClassOf], except that a field is also HopByHop
// if a Connection field of this head names it (RFC 9110 7.6.1).
func (h *head) ClassOf(name []byte) Class {
	c := ClassOf(name)
	if h.flags&connOther != 0 && hasToken(h, "Connection", name) {
		c |= HopByHop
	}
	return c
}
