package tour

import (
	"embed"
	"io/fs"

	"weir/static"
)

//go:embed files
var embedded embed.FS

// filesOf returns the files below a directory, those of this package for "".
func filesOf(dir string) (*static.Files, error) {
	if dir != "" {
		return static.Dir(dir, nil)
	}
	sub, err := fs.Sub(embedded, "files")
	if err != nil {
		return nil, err
	}
	return static.FS(sub, nil)
}
