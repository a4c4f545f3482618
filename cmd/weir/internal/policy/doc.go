// Package policy changes requests and events as a configuration says: by a
// merge patch (RFC 7396), and then by a JSON Patch (RFC 6902). It sees bytes
// only and does no I/O.
//
//	request: {merge: {temperature: 0.7}, patch: [{op: replace, path: /max_tokens, value: 512}]}
//	event:   {patch: [{op: replace, path: /model, value: small}]}
//
// [Compile] checks such rules once and makes a [Patch] of each; an [Editor]
// applies it. Nothing is decoded and encoded again. Every operation finds the
// place of its path in the text, and what it changes there is a range of bytes:
//
//	{"model": "m", "max_tokens":100,  "seed":1.0}
//	                            ‾‾‾ replaced by 512, and nothing else touched
//
// so the order of members, white space, the spelling of numbers and strings,
// and whatever else the document has stay as they are, byte for byte. A merge
// patch is compiled into operations of the same kind. [Editor.Edits] reports
// the ranges.
//
// What documents may be:
//
//   - JSON as RFC 8259 has it, checked whole while the first operation looks for
//     its place. A byte order mark in front is skipped, and kept. Anything else
//     is [ErrSyntax]; more than [MaxDepth] arrays and objects within each other
//     are [ErrDepth].
//   - Strings are compared as what they mean, escapes decoded, and passed on as
//     they are: bytes that are not UTF-8 and lone surrogates are not judged.
//   - Numbers are compared exactly, however large: 1, 1.0 and 10e-1 are equal, and
//     9007199254740993 and 9007199254740992 are not.
//   - Readers disagree about which of two members with one name counts. An object
//     with two members of the name that an operation looks for is [ErrTwice]: a
//     client cannot hide a value from an operation behind a second one. Names
//     that no operation looks for may be there twice.
//   - Readers written in Go take Max_Tokens for max_tokens. In a request, an object
//     on the way of an operation that has its name in another case is [ErrCase]: a
//     client cannot get past a rule that bounds or removes a member by writing it
//     differently. Events are the upstream's, and their names are what they are.
package policy
