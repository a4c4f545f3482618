// Package middleware is what stands around requests on a server that the world
// can reach, each as a [weir.Middleware] for [weir.Mux.Use] or a route:
//
//	RequestIDs    a number by which a request is found again in logs
//	CORS          which pages of other origins may read responses
//	CrossOrigin   which pages may send requests that change something
//	Security      fields by which browsers protect a page's users
//	RateLimit     how often a client may ask
//	AccessLog     a line for each request; it is a weir.Trace
//	Clients       who a request is from, behind proxies
//
// Package compress, below this one, codes bodies with gzip, br and zstd.
//
// Each is a struct whose fields configure it: zero is the default, negative is
// none, and what makes no sense panics when the middleware is made, not at a
// request. The structs must not be changed after that; all they make is safe
// for concurrent use.
//
// None of it waits or costs more for a larger body, so that it is also for
// routes that are Inline and for LoopHandlers. The order in which the pieces
// are given to Use is the order in which they see a request:
//
//	mux.Use(
//		middleware.RequestIDs{}.Middleware(),
//		middleware.Security{}.Middleware(),
//		middleware.CORS{Origins: []string{"https://app.example"}}.Middleware(), // before what refuses: pages can read that
//		middleware.CrossOrigin{Origins: []string{"https://app.example"}}.Middleware(),
//		middleware.RateLimit{Limit: 100, Per: time.Minute}.Middleware(),
//		compress.Bodies{}.Middleware(),
//	)
package middleware
