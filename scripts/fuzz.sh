#!/bin/sh
# Fuzzes every target for a while, one after the other.
#
#   scripts/fuzz.sh [TIME [PACKAGE...]]     default: 30s each, all packages, those of the modules below this one too
#
# A failing input is kept under the package's testdata/fuzz: commit it with the
# fix.
set -eu
cd "$(dirname "$0")/.."
time=${1:-30s}
[ $# = 0 ] || shift
status=0

# fuzz PACKAGE...: those of the module in the working folder.
fuzz() {
    for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' "$@"); do
        dir=$(go list -f '{{.Dir}}' "$package")
        targets=$(cat "$dir"/*_test.go | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p')
        for target in $targets; do
            echo "fuzz: $package $target"
            go test -run='^$' -fuzz="^$target\$" -fuzztime="$time" "$package" || status=1
        done
    done
}

if [ $# -gt 0 ]; then
    fuzz "$@"
    exit $status
fi
top=$(pwd)
for file in $(find . \( -name node_modules -o -name testdata -o -name '.?*' \) -prune -o -name go.mod -print); do
    cd "$(dirname "$file")"
    fuzz ./...
    cd "$top"
done
exit $status
