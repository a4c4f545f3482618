package build

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

func TestStamp(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	folder := write(t, map[string]string{"a": "1", "sub/b": "1"})
	if got := readStamp(t.Context(), folder); got != (stamp{}) {
		t.Errorf("got %+v without a repository, want nothing", got)
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "-m", "x"}} {
		if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", folder}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	got := readStamp(t.Context(), folder)
	if !regexp.MustCompile(`^[0-9a-f]{40,64}$`).MatchString(got.commit) || got.modified {
		t.Errorf("got %+v, want the commit, not modified", got)
	}
	if err := os.WriteFile(folder+"/a", []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if now := readStamp(t.Context(), folder); now != (stamp{got.commit, true}) {
		t.Errorf("got %+v after a change, want it modified", now)
	}
	if got := readStamp(t.Context(), folder+"/sub"); got != (stamp{}) {
		t.Errorf("got %+v of another's repository, want nothing", got)
	}
}
