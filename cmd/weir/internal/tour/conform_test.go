package tour

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"weir"
	"weir/internal/conform"
)

// soon is each time-out of the server that the suite's patient cases wait for.
const soon = 500 * time.Millisecond

func hasten(srv *weir.Server) {
	srv.Timeouts.Head, srv.Timeouts.Idle = soon, soon
	srv.Timeouts.BodyGrace, srv.Timeouts.WriteStall = soon, soon
}

func TestConformance(t *testing.T) {
	patient, hasty := start(t), start(t, hasten)
	conform.Run(t, target(patient.dial, hasty.dial))
}

func TestConformanceOnUnixSockets(t *testing.T) {
	if testing.Short() {
		t.Skip("the same cases as over TCP")
	}
	dir := t.TempDir()
	patient := startOn(t, "unix:"+filepath.Join(dir, "patient.sock"))
	hasty := startOn(t, "unix:"+filepath.Join(dir, "hasty.sock"), hasten)
	conform.Run(t, target(patient.dial, hasty.dial))
}

func target(dial, dialTimed func() (net.Conn, error)) conform.Target {
	return conform.Target{
		Dial:         dial,
		DialTimed:    dialTimed,
		HeadTimeout:  soon,
		IdleTimeout:  soon,
		BodyTimeout:  soon,
		StallTimeout: soon,
	}
}
