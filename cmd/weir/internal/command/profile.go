package command

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"

	"weir/cmd/weir/internal/guard"
)

// serveProfiles serves /debug/pprof/ with net/http, so that a server whose
// loops are stuck can still be inspected.
func serveProfiles(addr string, log *slog.Logger) (end func(), err error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--pprof: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	srv := &http.Server{Handler: guard.New(guard.NoPages).Handler(ln, mux), ReadHeaderTimeout: defaults.Head}
	over := make(chan struct{})
	go func() {
		defer close(over)
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("profiles are no longer served", "err", err)
		}
	}()
	log.Info("profiles", "on", "http://"+ln.Addr().String()+"/debug/pprof/")
	return func() {
		_ = srv.Close() // nothing can be done about it at the end
		<-over
	}, nil
}
