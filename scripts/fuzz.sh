#!/bin/sh
# Fuzzes every target of the module for a while, one after the other.
#
#   scripts/fuzz.sh [TIME [PACKAGE...]]     default: 30s each, all packages
#
# A failing input is kept under the package's testdata/fuzz: commit it with the
# fix.
set -eu
cd "$(dirname "$0")/.."
time=${1:-30s}
[ $# = 0 ] || shift
status=0
for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' "${@:-./...}"); do
    dir=$(go list -f '{{.Dir}}' "$package")
    targets=$(cat "$dir"/*_test.go | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p')
    for target in $targets; do
        echo "fuzz: $package $target"
        go test -run='^$' -fuzz="^$target\$" -fuzztime="$time" "$package" || status=1
    done
done
exit $status
