package weir_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
)

const formType = "Content-Type: multipart/form-data; boundary=b\r\n"

// part is one of a multipart form.
func part(disposition, content string) string {
	return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + content + "\r\n"
}

// M10: what a form becomes, and attempts to make it more than the limits allow.
func TestReadForm(t *testing.T) {
	const end = "--b--\r\n"
	big := strings.Repeat("x", 100<<10)
	for _, tt := range []struct {
		name, head, body string
		limits           weir.FormLimits
		want             string // status and body
	}{
		{"pairs", "Content-Type: application/x-www-form-urlencoded\r\n", "a=1&b=%20&a=2", weir.FormLimits{}, "200 a=[1 2] b=[ ]"},
		{"pairs with a charset", "Content-Type: Application/X-WWW-Form-Urlencoded; charset=utf-8\r\n", "a=1", weir.FormLimits{}, "200 a=[1]"},
		{"parts", formType, part(`name="a"`, "1") + part(`name="f"; filename="x.txt"`, "text") + end, weir.FormLimits{}, "200 a=[1] f:x.txt=text"},
		{"no parts", formType, end, weir.FormLimits{}, "200"},
		{"a path as a file name", formType, part(`name="f"; filename="../../etc/passwd"`, "text") + end, weir.FormLimits{}, "200 f:passwd=text"},
		{"an absolute one", formType, part(`name="f"; filename="/etc/passwd"`, "text") + end, weir.FormLimits{}, "200 f:passwd=text"},
		{"a file beyond memory", formType, part(`name="f"; filename="x"`, big) + end, weir.FormLimits{Memory: 1 << 10}, "200 f:x=" + big},
		{"no temporary files", formType, part(`name="f"; filename="x"`, big) + end, weir.FormLimits{Memory: -1}, "200 f:x=" + big},
		{"no limit", formType, part(`name="f"; filename="x"`, big) + end, weir.FormLimits{Size: -1, Memory: -1}, "200 f:x=" + big},

		{"no type", "", "a=1", weir.FormLimits{}, "415 weir: request body is not a form"},
		{"JSON", "Content-Type: application/json\r\n", "{}", weir.FormLimits{}, "415 weir: request body is not a form"},
		{"no boundary", "Content-Type: multipart/form-data\r\n", end, weir.FormLimits{}, "415 weir: request body is not a form"},
		{"a long boundary", "Content-Type: multipart/form-data; boundary=" + strings.Repeat("b", 71) + "\r\n", end, weir.FormLimits{}, "415 weir: request body is not a form"},
		{"too large", formType, part(`name="f"; filename="x"`, big) + end, weir.FormLimits{Size: 100 << 10}, "413"},
		{"too large a value", formType, part(`name="a"`, big) + end, weir.FormLimits{Size: 50 << 10}, "413"},
		{"too large behind the end", formType, end + big, weir.FormLimits{Size: 50 << 10}, "200"},
		{"pairs, too large", "Content-Type: application/x-www-form-urlencoded\r\n", "a=" + big, weir.FormLimits{Size: 50 << 10}, "413"},
		{"many parts", formType, strings.Repeat(part(`name="a"`, ""), 1001) + end, weir.FormLimits{}, "400 multipart: message too large"},
		{"many fields in a part", formType, "--b\r\n" + strings.Repeat("A: b\r\n", 20_000) + "\r\n" + end, weir.FormLimits{}, "400"},
		{"a long field in a part", formType, part(`name="`+strings.Repeat("x", 11<<20)+`"`, "") + end, weir.FormLimits{}, "400"},
		{"many pairs", "Content-Type: application/x-www-form-urlencoded\r\n", strings.Repeat("a&", 20_000), weir.FormLimits{}, "400 weir: form"},
		{"half a form", formType, part(`name="a"`, "1"), weir.FormLimits{}, "400"},
		{"half a part", formType, "--b\r\nContent-Dispo", weir.FormLimits{}, "400"},
		{"not a form", formType, big, weir.FormLimits{}, "400"},
		{"a pair that is none", "Content-Type: application/x-www-form-urlencoded\r\n", "a=%zz", weir.FormLimits{}, "400 weir: form"},
	} {
		for _, mode := range []string{"buffered", "arriving"} {
			t.Run(tt.name+" "+mode, func(t *testing.T) {
				t.Setenv("TMPDIR", t.TempDir())
				m := new(weir.Mux)
				rt := m.HandleFunc("POST /", func(w *weir.Response, r *weir.Request) { showForm(w, r, tt.limits) }).MaxBody(64 << 20)
				if mode == "arriving" {
					rt.StreamBody()
				}
				atDesk(t, m, nil, func(d *desk) {
					c := d.dial(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n", tt.head, len(tt.body)))
					go func() { _, _ = io.WriteString(c, tt.body) }()
					got := d.seen(c)
					head, body, _ := strings.Cut(got, "\r\n\r\n")
					if len(head) < 12 {
						t.Fatalf("got %.100q", got)
					}
					if got := strings.TrimSpace(head[9:12] + " " + strings.TrimSpace(body)); !strings.HasPrefix(got, tt.want) || strings.HasPrefix(tt.want, "200") && got != tt.want {
						t.Errorf("got %.200q, want %.200q", got, tt.want)
					}
					c.Close()
					time.Sleep(time.Minute)
					synctest.Wait()
				})
				if left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*")); err != nil || len(left) > 0 {
					t.Errorf("left in the temporary folder: %v, %v", left, err)
				}
			})
		}
	}
}

