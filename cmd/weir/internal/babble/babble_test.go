package babble

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"weir/docs"
)

func build() *Model { return New(Prose(docs.Text())) }

// guide is the model that most tests share.
var guide = sync.OnceValue(build)

func ptr[T any](v T) *T { return &v }

// say runs a speaker to its end and checks what holds for every text.
func say(t *testing.T, s *Speaker) string {
	t.Helper()
	var b strings.Builder
	n := 0
	for {
		token, ok := s.Next()
		if !ok {
			break
		}
		n++
		if token == "" || !utf8.ValidString(token) {
			t.Fatalf("token %d: got %q, want non-empty UTF-8", n, token)
		}
		b.WriteString(token)
	}
	if _, ok := s.Next(); ok {
		t.Fatal("got a token after the end")
	}
	if s.Tokens() != n {
		t.Errorf("got Tokens %d, want %d", s.Tokens(), n)
	}
	if r := s.Reason(); r != Stop && r != Length {
		t.Errorf("got reason %q, want stop or length", r)
	}
	return b.String()
}

func TestSameSeedSameText(t *testing.T) {
	m := guide()
	rebuilt := build()
	temperatures := []*float64{nil, ptr(0.0), ptr(0.3), ptr(1.0), ptr(1.7)}
	for _, temperature := range temperatures {
		o := Options{Prompt: "Tell me about cancellation.", Seed: ptr[int64](42), Temperature: temperature}
		first := say(t, m.Start(o))
		if again := say(t, rebuilt.Start(o)); again != first {
			t.Errorf("same options: got\n%s\nand\n%s", first, again)
		}
		other := o
		other.Prompt = "Tell me about cancellation!"
		if got := say(t, m.Start(other)); got == first {
			t.Errorf("another prompt: got the same text %q", got)
		}
		other = o
		other.Seed = ptr[int64](-43)
		if got := say(t, m.Start(other)); got == first {
			t.Errorf("another seed: got the same text %q", got)
		}
	}
}

func TestNoSeedIsRandom(t *testing.T) {
	m := guide()
	if a, b := say(t, m.Start(Options{})), say(t, m.Start(Options{})); a == b {
		t.Errorf("got the same text twice without a seed: %q", a)
	}
}

// An unlimited text ends by itself, with a sentence.
func TestOwnEnd(t *testing.T) {
	m := guide()
	for seed := range int64(200) {
		s := m.Start(Options{Seed: &seed})
		text := say(t, s)
		if s.Reason() != Stop || !strings.ContainsAny(text[len(text)-1:], ".!?") {
			t.Errorf("seed %d: got reason %q and end %q, want a sentence's", seed, s.Reason(), text[max(0, len(text)-20):])
		}
		if s.Tokens() < ownLength {
			t.Errorf("seed %d: got %d tokens, want at least %d", seed, s.Tokens(), ownLength)
		}
		if text != strings.TrimSpace(text) {
			t.Errorf("seed %d: got white space around %q", seed, text)
		}
	}
}

func TestMaxTokens(t *testing.T) {
	m := guide()
	for _, limit := range []int{1, 2, 17, ownLength - 1} {
		s := m.Start(Options{Seed: ptr[int64](1), MaxTokens: limit})
		say(t, s)
		if s.Tokens() != limit || s.Reason() != Length {
			t.Errorf("limit %d: got %d tokens, reason %q, want length", limit, s.Tokens(), s.Reason())
		}
	}
	s := m.Start(Options{IgnoreEnd: true, MaxTokens: 10_000})
	if say(t, s); s.Tokens() != 10_000 {
		t.Errorf("IgnoreEnd: got %d tokens, want 10000", s.Tokens())
	}
	s = m.Start(Options{IgnoreEnd: true})
	if say(t, s); s.Tokens() != window {
		t.Errorf("IgnoreEnd without a limit: got %d tokens, want %d", s.Tokens(), window)
	}
}

// With a stop sequence the text is the one without it, up to the sequence.
func TestStopSequences(t *testing.T) {
	m := guide()
	whole := say(t, m.Start(Options{Seed: ptr[int64](7), Prompt: "x"}))
	cases := [][]string{{". "}, {"zzz"}, {""}, {"e", " t"}, {" the "}, {"tha", "th", "thx"}, {whole[:1]},
		{whole[5:30]}, {whole[len(whole)-4:]}, {whole + "more"}, {"nothing such", whole[40:42]}}
	for _, stops := range cases {
		want, reason := whole, Stop
		for _, stop := range stops {
			if stop == "" {
				continue
			}
			if i := strings.Index(whole, stop); i >= 0 && i < len(want) {
				want = whole[:i]
			}
		}
		s := m.Start(Options{Seed: ptr[int64](7), Prompt: "x", Stop: stops})
		if got := say(t, s); got != want || s.Reason() != reason {
			t.Errorf("stop %q: got %q (%s), want %q (%s)", stops, got, s.Reason(), want, reason)
		}
	}
	s := m.Start(Options{Seed: ptr[int64](7), Prompt: "x", Stop: []string{whole + "more"}, MaxTokens: 9})
	if got := say(t, s); !strings.HasPrefix(whole, got) || s.Tokens() != 9 || s.Reason() != Length {
		t.Errorf("held to the limit: got %q (%s), want nine tokens and length", got, s.Reason())
	}
}

