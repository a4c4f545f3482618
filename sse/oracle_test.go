package sse

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// oracleDir holds eventsource-parser, the oracle, and the script that asks it.
const oracleDir = "../scripts/eventsource"

// Differences between the Decoder and the oracle that are right as they are:
//
//   - A CR that ends a piece: the oracle holds the line until another line break comes, the Decoder takes
//     it. The test puts a comment line, which dispatches nothing, behind every stream.
//   - Bytes that are not UTF-8: the oracle sees text, in which they are U+FFFD. The test replaces them in
//     what the Decoder gave, which keeps bytes.
//   - The oracle tells nothing of an id without data, and nothing of a stream that ends too early; the
//     table of TestDecoder stands alone there.
//   - A retry beyond what a Duration holds is cut to the longest; the oracle's is a float. Not compared.
func settled(stream string) string { return stream + ":\n" }

type question struct {
	Bytes []byte `json:"bytes"`
	Cuts  []int  `json:"cuts"`
}

type answer struct {
	Events []struct {
		ID    *string `json:"id"`
		Event string  `json:"event"`
		Data  string  `json:"data"`
	} `json:"events"`
	Retry *float64 `json:"retry"`
}

func (a answer) String() string {
	var b strings.Builder
	for _, e := range a.Events {
		id := "-"
		if e.ID != nil {
			id = *e.ID
		}
		fmt.Fprintf(&b, "%q ", e.Event+"|"+id+"|"+e.Data)
	}
	if a.Retry != nil {
		fmt.Fprintf(&b, "retry %v", *a.Retry)
	}
	return b.String()
}

// ours is what the Decoder says to q, in the words of answer.
func ours(t *testing.T, q question) string {
	var pieces []string
	from := 0
	for _, to := range append(q.Cuts, len(q.Bytes)) {
		pieces = append(pieces, string(q.Bytes[from:to]))
		from = to
	}
	var b strings.Builder
	d := new(Decoder)
	for _, e := range decode(t, d, pieces...).events {
		fields := strings.SplitN(e, "|", 3)
		if i := strings.LastIndexByte(fields[2], '|'); i >= 0 {
			fields[2] = fields[2][:i] // the event's retry: the oracle has only the stream's
		}
		fmt.Fprintf(&b, "%q ", strings.ToValidUTF8(strings.Join(fields, "|"), "\uFFFD"))
	}
	switch retry := d.Retry(); retry {
	case 0:
	case RetryNow:
		b.WriteString("retry 0")
	default:
		fmt.Fprintf(&b, "retry %v", float64(retry/time.Millisecond))
	}
	return b.String()
}

// startOracle returns the oracle's standard input and output, or skips the test.
func startOracle(t *testing.T) (io.WriteCloser, *bufio.Reader) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: the decoder is not compared with eventsource-parser")
	}
	if _, err := os.Stat(filepath.Join(oracleDir, "node_modules", "eventsource-parser")); err != nil {
		t.Skip("eventsource-parser is not installed: run scripts/eventsource/install.sh")
	}
	cmd := exec.Command(node, "oracle.mjs")
	cmd.Dir = oracleDir
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if t.Failed() { // with answers left unread, it would wait for us forever
			cmd.Process.Kill()
		}
		if err := cmd.Wait(); err != nil && !t.Failed() {
			t.Errorf("oracle: %v", err)
		}
	})
	return in, bufio.NewReader(out)
}

// oracleStreams are the table's streams and random ones made of what matters.
func oracleStreams() []string {
	var all []string
	for _, tt := range streams {
		all = append(all, settled(tt.stream))
	}
	parts := []string{"data", "data:", "data: ", "event: ", "id: ", "id", "retry: ", ":", " ", "\n", "\n", "\n\n",
		"\r", "\r\n", "\r\n\r\n", "a", "7", "\x00", "€", "\xef\xbb\xbf", "\nfoo: x\n", "data: x\n\n", "data: y\r\r"}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var b strings.Builder
		for range 1 + rnd.IntN(16) {
			b.WriteString(parts[rnd.IntN(len(parts))])
		}
		all = append(all, settled(b.String()))
	}
	return all
}

func TestOracle(t *testing.T) {
	in, out := startOracle(t)
	var questions []question
	for _, stream := range oracleStreams() {
		each := make([]int, 0, len(stream))
		questions = append(questions, question{[]byte(stream), []int{}})
		for i := 1; i < len(stream); i++ {
			questions = append(questions, question{[]byte(stream), []int{i}})
			each = append(each, i)
		}
		questions = append(questions, question{[]byte(stream), each})
	}
	go func() { // the answers are read meanwhile: a pipe holds few
		w := json.NewEncoder(in)
		for _, q := range questions {
			if w.Encode(q) != nil {
				return // the oracle died, which the reader sees
			}
		}
	}()
	events := 0
	dec := json.NewDecoder(out)
	for _, q := range questions {
		var theirs answer
		if err := dec.Decode(&theirs); err != nil {
			t.Fatalf("oracle: %v", err)
		}
		events += len(theirs.Events)
		if got, want := ours(t, q), theirs.String(); got != want {
			t.Fatalf("%q cut at %v: got %s, eventsource-parser has %s", q.Bytes, q.Cuts, got, want)
		}
	}
	if events < len(questions)/2 {
		t.Errorf("got %d events for %d questions: the oracle is hardly asked anything", events, len(questions))
	}
	t.Logf("%d streams and splits, %d events", len(questions), events)
}
