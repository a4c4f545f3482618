package static_test

import (
	"fmt"
	"log"
	"net/http/httptest"
	"testing/fstest"

	"weir"
	"weir/nethttp"
	"weir/static"
)

// Files below a directory, and one of them at the top. The files of a name with
// a hash in it never change, and clients need not ask again.
func ExampleDir() {
	files, err := static.Dir("testdata/public", &static.Options{
		Header: map[string]string{"Cache-Control": "public, max-age=31536000, immutable"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer files.Close()
	mux := new(weir.Mux)
	mux.Handle("GET /assets/{path...}", files)
	mux.Handle("GET /robots.txt", files)

	get(mux, "/assets/site.0a1b2c.css")
	get(mux, "/robots.txt")
	get(mux, "/assets/../../secret")
	// Output:
	// 200 text/css; charset=utf-8 "p {}\n"
	// 200 text/plain; charset=utf-8 "User-agent: *\n"
	// 307  ""
}

// An application whose pages are made in the browser has one page for all paths
// that are no file.
func ExampleFiles_ServeFile() {
	app := fstest.MapFS{ // or an embed.FS
		"index.html": {Data: []byte("<script src=/app.js></script>")},
		"app.js":     {Data: []byte("render(location)")},
	}
	var files *static.Files
	files, err := static.FS(app, &static.Options{
		Fallthrough: weir.HandlerFunc(func(w *weir.Response, r *weir.Request) {
			files.ServeFile(w, r, "index.html")
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := new(weir.Mux)
	mux.Handle("GET /{path...}", files)

	get(mux, "/app.js")
	get(mux, "/orders/17")
	// Output:
	// 200 text/javascript; charset=utf-8 "render(location)"
	// 200 text/html; charset=utf-8 "<script src=/app.js></script>"
}

func get(mux *weir.Mux, path string) {
	rec := httptest.NewRecorder()
	nethttp.ToHTTP(mux).ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
	if rec.Code >= 300 {
		fmt.Println(rec.Code, "", `""`)
		return
	}
	fmt.Printf("%d %s %q\n", rec.Code, rec.Header().Get("Content-Type"), rec.Body)
}
