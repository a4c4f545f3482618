// Package ways holds the test that weir's handlers behave alike in whichever way
// requests come to them: one table of handlers, run over each way, with the same
// responses, the same callbacks and the same counts.
//
// A way is one line in ways_test.go. Where net/http's server hosts the
// handlers, what a weir.Server reports and counts is left out, and so are
// drains. What every way must show is in testdata/records.txt; what may differ,
// and why, is in the list explained.
package ways
