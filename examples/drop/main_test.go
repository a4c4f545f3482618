package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"testing"

	"weir"
)

// visitor is a browser, as far as this matters.
type visitor struct {
	*testing.T
	*http.Client
	url string
}

func visit(t *testing.T, b *box) *visitor {
	t.Helper()
	srv := &weir.Server{Handler: routes(b, newDoor("secret")), Loops: 1}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	jar, _ := cookiejar.New(nil)
	transport := new(http.Transport)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if _, err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &visitor{t, &http.Client{Jar: jar, Transport: transport}, "http://" + srv.Addrs()[0].String()}
}

func (v *visitor) get(path string) (*http.Response, string) {
	v.Helper()
	return v.read(v.Client.Get(v.url + path))
}

func (v *visitor) read(res *http.Response, err error) (*http.Response, string) {
	v.Helper()
	if err != nil {
		v.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.Fatal(err)
	}
	return res, string(body)
}

func (v *visitor) signIn(password string) *http.Response {
	v.Helper()
	res, _ := v.read(v.PostForm(v.url+"/login", map[string][]string{"password": {password}}))
	return res
}

func (v *visitor) upload(name string, content []byte) (*http.Response, string) {
	v.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		v.Fatal(err)
	}
	_, _ = part.Write(content)
	_ = form.Close()
	return v.read(v.Post(v.url+"/files", form.FormDataContentType(), &body))
}

var link = regexp.MustCompile(`<a href="(/files/\w+)">([^<]*)</a>, (\d+) bytes`)

// Files come back as they were left, under their names, to be saved.
func TestDrop(t *testing.T) {
	v := visit(t, newBox(10, 1<<20))
	if res := v.signIn("secret"); res.StatusCode != 200 { // behind the redirect
		t.Fatalf("got %s", res.Status)
	}
	content := bytes.Repeat([]byte("report\x00"), 1000)
	for _, name := range []string{"report.pdf", "<b>.html", `naïve "x".txt`} {
		if res, body := v.upload(name, content); res.StatusCode != 200 {
			t.Errorf("%s: got %s %q", name, res.Status, body)
		}
	}
	_, list := v.get("/")
	all := link.FindAllStringSubmatch(list, -1)
	if len(all) != 3 || strings.Contains(list, "<b>") {
		t.Fatalf("got %s", list)
	}
	res, body := v.get(all[2][1])
	if got := res.Header.Get("Content-Disposition"); body != string(content) || got != `attachment; filename="na_ve _x_.txt"; filename*=UTF-8''na%C3%AFve%20%22x%22.txt` {
		t.Errorf("got %d bytes and %s", len(body), got)
	}
	if h := res.Header; h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Request-Id") == "" || h.Get("Content-Security-Policy") == "" {
		t.Errorf("got %v", h)
	}
	if res, _ := v.get("/files/nothing"); res.StatusCode != 404 {
		t.Errorf("got %s", res.Status)
	}
}

// What others try.
func TestAttempts(t *testing.T) {
	v := visit(t, newBox(2, 1<<20))
	if res, _ := v.upload("x", make([]byte, 7<<20)); res.StatusCode != 401 {
		t.Errorf("a stranger's upload: got %s", res.Status)
	}
	if res, _ := v.get("/files/x"); res.StatusCode != 401 {
		t.Errorf("a stranger's download: got %s", res.Status)
	}
	v.signIn("secret")
	if _, list := v.get("/"); !strings.Contains(list, "Upload") {
		t.Fatalf("got %s", list)
	}
	for name, tt := range map[string]struct {
		size, status int
	}{"../../etc/passwd": {10, 200}, "too-large": {9 << 20, 413}, "no-room": {2 << 20, 507}} {
		if res, body := v.upload(name, make([]byte, tt.size)); res.StatusCode != tt.status {
			t.Errorf("%s: got %s %q, want %d", name, res.Status, body, tt.status)
		}
	}
	if _, list := v.get("/"); !strings.Contains(list, ">passwd</a>") || len(link.FindAllString(list, -1)) != 1 {
		t.Errorf("got %s", list)
	}
	if res, _ := v.read(v.Post(v.url+"/files", "application/json", strings.NewReader("{}"))); res.StatusCode != 415 {
		t.Errorf("JSON: got %s", res.Status)
	}
	refused := 0
	for i := range 10 {
		if res := v.signIn(fmt.Sprint("guess", i)); res.StatusCode == 429 {
			refused++
		} else if res.StatusCode != 403 {
			t.Errorf("a guess: got %s", res.Status)
		}
	}
	if refused < 5 {
		t.Errorf("%d of 10 guesses were refused, want those beyond 5 a minute", refused)
	}
}
