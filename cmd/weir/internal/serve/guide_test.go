package serve

import (
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"weir/cmd/weir/internal/mock"
	"weir/docs"

	"sigs.k8s.io/yaml"
)

// guideBlocks are the blocks of one language on a page, in their order.
func guideBlocks(t *testing.T, page, language string) (blocks []string) {
	t.Helper()
	text, err := fs.ReadFile(docs.Guide(), page)
	if err != nil {
		t.Fatal(err)
	}
	for rest := string(text); ; {
		_, after, found := strings.Cut(rest, "\n```"+language+"\n")
		if !found {
			return blocks
		}
		block, after, _ := strings.Cut(after, "\n```\n") // docs has a test of that
		blocks = append(blocks, block+"\n")
		rest = "\n" + after
	}
}

// guideBlock is the only block of its language on a page.
func guideBlock(t *testing.T, page, language string) string {
	t.Helper()
	blocks := guideBlocks(t, page, language)
	if len(blocks) != 1 {
		t.Fatalf("%s has %d blocks of %s, want one", page, len(blocks), language)
	}
	return blocks[0]
}

// The guide's native handler in C, its first block, is complete, and its
// configuration mounts it.
func TestGuide(t *testing.T) {
	const page = "native-handlers.md"
	dir := t.TempDir()
	sharedObject(t, dir, "libtiny.so", fileIn(t, dir, "tiny.c", guideBlocks(t, page, "c")[0]), "-Wall", "-Wextra", "-Werror")
	config := fileIn(t, dir, "guide.yaml", guideBlock(t, page, "yaml"))
	check := start(t, []string{asServe + "=1"}, os.Args[0], "--check", "--config", config) // a library is loaded once in a process
	if code := check.code(); code != 0 {
		t.Errorf("got %d, %s", code, check.log)
	}
	g := serve(t, "", "--overlay", config)
	if res, got := do(t, "POST", g.url+"/v1/generate/7", ""); res.StatusCode != 200 || got != strings.Repeat("data: token\n\n", 5) {
		t.Errorf("got %d %q", res.StatusCode, got)
	}
	if res, _ := do(t, "POST", g.url+chat, talk("babble", 1, true)); res.StatusCode != 200 {
		t.Errorf("got %d", res.StatusCode)
	}
	g.end()
}

// pod is what the guide's manifest says.
type pod struct {
	Spec struct {
		TerminationGracePeriodSeconds int
		Containers                    []struct {
			Args  []string
			Ports []struct {
				Name          string
				ContainerPort int
			}
			ReadinessProbe, LivenessProbe struct {
				HTTPGet struct{ Path, Port string }
			}
		}
	}
}

