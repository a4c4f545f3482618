package weir_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/internal/scenario"
	"weir/weirtest"
)

// The files testdata/conn/*.txt are conversations with one server, in the
// language of weirtest.Play. Each scenario runs in memory under a fake clock, as
// it is, byte by byte and cut at every byte (H22); and once over real sockets, if
// it needs no clock. With WEIRTEST_UPDATE=1 the files are rewritten.
//
// Their handlers are in house_test.go, and these are the further commands:
//
//	set …      changes the server before it starts: see set
//	release    lets handlers go on that wait for it
//	memory     nothing; it needs the kernel in memory
const scenarioFiles = "testdata/conn/*.txt"

func TestScenarios(t *testing.T)    { weirtest.Play(t, scenarioFiles, inHouse) }
func TestScenariosCut(t *testing.T) { weirtest.PlayCut(t, scenarioFiles, inHouse) }

func TestScenariosOverSockets(t *testing.T) {
	files, err := filepath.Glob(scenarioFiles)
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v, want scenario files", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all, err := scenario.Parse(file, string(text))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for _, sc := range all {
				t.Run(sc.Name, func(t *testing.T) {
					if sc.Has("tick", "window", "memory") {
						t.Skip("it needs the fake clock or the kernel in memory")
					}
					if err := sc.Compare(playOverSockets(t, sc)); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

// inHouse is the server of a scenario in memory.
func inHouse(p *weirtest.Player) *weir.Server {
	h := newHouse()
	h.tell = p.Note
	srv := houseServer(h)
	p.Command("set", func(args []string) { set(p.T, srv, h, args) })
	p.Command("release", func([]string) { h.release() })
	p.Command("memory", func([]string) {})
	p.T.Cleanup(h.letAllGo)
	return srv
}

func houseServer(h *house) *weir.Server {
	return &weir.Server{
		Handler: h.mux(),
		Loops:   1,
		Logger:  slog.New(slog.DiscardHandler),
		Limits:  weir.Limits{Bodies: 64 << 20}, // else each server looks up the memory limit, in files
	}
}

// set changes a server before it starts.
func set(t *testing.T, srv *weir.Server, h *house, args []string) {
	number := func() int {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	span := func() time.Duration {
		d, err := time.ParseDuration(args[1])
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	switch args[0] {
	case "grace": // of a drain, before new requests are refused
		srv.Timeouts.DrainGrace = span()
	case "drain":
		srv.Timeouts.Drain = span()
	case "halfclose": // the client that shuts its sending side waits for its response
		srv.HalfClose = weir.HalfCloseAllow
	case "body":
		srv.Limits.Body = int64(number())
	case "streams":
		srv.Limits.Streams = number()
	case "handlers":
		srv.Limits.Handlers = number()
	case "line":
		srv.Limits.Line = number()
	case "fields":
		srv.Limits.Fields = number()
	case "field":
		srv.Limits.Field = number()
	case "marks": // bytes of output above which producers wait
		srv.Limits.HighMark, srv.Limits.LowMark = number(), number()/4
	case "onheaders": // refuses without the field Authorization
		srv.OnHeaders = h.onHeaders
	case "onerror": // responds with the error's text
		srv.OnError = h.onError
	default:
		t.Fatalf("there is nothing to set that is called %q", args[0])
	}
}
