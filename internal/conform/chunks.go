package conform

import (
	"fmt"
	"strings"
)

// chunkCases are items 79 to 83, 85 and 86: the coding of one chunk.
func chunkCases() []Case {
	cases := []Case{
		c(79, "hex size in lower case", "C5", serve(chunkedPost("a\r\n0123456789\r\n"+lastChunk), "0123456789")),
		c(79, "hex size in upper case", "C5", serve(chunkedPost("A\r\n0123456789\r\n"+lastChunk), "0123456789")),
		c(79, "several digits and chunks", "C5", serve(chunkedPost(chunk(0x1ab)+chunk(1)+lastChunk), strings.Repeat("z", 0x1ac))),
		c(81, "16 digits with leading zeros", "C5", serve(chunkedPost("0000000000000005\r\nhello\r\n"+lastChunk), "hello")),
		c(81, "last chunk of several zeros", "C5", serve(chunkedPost("5\r\nhello\r\n0000\r\n\r\n"), "hello")),

		c(83, "two other bytes after the data", "C7", reject(chunkedPost("5\r\nhelloXX"+lastChunk), 400)),
		c(83, "LF after the data", "C7", reject(chunkedPost("5\r\nhello\n"+lastChunk), 400)),
		c(83, "CR after the data", "C7", reject(chunkedPost("5\r\nhello\r0\r\n\r\n"), 400)),
		c(83, "nothing after the data", "C7", reject(chunkedPost("5\r\nhello"+lastChunk), 400)),
		c(83, "one byte too many", "C7", reject(chunkedPost("5\r\nhelloX\r\n"+lastChunk), 400)),
		c(83, "LF CR after the data", "C7", reject(chunkedPost("5\r\nhello\n\r"+lastChunk), 400)),

		c(85, "extension", "C5", serve(chunkedPost("5;a=b\r\nhello\r\n"+lastChunk), "hello")),
		c(85, "extension without value", "C5", serve(chunkedPost("5;a\r\nhello\r\n"+lastChunk), "hello")),
		c(85, "quoted extension", "C5", serve(chunkedPost("5;a=\"q;\\\" z\"\r\nhello\r\n0;last\r\n\r\n"), "hello")),
		c(85, "two extensions", "C5", serve(chunkedPost("5;a=b;c=d\r\nhello\r\n"+lastChunk), "hello")),
		c(85, "blank before an extension", "C5", serve(chunkedPost("5 ;a=b\r\nhello\r\n"+lastChunk), "hello")),

		c(86, "extension over 256 B", "", reject(chunkedPost("5;a="+strings.Repeat("x", 300)+"\r\nhello\r\n"+lastChunk), 400)),
		c(86, "extension of 100 KB", "", rejectFlood(chunkedPost("5;a="+strings.Repeat("x", 100_000)), 400, 431)),
		c(86, "extensions that outweigh the data", "",
			rejectFlood(chunkedPost(strings.Repeat("1;a="+strings.Repeat("x", 200)+"\r\na\r\n", 100)+lastChunk), 400, 431)),
	}
	for _, v := range []struct {
		item       int
		name, line string
	}{
		{79, "hex prefix", "0x5\r\n"}, {79, "plus", "+5\r\n"}, {79, "minus", "-5\r\n"}, {79, "underscore", "5_0\r\n"},
		{79, "leading space", " 5\r\n"}, {79, "leading tab", "\t5\r\n"}, {79, "trailing space", "5 \r\n"}, {79, "trailing tab", "5\t\r\n"},
		{79, "none", "\r\n"}, {79, "no hex", "g\r\n"}, {79, "hex and more", "5g\r\n"}, {79, "quotes", "\"5\"\r\n"}, {79, "NUL", "5\x00\r\n"},
		{79, "comma", "5,5\r\n"}, {79, "fraction", "5.0\r\n"}, {79, "0xff", "5\xff\r\n"}, {79, "VT", "5\v\r\n"},
		{80, "17 digits", "00000000000000005\r\n"}, {80, "2^63", "8000000000000000\r\n"}, {80, "2^64-1", "ffffffffffffffff\r\n"},
		{80, "2^64+5", "10000000000000005\r\n"}, {80, "40 digits", strings.Repeat("f", 40) + "\r\n"},
		{82, "bare LF", "5\n"}, {82, "bare CR", "5\r"}, {82, "LF CR", "5\n\r"}, {82, "CR CR LF", "5\r\r\n"},
		{85, "semicolon alone", "5;\r\n"}, {85, "extension alone", ";a=b\r\n"}, {85, "two semicolons", "5;;a\r\n"}, {85, "no token", "5;(=1\r\n"},
		{85, "value missing", "5;a=\r\n"}, {85, "name missing", "5;=b\r\n"}, {85, "CR in quotes", "5;a=\"q;\r\"\r\n"}, {85, "LF in quotes", "5;a=\"q\n\"\r\n"},
		{85, "LF in the value", "5;a=b\n\r\n"}, {85, "NUL in the extension", "5;a\x00=b\r\n"}, {85, "control in the extension", "5;a=\x01\r\n"},
		{85, "DEL in quotes", "5;a=\"\x7f\"\r\n"}, {85, "open quotes", "5;a=\"b\r\n"}, {85, "text after quotes", "5;a=\"b\"c\r\n"},
	} {
		cases = append(cases, c(v.item, "size with "+v.name, "C6", reject(chunkedPost(v.line+"hello\r\n"+lastChunk), 400)))
	}
	return cases
}