// The guide's configuration for Kubernetes is one, and the probes of its
// manifest work with it, without a token: the one says 503 in a drain, the
// other goes on. What kills the process waits until the drain is over.
func TestGuideProbes(t *testing.T) {
	blocks := guideBlocks(t, "operations.md", "yaml")
	if len(blocks) != 2 {
		t.Fatalf("got %d blocks of yaml, want the configuration and the manifest", len(blocks))
	}
	var manifest pod
	if err := yaml.Unmarshal([]byte(blocks[1]), &manifest); err != nil {
		t.Fatal(err)
	}
	if len(manifest.Spec.Containers) != 1 || len(manifest.Spec.Containers[0].Args) < 4 {
		t.Fatalf("got %+v, want one container and its arguments", manifest)
	}
	c := manifest.Spec.Containers[0]
	port := map[string]string{}
	for _, p := range c.Ports {
		port[p.Name] = strconv.Itoa(p.ContainerPort)
	}
	t.Setenv("WEIR_ADMIN_TOKEN", "secret")
	here := blocks[0]
	for _, p := range port { // both are used, and are then any that is free
		if strings.Count(here, "0.0.0.0:"+p+`"`) != 1 {
			t.Fatalf("the configuration does not listen on port %s, which the manifest names", p)
		}
		here = strings.Replace(here, "0.0.0.0:"+p, "127.0.0.1:0", 1)
	}
	g := serve(t, toMock(mock.Start(t, mock.Config{})), append([]string{"--overlay", fileIn(t, t.TempDir(), "guide.yaml", here)}, c.Args[3:]...)...)
	probe := func(path, where string) int {
		t.Helper()
		url := map[string]string{"admin": g.admin, "http": g.url}[where]
		if url == "" {
			t.Fatalf("%s is not a port of the manifest", where)
		}
		res, _ := do(t, "GET", url+path, "")
		return res.StatusCode
	}
	ready, live := c.ReadinessProbe.HTTPGet, c.LivenessProbe.HTTPGet
	if a, b := probe(ready.Path, ready.Port), probe(live.Path, live.Port); a != 200 || b != 200 {
		t.Errorf("got %d from the readiness probe and %d from the other, want 200", a, b)
	}
	g.signal(syscall.SIGTERM)
	g.log.wait(t, 1, `weir serve: draining.*"for":"1m0s","grace":"10s"`)
	if a, b := probe(ready.Path, ready.Port), probe(live.Path, live.Port); a != 503 || b != 200 {
		t.Errorf("got %d from the readiness probe and %d from the other in a drain, want 503 and 200", a, b)
	}
	g.signal(syscall.SIGTERM)
	g.code()
	const drain = 60 + 5 // seconds, and the mercy
	stop := regexp.MustCompile(`\nTimeoutStopSec=(\d+)\n`).FindStringSubmatch(guideBlock(t, "operations.md", "ini"))
	if len(stop) == 0 {
		t.Fatal("the unit has no TimeoutStopSec")
	}
	if n, _ := strconv.Atoi(stop[1]); n <= drain || manifest.Spec.TerminationGracePeriodSeconds <= drain {
		t.Errorf("the unit kills after %d s, the manifest after %d s, want more than %d", n, manifest.Spec.TerminationGracePeriodSeconds, drain)
	}
}

// The port that takes requests says whether it wants them. // K9.47
func TestHealth(t *testing.T) {
	g := serve(t, toMock(mock.Start(t, mock.Config{})), "--grace", "20m")
	if res, body := do(t, "GET", g.url+"/health", ""); res.StatusCode != 200 || body != "ok\n" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %q %v, want 200", res.StatusCode, body, res.Header)
	}
	g.signal(syscall.SIGTERM)
	g.log.wait(t, 1, `weir serve: draining`)
	if res, body := do(t, "GET", g.url+"/health", ""); res.StatusCode != 503 || !res.Close {
		t.Errorf("got %d %q in a drain, want 503", res.StatusCode, body)
	}
	g.signal(syscall.SIGTERM)
	g.code()
}

// Every metric that the guide names exists.
func TestGuideMetrics(t *testing.T) {
	text, err := fs.ReadFile(docs.Guide(), "operations.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`(weir_[a-z_]+)").FindAllStringSubmatch(string(text), -1)
	if len(names) < 5 {
		t.Fatalf("got the names %v, want more", names)
	}
	up := mock.Start(t, mock.Config{})
	g := serve(t, toMock(up))
	if res, body := do(t, "POST", g.url+chat, askWhole); res.StatusCode != 200 {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	do(t, "POST", g.url+chat, askWhole, "x-mock-status", "500")
	res, err := client.Do(asked(t, "POST", g.url+chat, askStream, "x-mock-fault", "stall-after=3"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	wait(t, up, func(c mock.Counts) bool { return c.Left > 0 })
	g.out.wait(t, 1, `"status":499`)
	_, metrics := do(t, "GET", g.admin+"/metrics", "")
	for _, name := range names {
		if !strings.Contains(metrics, "\n# TYPE "+name[1]+" ") {
			t.Errorf("the guide names %s, which /metrics does not have", name[1])
		}
	}
	g.end()
}