// showForm responds with what is in the form, in the order of names.
func showForm(w *weir.Response, r *weir.Request, limits weir.FormLimits) {
	form, err := r.ReadForm(limits)
	switch {
	case errors.Is(err, weir.ErrNotForm):
		w.Error(415, err.Error())
		return
	case errors.Is(err, weir.ErrBodyTooLarge):
		w.Error(413, err.Error())
		return
	case err != nil:
		w.Error(400, err.Error())
		return
	}
	var all []string
	for name, values := range form.Value {
		all = append(all, fmt.Sprintf("%s=%s", name, values))
	}
	for name, files := range form.File {
		for _, file := range files {
			all = append(all, fmt.Sprintf("%s:%s=%s", name, file.Filename, contents(file)))
		}
	}
	slices.Sort(all)
	_, _ = io.WriteString(w, strings.Join(all, " "))
}

func contents(file *multipart.FileHeader) string {
	f, err := file.Open()
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	var b bytes.Buffer
	_, _ = io.Copy(&b, f)
	return b.String()
}

// M10: a route's MaxBody refuses an upload before it arrives, and ReadForm has
// no place on a loop.
func TestReadFormElsewhere(t *testing.T) {
	m := new(weir.Mux)
	m.HandleFunc("POST /small", func(w *weir.Response, r *weir.Request) { showForm(w, r, weir.FormLimits{}) }).MaxBody(10)
	m.HandleFunc("POST /inline", func(w *weir.Response, r *weir.Request) {
		_, err := r.ReadForm(weir.FormLimits{})
		_, _ = io.WriteString(w, err.Error())
	}).Inline()
	m.HandleFunc("POST /parts", func(w *weir.Response, r *weir.Request) {
		parts, err := r.MultipartReader()
		for err == nil {
			var p *multipart.Part
			if p, err = parts.NextPart(); err == nil {
				n, _ := io.Copy(io.Discard, p)
				fmt.Fprintf(w, "%s %d,", p.FormName(), n)
			}
		}
		fmt.Fprint(w, err)
	}).StreamBody()
	atDesk(t, m, nil, func(d *desk) {
		for _, tt := range []struct{ request, body, want string }{
			{"POST /small", strings.Repeat("x", 11), "Content Too Large\n"},
			{"POST /inline", "a=1", weir.ErrBlockingOnLoop.Error()},
			{"POST /parts", part(`name="a"`, "123") + part(`name="b"`, "") + "--b--", "a 3,b 0,EOF"},
		} {
			_, body := d.exchange(fmt.Sprintf("%s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n%s", tt.request, formType, len(tt.body), tt.body))
			if body != tt.want {
				t.Errorf("%s: got %q, want %q", tt.request, body, tt.want)
			}
		}
	})
}

