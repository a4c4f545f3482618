package llama_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/examples/tinyllama/llama"
)

const scripts = "../../../scripts/clients/"

// fromScript is what a script prints; the test skips if that is not there.
func fromScript(t testing.TB, name string) string {
	t.Helper()
	out, err := exec.Command("sh", scripts+name).Output()
	if err != nil {
		stderr := ""
		if exit, ok := err.(*exec.ExitError); ok {
			stderr = strings.TrimSpace(string(exit.Stderr))
		}
		t.Skipf("%s: %v: %s", name, err, stderr)
	}
	return strings.TrimSpace(string(out))
}

func realModel(t testing.TB) *llama.Model {
	t.Helper()
	m, err := llama.Load(fromScript(t, "model-path.sh"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// oracle is a llama-server that runs the same model.
type oracle struct{ url string }

var listening = regexp.MustCompile(`listening on (http://\S+)`)

func startOracle(t *testing.T) oracle {
	t.Helper()
	model, binary := fromScript(t, "model-path.sh"), fromScript(t, "llama-server-path.sh")
	// It computes as we do, without rounding to half precision: two tokens can be as likely to the third digit.
	cmd := exec.Command(binary, "--model", model, "--threads", "1", "--parallel", "1", "--host", "127.0.0.1", "--port", "0",
		"--no-webui", "--flash-attn", "off", "--cache-type-k", "f32", "--cache-type-v", "f32")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan string, 1), make(chan string, 1)
	go func() {
		lines, log := bufio.NewScanner(stderr), strings.Builder{}
		for lines.Scan() {
			fmt.Fprintln(&log, lines.Text())
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				ready <- m[1]
			}
		}
		ended <- log.String()
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		cmd.Wait()
	})
	select {
	case url := <-ready:
		return oracle{url}
	case log := <-ended:
		ended <- log
		t.Fatalf("llama-server did not start:\n%s", log)
	}
	return oracle{}
}

func (o oracle) ask(t *testing.T, path string, question, answer any) {
	t.Helper()
	body, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(o.url+path, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode == 200 {
		err = json.Unmarshal(text, answer)
	}
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("llama-server %s: %d, %v: %s", path, resp.StatusCode, err, text)
	}
}

var texts = []string{
	"Once upon a time",
	"Lily and Tom went to the park. They saw a big dog",
	"The little cat was very sad because",
	"One day, a boy named Tim found a red ball",
	"\"Hello,\" said the bird. \"",
	"",
	" ",
	"  two  spaces and\ttabs\r\nand lines\n\n",
	"naïve Ωμέγα 日本語 🙂🙂",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"thethethe the the,the.the!",
	"<s> is text, as </s> and <0x41> are",
	"▁ a lower one eighth block ▁▁",
	"\x00\x01\x7f",
}

// TestLlamaTokenizer compares with /tokenize.
func TestLlamaTokenizer(t *testing.T) {
	m, o := realModel(t), startOracle(t)
	for _, text := range texts {
		var answer struct{ Tokens []int }
		o.ask(t, "/tokenize", map[string]any{"content": text, "add_special": true, "parse_special": false}, &answer)
		if got := m.Tokenizer.Encode(text); !slices.Equal(got, answer.Tokens) {
			t.Errorf("%q:\ngot  %v\nwant %v", text, got, answer.Tokens)
		}
	}
}

// TestLlamaGreedyText compares with /completion.
func TestLlamaGreedyText(t *testing.T) {
	m, o := realModel(t), startOracle(t)
	for _, prompt := range texts[:5] {
		const n = 200
		var answer struct {
			Content string
			Tokens  []int
		}
		o.ask(t, "/completion", map[string]any{"prompt": prompt, "n_predict": n, "temperature": 0, "return_tokens": true,
			"cache_prompt": false}, &answer)
		got, text := generate(m, prompt, n)
		same := 0
		for same < min(len(got), len(answer.Tokens)) && got[same] == answer.Tokens[same] {
			same++
		}
		if same < 64 || text != answer.Content {
			t.Errorf("%q: %d tokens of %d are the same:\ngot  %q\nwant %q", prompt, same, len(answer.Tokens), text, answer.Content)
		}
	}
}

// generate continues a text by at most n tokens, each the likeliest.
func generate(m *llama.Model, prompt string, n int) (tokens []int, text string) {
	w, s := m.NewWorker(), llama.Sampler{}
	logits := make([]float32, m.Tokenizer.Size())
	rows, cache := promptRows(m, prompt, logits), new(llama.Cache)
	for i := range rows {
		rows[i].Cache = cache
	}
	for range n {
		w.Forward(rows)
		token := s.Choose(logits)
		tokens = append(tokens, token)
		if token == m.Tokenizer.EOS() {
			break
		}
		text += m.Tokenizer.Piece(token)
		rows = []llama.Row{{Cache: cache, Token: token, Logits: logits}}
	}
	return tokens, text
}

// promptRows are the rows of a text, without their cache; the last fills logits.
func promptRows(m *llama.Model, text string, logits []float32) []llama.Row {
	var rows []llama.Row
	for _, token := range m.Tokenizer.Encode(text) {
		rows = append(rows, llama.Row{Token: token})
	}
	rows[len(rows)-1].Logits = logits
	return rows
}
