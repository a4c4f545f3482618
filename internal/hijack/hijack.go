// Package hijack is the door by which nethttp takes a connection over for
// handlers that write its response themselves, as http.Hijacker lets them. The
// root package opens it.
package hijack

import "net"

// Take makes the connection of a *weir.Response that has not begun a
// *weir.Pipe, which it returns. Nothing is sent, and the pipe is detached. It
// counts as a response with status 101. The pipe's peer that shuts its sending
// side has not disconnected.
var Take func(response any) (net.Conn, error)