// M10: a form is the handler's until it returns, also when the client has
// disconnected; then its temporary files are removed, as they are behind a panic.
func TestFormUntilTheHandlerReturns(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	temporary := func() int {
		left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*"))
		if err != nil {
			t.Error(err)
		}
		return len(left)
	}
	big := strings.Repeat("x", 100<<10)
	body := part(`name="f"; filename="x"`, big) + "--b--\r\n"
	m := new(weir.Mux)
	m.HandleFunc("POST /", func(w *weir.Response, r *weir.Request) {
		form, err := r.ReadForm(weir.FormLimits{Memory: 1 << 10})
		if err != nil || temporary() != 1 {
			t.Errorf("got %v and %d temporary files", err, temporary())
			return
		}
		if _, err := r.Clone().ReadForm(weir.FormLimits{Memory: 1 << 10}); err != nil || temporary() != 1 {
			t.Errorf("a clone: got %v and %d temporary files, want one, of the request", err, temporary())
		}
		<-r.Context().Done()
		time.Sleep(time.Second)
		if got := contents(form.File["f"][0]); got != big {
			t.Errorf("got %.80q when the client had disconnected, want the file", got)
		}
		panic("on purpose")
	})
	atDesk(t, m, func(s *weir.Server) { s.Logger = slog.New(slog.DiscardHandler) }, func(d *desk) {
		c := d.dial(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\n%sContent-Length: %d\r\n\r\n", formType, len(body)))
		go func() { _, _ = io.WriteString(c, body) }()
		synctest.Wait()
		c.Reset()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := temporary(); n != 0 {
			t.Errorf("got %d temporary files when the handler had returned, want none", n)
		}
	})
}

// A file's name is in no header but as a name.
func TestAttachment(t *testing.T) {
	for name, want := range map[string]string{
		"report.pdf":               `attachment; filename="report.pdf"`,
		"a b.txt":                  `attachment; filename="a b.txt"`,
		"../../etc/passwd":         `attachment; filename="passwd"`,
		`C:\windows\x.exe`:         `attachment; filename="x.exe"`,
		"quote\".txt":              `attachment; filename="quote_.txt"; filename*=UTF-8''quote%22.txt`,
		"x\r\nSet-Cookie: a=b.txt": `attachment; filename="xSet-Cookie: a=b.txt"`,
		"naïve €.txt":              `attachment; filename="na_ve _.txt"; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.txt`,
		"100%.txt":                 `attachment; filename="100_.txt"; filename*=UTF-8''100%25.txt`,
		"bad\xff.txt":              `attachment; filename="bad_.txt"`,
		"":                         `attachment; filename=""`,
		"folder/":                  `attachment; filename=""`,
		"a;b=c\x00\x7f.txt":        `attachment; filename="a;b=c.txt"`,
	} {
		m := new(weir.Mux)
		m.HandleFunc("GET /", func(w *weir.Response, _ *weir.Request) { w.Attachment(name) })
		atDesk(t, m, nil, func(d *desk) {
			c := d.dial("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if got := d.seen(c); !strings.Contains(got, "\r\nContent-Disposition: "+want+"\r\n") {
				t.Errorf("%q: got %q, want %s", name, got, want)
			}
			c.Close()
		})
	}
}

func TestJSON(t *testing.T) {
	m := new(weir.Mux)
	m.HandleFunc("GET /good", func(w *weir.Response, _ *weir.Request) { w.JSON(201, map[string]int{"a": 1}) }).Inline()
	m.HandleFunc("GET /instead", func(w *weir.Response, _ *weir.Request) {
		w.EventStream()
		w.JSON(400, []string{"<no>"})
	})
	m.HandleFunc("GET /bad", func(w *weir.Response, _ *weir.Request) { w.JSON(200, make(chan int)) })
	atDesk(t, m, nil, func(d *desk) {
		for path, want := range map[string]string{
			"/good":    "201 Created {\"a\":1}",
			"/instead": "400 Bad Request [\"\\u003cno\\u003e\"]",
			"/bad":     "500 Internal Server Error Internal Server Error\n",
		} {
			if status, body := d.exchange("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"); status+" "+body != want {
				t.Errorf("%s: got %s %q, want %q", path, status, body, want)
			}
		}
	})
}
