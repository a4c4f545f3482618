// Package mock is `weir mock`: a scripted upstream in four dialects for tests
// and load. It responds correctly by default, wrongly on demand and
// always the same, and it records what it saw: requests, connections, and when
// the client disconnected. Since it has to send wrong HTTP, it writes to
// connections itself, without a server library.
//
// In a test of the same process:
//
//	up := mock.Start(t, mock.Config{})
//	up.SetRules(mock.Rule{Nth: 1, Set: mock.Set{"fault": "reset-after=3", "tokens": "8"}})
//	… let a gateway call up.URL() …
//	want := mock.StreamBody(mock.Body{Model: "m", Tokens: 8})
//	err := up.WaitClosed(ctx, 1)
//	up.Log().Requests[0].Events // 3
//
// # Settings
//
// The response to a request follows the server's [Config], then the first
// [Rule] that matches it, then the request's own fields x-mock-NAME, which a
// gateway passes on. The names and values are the same everywhere:
//
//	fault          a list of faults, comma separated; see below
//	status         the status code; from 400 on the body is ErrorBody
//	retry-after    the value of a Retry-After field
//	header-NAME    the value of a field NAME, any
//	ttft           how long the first event takes, from the head on ("10ms"); a whole response, with its head
//	pace           how long each event after it takes
//	text           what it says, instead of tokens that are numbered
//	think          tokens of reasoning ahead of the text
//	tool           tools that are called: "weather,time" one after the other, each once the
//	               request has the result of the one before it, and the text last; "weather+time"
//	               at once; "*" the first one that the request offers
//	arguments      of the calls: a JSON object, or an array of one for each; else what the tool's schema allows
//	finish         the reason for which it ends: stop, length or tool_calls
//	tokens         content events of a stream, words of a whole response
//	size           bytes of text at least: of each token of a stream, of a whole response's content
//	framing        auto, length, chunked or close; auto is chunked for a stream, else length
//	split          offsets at which each event is cut into writes and chunks of their own: 3/17
//	gap            how long to wait between two such writes
//
// A request that asks for JSON gets a document that its schema allows, unless
// text says otherwise.
//
// # Faults
//
// K counts events of a stream, from 1. For the faults that truncate it, a whole
// response counts as four pieces of equal length: see [Pieces]. After K events
// means one pace after them. What would come after the last event never comes.
//
// While the request's body has not been read, early and slow-body hide a
// client's disconnect as they do in other servers. A script that asks for
// models cannot set them: the model is known only with the body.
//
//	reset-before-head     RST once the request has arrived
//	close-before-head     FIN once the request has arrived
//	garbage-head          bytes that are not HTTP, then FIN
//	both-framings         a head with Content-Length and Transfer-Encoding
//	status=N              the setting of that name
//	slow-head=D           the head takes D
//	slow-body=D           the request's body is not read for D
//	early                 the response does not wait for the request's body, so it is not a stream
//	early-hints           a 103 ahead of the head
//	hold-head             the head waits for Server.Release
//	hold-event=K          so do event K and those after it
//	slow-first-event=D    the setting ttft, also for a whole response between its head and its body
//	error-event-first     the first event is an error, in OpenAI's dialect then [DONE]; a whole response is an error with status 200
//	error-event=K         the same at event K
//	reset-after=K         RST after K events; 0: after the head
//	close-after=K         FIN after K events, nothing that ends the body
//	cut-inside=K          FIN in the middle of event K, in the middle of its chunk
//	stall-after=K         nothing more after K events until the client disconnects
//	bad-chunk-size=K      after K events, 1 if not given, a chunk size that is none, then FIN; chunked only
//	no-stream             a whole response, also to a request for a stream
//	no-done               a clean end without [DONE], or what is in its place; a whole response is unchanged
//	crlf                  events' lines end in CRLF
//	split-utf8            texts beyond ASCII, each event cut within a character
//	byte-per-write        each byte is a write of its own
//	byte-per-chunk        each byte of the body is a chunk of its own
//	close-delimited       the setting framing=close
//	long-line=N           the first content event's line has N bytes; a whole response's text has N
//	close-keepalive       the kept-alive connection is closed at the first byte of its next request
//	close-keepalive=D     it is closed D after the response
//
// Two kinds of fault need an address instead of a setting: Refused and Silent,
// or Server.Refuse for one that comes and goes. From a shell, use a port
// without a listener.
//
// # Control
//
// Below /mock/ on the same listener, on connections of its own, which the
// records omit:
//
//	GET    /mock/log             what was seen, as JSON: see Log
//	DELETE /mock/log             forget it, and count from zero
//	GET    /mock/connections     those that are open
//	GET    /mock/wait?closed=1   waits until a condition holds: see Counts for the names;
//	                             all of them at least, open exactly; timeout=10s, then 504
//	PUT    /mock/rules           the rules anew, as in a script; DELETE for none
//	PUT    /mock/health?status=503   what /health responds with from now on
//	PUT    /mock/release         what is held continues, and nothing is held from now on
package mock
