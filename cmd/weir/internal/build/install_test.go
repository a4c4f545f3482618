package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInstall(t *testing.T) {
	folder := write(t, map[string]string{"new": "new", "out/there": "old"})
	if err := os.Chmod(folder+"/new", 0o755); err != nil {
		t.Fatal(err)
	}
	running, err := os.Open(folder + "/out/there")
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	for _, out := range []string{"there", "fresh"} {
		if err := install(folder+"/new", folder+"/out/"+out); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(folder + "/out/" + out)
		text, _ := os.ReadFile(folder + "/out/" + out)
		if err != nil || info.Mode() != 0o755 || string(text) != "new" {
			t.Errorf("%s: got %v %q, %v, want the new file with its mode", out, info, text, err)
		}
	}
	old := make([]byte, 3)
	if _, err := running.Read(old); err != nil || string(old) != "old" {
		t.Errorf("got %q, %v from the file that was there, want it as it was", old, err)
	}
	if left, _ := filepath.Glob(folder + "/out/.weir-build-*"); left != nil {
		t.Errorf("got %q left", left)
	}
}

func TestCheckOutput(t *testing.T) {
	folder := write(t, map[string]string{"file": "", "sub/x": ""})
	for out, want := range map[string]string{
		"file": "", "fresh": "", "sub": "is a folder: name the file in it", "file/x": "not a directory", "nowhere/x": "cannot write beside",
	} {
		err := checkOutput(folder + "/" + out)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", out, err, want)
		}
	}
	if err := checkOutput("/dev/null"); err == nil || err.Error() != "-o: /dev/null is not a regular file" {
		t.Errorf("got %v, want /dev/null refused", err)
	}
	if left, _ := filepath.Glob(folder + "/.weir-build-*"); left != nil {
		t.Errorf("got %q left", left)
	}
}
