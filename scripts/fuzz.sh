#!/bin/sh
# Fuzzes every target for a while, one after the other.
#
#   scripts/fuzz.sh [TIME [PACKAGE...]]     default: 30s each, all packages, those of the modules below this one too
#
# A failing input is kept under the package's testdata/fuzz: commit it with the
# fix.
set -eu
cd "$(dirname "$0")/.."
export GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" # go.mod says which
time=${1:-30s}
[ $# = 0 ] || shift
status=0
said=$(mktemp)
trap 'rm -f "$said"' EXIT

# one PACKAGE TARGET. The end of its time is sometimes taken for a failure
# (golang.org/issue/75804, mended in Go 1.27): then it is tried once more.
one() {
    for try in first last; do
        ok=yes
        go test -run='^$' -fuzz="^$2\$" -fuzztime="$time" "$1" >"$said" 2>&1 || ok=
        cat "$said"
        [ -z "$ok" ] || return 0
        if [ $try = last ] || grep -q 'Failing input written' "$said" || ! grep -q 'context deadline exceeded' "$said"; then
            return 1
        fi
        echo "fuzz: $1 $2: ran out of time, and nothing else: again"
    done
}

# fuzz PACKAGE...: those of the module in the working folder.
fuzz() {
    for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' "$@"); do
        dir=$(go list -f '{{.Dir}}' "$package")
        targets=$(cat "$dir"/*_test.go | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p')
        for target in $targets; do
            echo "fuzz: $package $target"
            one "$package" "$target" || status=1
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
