package build

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mostLines is how many lines of the go tool's output are shown.
const mostLines = 40

var (
	// generated is a place in a main that the user did not write.
	generated = regexp.MustCompile(`^(weir|probe\d+)/main\.go:\d+:\d+: `)
	// progress is what the go tool prints about its work.
	progress = regexp.MustCompile(`^go: (downloading|finding|found|added|upgraded) |^package ` + buildPath + `/|^# ` + buildPath + `/`)
	// placed is a line about a place in a file.
	placed = regexp.MustCompile(`^([^:]+\.[a-zA-Z]+)(:\d+.*)$`)
	// unversioned is the version that the go tool gives a module in a folder.
	unversioned = regexp.MustCompile(`@v\d+\.0\.0-00010101000000-000000000000`)
)

// plain returns the go tool's output of a failure, for a user who does not know
// the module it runs in: without the generated mains, each line once even if it
// is there for several of them, files named from the current folder.
func plain(text, folder string) []string {
	var lines []string
	for line := range strings.Lines(unversioned.ReplaceAllString(text, "")) {
		line = generated.ReplaceAllString(strings.TrimSpace(line), "")
		if line == "" || progress.MatchString(line) {
			continue
		}
		if line = relocate(line, folder); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if more := len(lines) - mostLines; more > 0 {
		lines = append(lines[:mostLines], fmt.Sprintf("(%d lines more)", more))
	}
	return lines
}

// relocate rewrites the file at the beginning of a line, if there is one: it is
// absolute or relative to folder, and may be shorter relative to the user's
// folder.
func relocate(line, folder string) string {
	m := placed.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	file := m[1]
	if !filepath.IsAbs(file) {
		file = filepath.Join(folder, file)
	}
	if _, err := os.Stat(file); err != nil {
		return line
	}
	if current, err := os.Getwd(); err == nil {
		if short, err := filepath.Rel(current, file); err == nil && len(short) < len(file) {
			file = short
		}
	}
	return file + m[2]
}
