// Package weir is a streaming-first HTTP/1.1 server on its own event loops.
//
// A [Handler] responds to a [Request] through a [Response]: at once, with
// Write, or as a [Stream], which is fed in one of three ways. Pushed: any
// goroutine calls [Stream.Send]. Pumped: the event loop pulls chunks from a
// [Source]. Generated: a range-over-func sequence yields them. In each case the
// first chunk commits the head, each chunk is sent as soon as it is made, and a
// disconnect is reported at once and exactly once.
//
//	mux := new(weir.Mux)
//	mux.HandleFunc("GET /numbers", func(w *weir.Response, r *weir.Request) {
//		stream := w.Stream()
//		for n := 0; stream.Send(fmt.Appendln(nil, n)) == nil; n++ {
//			time.Sleep(time.Second)
//		}
//	})
//	srv := &weir.Server{Handler: mux}
//	err := srv.Serve(ctx, ":8080")
package weir
