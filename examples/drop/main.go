// Command drop is a place to leave files for somebody: one signs in with a
// password, uploads files by a form, and downloads them. It shows what a server
// that the world can reach needs around its handlers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"mime/multipart"
	"os"
	"os/signal"
	"syscall"
	"time"

	"weir"
	"weir/logq"
	"weir/middleware"
	"weir/middleware/compress"
)

// maxUpload bounds a form with its files.
const maxUpload = 8 << 20

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address; with ?proxy=10.0.0.0/8 behind it, of connections that proxies pass on")
	flag.Parse()
	password := os.Getenv("DROP_PASSWORD")
	if password == "" {
		fmt.Fprintln(os.Stderr, "set DROP_PASSWORD")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := logq.NewWriter(os.Stdout, false)
	defer log.Wait(time.Second)
	srv := &weir.Server{
		Handler: routes(newBox(100, 64<<20), newDoor(password)),
		Trace:   middleware.AccessLog{Out: log}.Trace(),
	}
	if err := srv.Start(*listen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "http://%s\n", srv.Addrs()[0])
	<-ctx.Done()
	_, _ = srv.Shutdown(context.Background()) // it was started
}

func routes(b *box, d *door) *weir.Mux {
	mux := new(weir.Mux)
	mux.Use(
		middleware.RequestIDs{}.Middleware(),
		middleware.Security{Content: "default-src 'none'; form-action 'self'; base-uri 'none'"}.Middleware(),
		middleware.CrossOrigin{}.Middleware(),
		middleware.RateLimit{Limit: 300, Per: time.Minute}.Middleware(),
		compress.Bodies{}.Middleware(),
	)
	guesses := middleware.RateLimit{Limit: 5, Per: time.Minute, Name: "login"}.Middleware()
	mux.HandleFunc("GET /{$}", func(w *weir.Response, r *weir.Request) { show(w, b, d.knows(r)) })
	mux.HandleFunc("POST /login", d.signIn, guesses).MaxBody(4 << 10)
	mux.HandleFunc("POST /files", b.upload, d.onlyKnown).MaxBody(maxUpload)
	mux.HandleFunc("GET /files/{id}", b.download, d.onlyKnown)
	return mux
}

var page = template.Must(template.New("").Parse(`<!doctype html>
<title>drop</title>
{{if .Known}}<form method="post" action="/files" enctype="multipart/form-data">
<input type="file" name="file" multiple required> <button>Upload</button>
</form>
<ul>{{range .Files}}<li><a href="/files/{{.ID}}">{{.Name}}</a>, {{len .Content}} bytes</li>{{end}}</ul>
{{else}}<form method="post" action="/login">
<input type="password" name="password" required> <button>Sign in</button>
</form>{{end}}
`))

func show(w *weir.Response, b *box, known bool) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = page.Execute(w, struct { // into a buffer
		Known bool
		Files []file
	}{known, b.list()})
}

// readForm responds if there is no form.
func readForm(w *weir.Response, r *weir.Request) *multipart.Form {
	form, err := r.ReadForm(weir.FormLimits{Size: maxUpload, Memory: -1})
	switch {
	case errors.Is(err, weir.ErrNotForm):
		w.Error(415, "want a form")
	case errors.Is(err, weir.ErrBodyTooLarge):
		w.Error(413, "too large")
	case err != nil:
		w.Error(400, "the form cannot be read")
	}
	return form
}

// upload keeps the files of a form.
func (b *box) upload(w *weir.Response, r *weir.Request) {
	form := readForm(w, r)
	if form == nil {
		return
	}
	for _, header := range form.File["file"] {
		content, err := contentOf(header)
		if err == nil {
			err = b.add(header.Filename, content)
		}
		if err != nil {
			w.Error(507, err.Error())
			return
		}
	}
	w.Redirect(303, "/")
}

func contentOf(header *multipart.FileHeader) ([]byte, error) {
	f, err := header.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// download sends a file to be saved, never to be shown: it may be a page.
func (b *box) download(w *weir.Response, r *weir.Request) {
	f, ok := b.get(r.PathValue("id"))
	if !ok {
		w.Error(404, "no such file")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Attachment(f.Name)
	_, _ = w.Write(f.Content)
}
