package build

import (
	"context"
	"strings"
)

// A stamp is the commit of the source.
type stamp struct {
	commit   string // "" = it is not known
	modified bool
}

// readStamp runs git. Without git, or if the folder is not the root of a
// repository, the commit is not known: the repository around an unpacked
// archive is another one.
func readStamp(ctx context.Context, folder string) stamp {
	out, err := git(ctx, folder, "rev-parse", "--show-cdup", "HEAD")
	up, commit, two := strings.Cut(out, "\n")
	if err != nil || !two || up != "" {
		return stamp{}
	}
	changes, err := git(ctx, folder, "status", "--porcelain")
	if err != nil {
		return stamp{}
	}
	return stamp{strings.TrimSpace(commit), changes != ""}
}

func git(ctx context.Context, folder string, args ...string) (string, error) {
	p := newProcess(ctx, "git", append([]string{"-C", folder}, args...)...)
	err := p.finish(ctx)
	return p.stdout.String(), err
}