// trailerCases are item 87: what may follow the last chunk.
func trailerCases() []Case {
	trailed := func(lines ...string) string {
		return chunkedPost("5\r\nhello\r\n0\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n")
	}
	// Fields that must not be merged may also be refused: then the connection
	// ends.
	unmerged := func(lines ...string) Step {
		return do(send(trailed(lines...)), func(p *peer) error {
			if err := answerIn(in{200, 400})(p); err != nil || p.last.status == 400 {
				return err
			}
			return is("hello")(p.last)
		}, settled)
	}
	return []Case{
		c(87, "trailer", "C8", serve(trailed("X-Foo: bar"), "hello")),
		c(87, "several trailers", "C8", serve(trailed("X-Foo: bar", "X-Empty:", "X-High: \x80\xff"), "hello")),
		c(87, "Content-Length in the trailer", "C8", unmerged("Content-Length: 500")),
		c(87, "Transfer-Encoding in the trailer", "C8", unmerged("Transfer-Encoding: gzip")),
		c(87, "Host in the trailer", "C8", unmerged("Host: evil.example")),
		c(87, "Connection: close in the trailer is not obeyed", "C8", serve(trailed("Connection: close"), "hello")),
		c(87, "Content-Type in the trailer is not echoed", "C8", send(trailed("Content-Type: text/evil")), answerIn(in{200, 400}, lacksType("text/evil")), settled),
		c(87, "trailer without colon", "C8", reject(trailed("nonsense"), 400)),
		c(87, "trailer with space in the name", "C8", reject(trailed("X Foo: bar"), 400)),
		c(87, "trailer with space before the colon", "C8", reject(trailed("X-Foo : bar"), 400)),
		c(87, "trailer with empty name", "C8", reject(trailed(": bar"), 400)),
		c(87, "trailer with obs-fold", "C8", reject(trailed("X-Foo: bar", " baz"), 400)),
		c(87, "trailer with leading space", "C8", reject(trailed(" X-Foo: bar"), 400)),
		c(87, "trailer with NUL", "C8", reject(trailed("X-Foo: b\x00r"), 400)),
		c(87, "trailer with bare LF", "C8", reject(chunkedPost("0\r\nX-Foo: bar\n\r\n"), 400)),
		c(87, "trailers ended by bare LF", "C8", reject(chunkedPost("0\r\nX-Foo: bar\r\n\n"), 400)),
		c(87, "no trailers, ended by bare LF", "C6", reject(chunkedPost("0\r\n\n"), 400)),
		c(87, "trailers over 32 KiB", "", reject(chunkedPost("0\r\n"+strings.Repeat("X-Foo: "+strings.Repeat("x", 1000)+"\r\n", 40)), 400, 431)),
		c(87, "trailer that never ends", "", rejectFlood(chunkedPost("0\r\nX-Foo: "+strings.Repeat("x", 100_000)), 400, 431)),
	}
}

func lacksType(value string) check {
	return func(r *response) error {
		if got, _ := r.value("Content-Type"); got == value {
			return fmt.Errorf("got Content-Type %q from a trailer", got)
		}
		return nil
	}
}
