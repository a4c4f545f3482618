package serve

import (
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// startUvicorn starts scripts/clients/uvicorn_app.py, which closes connections
// that were idle for so many seconds, or skips the test.
func startUvicorn(t *testing.T, idle string) (*process, net.Addr) {
	t.Helper()
	const program = tree + ".venv/bin/uvicorn"
	if _, err := os.Stat(program); err != nil {
		t.Skipf("uvicorn is missing (%v): run scripts/install.sh", err)
	}
	p := start(t, []string{"PYTHONDONTWRITEBYTECODE=1"}, program, "--app-dir", scripts, "--host", "127.0.0.1", "--port", "0",
		"--lifespan", "off", "--no-access-log", "--no-use-colors", "--timeout-keep-alive", idle, "uvicorn_app:app")
	at, err := url.Parse(regexp.MustCompile(`http://[\d.:]+`).FindString(p.log.wait(t, 1, `running on http://`)[0]))
	if err != nil {
		t.Fatal(err)
	}
	addr, err := net.ResolveTCPAddr("tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	return p, addr
}

func uvicornIdler(addr net.Addr) *idler {
	return &idler{addr, `{"model":"m","max_tokens":3}`, `{"model":"m","max_tokens":3,"stream":true}`, "token 0 token 1 token 2 "}
}

// uvicorn's answers pass as they are, and a client that leaves ends the stream
// there, too (G1, G3).
func TestUvicornBytes(t *testing.T) {
	p, addr := startUvicorn(t, "5")
	g := serve(t, to("http://"+addr.String()))
	event := func(text string) string { return `data: {"choices":[{"delta":{"content":"` + text + `"}}]}` + "\n\n" }
	for ask, want := range map[string]string{
		`{"model":"m","max_tokens":2,"stream":true}`: event("token 0 ") + event("token 1 ") + "data: [DONE]\n\n",
		`{"model":"m","max_tokens":2}`:               `{"choices":[{"message":{"content":"token 0 token 1 "}}]}`,
	} {
		if res, got := do(t, "POST", g.url+chat, ask); res.StatusCode != 200 || got != want {
			t.Errorf("%s: got %d %q, want %q", ask, res.StatusCode, got, want)
		}
	}
	res, err := client.Do(asked(t, "POST", g.url+chat, `{"model":"m","max_tokens":1000000,"stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := res.Body.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	p.out.wait(t, 1, `^left$`)
	g.out.wait(t, 1, `"status":499`)
	if strings.Contains(p.log.String(), "ERROR") {
		t.Errorf("uvicorn is not content:\n%s", p.log)
	}
	g.end()
}

// uvicorn closes idle connections; no request is lost by that (G6).
func TestUvicornIdle(t *testing.T) {
	for _, crossing := range []string{"", "fin", "reset"} {
		t.Run("crossing="+crossing, func(t *testing.T) {
			t.Parallel() // they wait most of the time
			_, addr := startUvicorn(t, "1")
			uvicornIdler(addr).checkIdle(t, crossing)
		})
	}
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		_, addr := startUvicorn(t, "0")
		uvicornIdler(addr).checkStorm(t, "http://"+addr.String())
	})
	t.Run("default", func(t *testing.T) {
		t.Parallel()
		_, addr := startUvicorn(t, "5")
		w := startWire(t, addr, "")
		g := serve(t, to(w.url), "--loops", "1")
		uvicornIdler(addr).check(t, g)
		eventually(t, "the connection is closed", func() bool { return w.ended.Load()+w.first.Load() == 1 })
		if w.first.Load() != 1 {
			t.Error("uvicorn closed the connection by its default, want the gateway to have been earlier by its own")
		}
		g.end()
	})
}
