// Package static serves files: from a directory with [Dir], which nothing below
// it leads out of, or from an [io/fs.FS], such as embedded ones, with [FS].
//
//	files, err := static.Dir("./public", nil)
//	if err != nil {
//		return err
//	}
//	mux.Handle("GET /assets/{path...}", files)
//
// What is served is the rest of the request's path behind the slashes of the
// route's pattern: above "public/css/site.css" for "/assets/css/site.css". A
// pattern without a wildcard serves one file: "GET /favicon.ico" serves
// "public/favicon.ico".
//
// Conditions and ranges are those of RFC 9110. Folders have an index and are
// never listed. A file has a strong ETag, made from what the file system knows of
// it, and is sent with the ETag of exactly the bytes that are sent: a file that
// changes meanwhile ends the response so that the client sees that it is not
// whole. Precompressed siblings (site.css.br) are sent to clients that accept
// them.
//
// Opening and reading files may block, so that the handlers run on goroutines
// and not on the event loop. Large files are sent by the kernel without a copy
// where it can (see [weir.Stream.SendFile]); the contents of small ones are kept,
// within a bound, as long as the file system says that they are still the same.
package static
