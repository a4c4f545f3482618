package conform

// Excluded names the X rules, or the parts of them, that this suite omits, with
// the reason: they need more than a socket and the routes of `weir tour`.
var Excluded = map[int]string{
	102: "half-close of streams is item 130 here; the Allow policy is an option of the server, tested in package weir",
	106: "the exact 256 KiB bound is read inside the server: conn scenario tests; here only that reading stops",
	111: "15,000 connections and latency percentiles: soak test with descriptors of its own",
	112: "needs RLIMIT_NOFILE of the server's process: soak test",
	113: "needs a server with a small connection cap: package weir's and reactor's tests",
	114: "needs several client addresses and a cap: package weir's tests",
	116: "an accept storm takes every core and port of the machine: soak test",
	117: "resident memory of the process under 640 MB of uploads: soak test",
	118: "one hour: soak test",
	119: "no tour route lets a client choose a response field: Header's tests (H21)",
	121: "HTTP/1.1 status text cannot be set by a handler: Response's tests (H21)",
	122: "no tour route lets a client choose an event: package sse's tests (E9 to E14) and its oracle",
	123: "no tour route sends retry: package sse's tests (E13)",
	126: "the 1 ms from handler to wire is a benchmark; here only that events leave one by one",
	130: "the latency p99 is printed by the soak test; here that it is reported, once",
	131: "drain needs the server's own Shutdown: package weir's tests (L12); here the last chunk",
	132: "the 30 s default and the off switch are tested with a fake clock in package weir",
	134: "a browser's rule: the EventSource test in Chromium",
	136: "the policies drop, close and block are options of hub topics: package hub's tests",
	137: "needs a hub and 10,000 clients: soak test",
	138: "how many writes carry queued events is seen by the server's own writer: reactor's tests",
}
