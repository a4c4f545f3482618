package build

import (
	"context"
	"strings"
)

// A stamp says of which commit the source is.
type stamp struct {
	commit   string // "" = it is not known
	modified bool
}

// readStamp asks git. Without git, or when the folder is not the root of a
// repository, nothing is known: the repository that an unpacked archive lies in
// is another's.
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
