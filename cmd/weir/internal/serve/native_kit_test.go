package serve

import (
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"weir"
	"weir/plugin"
	"weir/plugin/cabi"
)

// The native handlers of the tests, in the process that serves, too.
func init() {
	plugin.Register("test/echo", plugin.Handler{Unary: echo})
	plugin.Register("test/hold", plugin.Handler{Stream: holding.hold, Limit: 1})
	plugin.Register("test/talk", plugin.Handler{WebSocket: converse, Limit: 1})
	plugin.Register("test/held", plugin.Handler{Unary: holding.tell})
	plugin.Register("test/panic", plugin.Handler{Stream: func(plugin.Call, plugin.Sink) error { panic("ouch") }})
	plugin.Register("test/late", plugin.Handler{Stream: func(_ plugin.Call, s plugin.Sink) error {
		if err := s.Send([]byte("data: {}\n\n")); err != nil {
			return err
		}
		return errors.New("ran out of luck")
	}})
}

// echo tells what it was asked.
func echo(c plugin.Call, r plugin.Reply) error {
	if err := r.SetHeader("Content-Type", "text/plain"); err != nil {
		return err
	}
	_, err := fmt.Fprintf(replyWriter{r}, "%s %s?%s id=%s %d bytes %s", c.Method(), c.Path(), c.RawQuery(),
		c.PathValue("id"), len(c.Body()), cmp.Or(c.Header("x-test"), "-"))
	return err
}

type replyWriter struct{ plugin.Reply }

// holding holds streams and notes how they ended.
var holding holder

type holder struct {
	mu   sync.Mutex
	ends []string
}

// hold sends an event and waits until the client leaves.
func (h *holder) hold(_ plugin.Call, s plugin.Sink) error {
	if err := s.Send([]byte("data: {\"held\":true}\n\n")); err != nil {
		return err
	}
	<-s.Done()
	end := fmt.Sprint(s.Cancelled(), " ", errors.Is(s.Cause(), weir.ErrClientGone))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ends = append(h.ends, end)
	return s.Cause()
}

func (h *holder) tell(_ plugin.Call, r plugin.Reply) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := r.Write([]byte(strings.Join(h.ends, ",")))
	return err
}

const root = "../../../.." // from this folder

// sharedObject builds a shared object into dir from a C file, whose relative
// path begins at this module's root.
func sharedObject(t *testing.T, dir, name, source string, flags ...string) string {
	t.Helper()
	if _, err := cabi.Load(""); errors.Is(err, cabi.ErrNoCgo) {
		t.Skip("built without cgo: no libraries")
	}
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc: the libraries of this test cannot be built")
	}
	out := filepath.Join(dir, name)
	args := append([]string{"-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread", "-I" + root + "/plugin/include", "-o", out}, flags...)
	if !filepath.IsAbs(source) {
		source = filepath.Join(root, source)
	}
	if text, err := exec.Command(gcc, append(args, source)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
	return out
}

// babbleSO is examples/native-c; refusedSO is a library that weir does not load.
func babbleSO(t *testing.T, dir string) string {
	t.Helper()
	return sharedObject(t, dir, "libbabble.so", "examples/native-c/babble.c")
}

func refusedSO(t *testing.T, dir, why string) string {
	t.Helper()
	return sharedObject(t, dir, strings.ToLower(why)+".so", "plugin/cabi/testdata/refused.c", "-DCASE="+why)
}

// errorOf decodes an answer that is an error in OpenAI's shape.
func errorOf(t *testing.T, text string) (e struct{ Message, Type, Code string }) {
	t.Helper()
	var body struct {
		Error *struct{ Message, Type, Code string }
	}
	decode(t, text, &body)
	if body.Error == nil || body.Error.Message == "" {
		t.Fatalf("got %s, want an error", text)
	}
	return *body.Error
}

// talk asks a model for so many tokens.
func talk(model string, tokens int, stream bool) string {
	return `{"model":"` + model + `","seed":7,"ignore_eos":true,"max_tokens":` + strconv.Itoa(tokens) +
		`,"stream":` + strconv.FormatBool(stream) + `,"messages":[{"role":"user","content":"x"}]}`
}

// converse sends back what comes, behind the number of its path.
func converse(c plugin.Call, s plugin.Socket) (plugin.Receiver, error) {
	return &talker{s, c.PathValue("id")}, nil
}

type talker struct {
	plugin.Socket
	id string
}

func (t *talker) Message(kind plugin.MessageKind, p []byte) error {
	return t.Send(kind, append([]byte(t.id+": "), p...))
}

func (t *talker) Closed(int, string) {}