// A prompt about something that the corpus knows is answered with a sentence
// that says it.
func TestTopic(t *testing.T) {
	m := guide()
	for _, word := range []string{"cancellation", "heartbeat", "NGINX", "socket"} {
		for seed := range int64(20) {
			text := say(t, m.Start(Options{Seed: &seed, Prompt: "What is a " + word + "?"}))
			if !strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
				t.Errorf("%s, seed %d: got %q", word, seed, text)
			}
		}
	}
}

// Enough texts use most of the vocabulary.
func TestCoverage(t *testing.T) {
	m := guide()
	seen := make(map[string]bool)
	for seed := range int64(600) {
		s := m.Start(Options{Seed: &seed})
		for token, ok := s.Next(); ok; token, ok = s.Next() {
			seen[token] = true
		}
	}
	if got, want := len(seen), len(m.vocab)*9/10; got < want {
		t.Errorf("got %d of %d tokens, want at least %d", got, len(m.vocab), want)
	}
}

// Every pair of neighbours in a text are neighbours in the corpus.
func TestNeighbours(t *testing.T) {
	m := guide()
	seen := make(map[[2]uint32]bool)
	for i, id := range m.text {
		seen[[2]uint32{m.before(uint32(i), 1), id}] = true
	}
	for seed := range int64(50) {
		s := m.Start(Options{Seed: &seed, Temperature: ptr(1.5)})
		for _, ok := s.Next(); ok; _, ok = s.Next() {
			if pair := [2]uint32{s.context[1], s.context[0]}; !seen[pair] {
				t.Fatalf("seed %d: got neighbours %q %q", seed, m.vocab[pair[0]], m.vocab[pair[1]])
			}
		}
	}
}

func TestSmallCorpora(t *testing.T) {
	corpora := []string{"", " ", "\n", "a", " a", "  a", "a.", ". .", "a b", "\xff\xfe", "日本語 です。",
		"one two three four five six\n", "\n\n  word word", "unbelievable", "a\t b\r\n c"}
	for _, corpus := range corpora {
		m := New(corpus)
		for _, temperature := range []float64{0, 0.5, 1, 2} {
			for seed := range int64(5) {
				o := Options{Seed: &seed, Temperature: &temperature, MaxTokens: 50, Prompt: "four words, unbelievable"}
				say(t, m.Start(o))
			}
		}
	}
	if say(t, new(Model).Start(Options{Prompt: "hello"})) != "" {
		t.Error("the zero model spoke")
	}
}

func TestSplit(t *testing.T) {
	cases := []struct {
		text string
		want []string
	}{
		{"Hello, World!", []string{"Hello", ",", " World", "!"}},
		{"a.b net/http don't", []string{"a.b", " net/", "http", " don't"}},
		{"end. Next", []string{"end", ".", " Next"}},
		{"x  y\n\nz ", []string{"x", " ", " y", "\n\n", "z", " "}},
		{" a\t\tb \n", []string{" a", "\t\t", "b", " ", "\n"}},
		{" backpressure", []string{" back", "pres", "sure"}},
		{"(1,000)", []string{"(", "1", ",", "000", ")"}},
		{"Überraschung", []string{"Über", "rasc", "hung"}},
	}
	for _, c := range cases {
		if got := split(c.text); !slices.Equal(got, c.want) {
			t.Errorf("split(%q): got %q, want %q", c.text, got, c.want)
		}
		if got := New("").Count(c.text); got != len(c.want) {
			t.Errorf("Count(%q): got %d, want %d", c.text, got, len(c.want))
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("A stream ends. A stream waits, unless weir.Stream is closed\n\n(or not).")
	f.Add("a  b\r\n\n \xff 日本語")
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "\uFFFD")
		tokens := split(text)
		if got := strings.Join(tokens, ""); got != text {
			t.Errorf("joined: got %q, want %q", got, text)
		}
		for _, token := range tokens {
			if token == "" || !utf8.ValidString(token) {
				t.Errorf("got token %q of %q", token, text)
			}
		}
		say(t, New(text).Start(Options{Seed: ptr[int64](1), MaxTokens: 20, Prompt: text}))
	})
}

func TestProse(t *testing.T) {
	const markdown = "# Title\n\nOne `two`\nthree **four**.\n\n```go\nx := [](y)\n```\n| a | b |\n\n" +
		"- item one\n  goes on\n- item [two](x.md) of\n1. first\n2 cats\n<br>\nlast [one\n"
	want := "One two three four.\n\nitem one goes on\n\nitem two of\n\nfirst 2 cats\n\nlast [one"
	if got := Prose(markdown); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func BenchmarkNew(b *testing.B) {
	text := docs.Text()
	b.ReportAllocs()
	for b.Loop() {
		New(Prose(text))
	}
}

func BenchmarkNext(b *testing.B) {
	m := guide()
	s := m.Start(Options{IgnoreEnd: true, MaxTokens: 1 << 60})
	b.ReportAllocs()
	for b.Loop() {
		s.Next()
	}
}

func BenchmarkStart(b *testing.B) {
	m := guide()
	o := Options{Prompt: strings.Repeat("How does a stream learn that its client has left? ", 20)}
	b.ReportAllocs()
	for b.Loop() {
		m.Start(o)
	}
}
