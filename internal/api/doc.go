// Package api holds what the public packages of weir promise about all their
// types at once, and the tests that keep it: an exported identifier needs only
// types that its users can name (names_test.go), and each type has one threading
// rule, which its documentation states (threads_test.go).
package api
