#!/bin/sh
# Runs everything CI runs, one step after the other, on loopback only. A step
# that fails does not keep the next ones from running; the last lines say which
# failed, and the exit status is 1 then.
#
#   scripts/test.sh [STEP...]      all steps, or those named
#
# The time of a fuzz target: WEIR_FUZZ_TIME (default 3s).
set -u
cd "$(dirname "$0")/.."
export GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" # go.mod says which

steps='install format vet tidy lint cross build race plain invariants clients fuzz modules'

install() { scripts/install.sh; }

format() {
    # shellcheck disable=SC2046 # no file of ours has a space in its name
    unformatted=$(gofmt -l $(go_files)) || return 1
    [ -z "$unformatted" ] || { echo "not formatted by gofmt:" $unformatted; return 1; }
}

go_files() {
    find . \( -name node_modules -o -name '.?*' \) -prune -o -name '*.go' -print
}

vet() { go vet ./... && go vet -tags invariants,soak ./...; }

tidy() { go mod tidy -diff && in_modules go mod tidy -diff; }

lint() { go tool -modfile=scripts/tools.mod staticcheck ./...; }

# What cannot be run here still compiles and vets, tests included.
cross() {
    for target in darwin/arm64 darwin/amd64 linux/arm64; do
        GOOS=${target%/*} GOARCH=${target#*/} CGO_ENABLED=0 go vet ./... ||
            { echo "$target: does not vet"; return 1; }
    done
}

build() { make --no-print-directory build && bin/weir version; }

# Tests with clients and servers that others wrote. They have a step of their
# own, since they take long and nothing of them may be skipped.
real='SDK|OracleFast|Llama|Uvicorn|Nginx|HAProxy|TLSClients|Curl|Chromium|Peers'

race() { go test -race -count=1 -timeout=10m -skip="$real" ./...; }

# Without the race detector, under which allocations cannot be counted. The
# gateway as a process would take minutes once more, and counts none.
plain() {
    # shellcheck disable=SC2046 # no package of ours has a space in its name
    go test -count=1 -timeout=10m -skip="$real" $(go list ./... | grep -v '/internal/serve$')
}

# With the assertions of internal/invariant compiled in.
invariants() { go test -tags invariants -count=1 -timeout=10m . ./client ./reactor ./weirtest ./internal/...; }

# None may skip: install has brought what it needs.
clients() {
    out=$(go test -race -count=1 -timeout=15m -v -run="$real|TestOracle" ./cmd/... ./sse ./ws 2>&1)
    status=$?
    echo "$out" | grep -Ev '^(=== |\?|testing: warning: no tests|PASS|ok .*no tests to run)'
    skipped=$(echo "$out" | grep -e '--- SKIP')
    scripts/clients/model-path.sh >/dev/null 2>&1 &&
        scripts/clients/llama-server-path.sh >/dev/null 2>&1 ||
        skipped=$(echo "$skipped" | grep -v Llama)
    [ -z "$skipped" ] || { echo "skipped, though all is installed:" "$skipped"; return 1; }
    return $status
}

fuzz() { scripts/fuzz.sh "${WEIR_FUZZ_TIME:-3s}"; }

# The modules of their own: bench, examples. Twice: under the race detector allocations cannot be counted.
modules() {
    in_modules go vet ./... &&
        in_modules go test -count=1 -timeout=10m ./... &&
        in_modules go test -race -count=1 -timeout=10m ./...
}

# in_modules COMMAND...: run it in the folder of each module below this one.
in_modules() {
    for file in $(find ./*/ \( -name node_modules -o -name testdata -o -name '.?*' \) -prune -o -name go.mod -print); do
        echo "$(dirname "$file"): $*"
        (cd "$(dirname "$file")" && "$@") || return 1
    done
}

failed=''
started=$(date +%s)
for step in ${*:-$steps}; do
    echo "=== $step"
    at=$(date +%s)
    if "$step"; then
        echo "--- $step: $(($(date +%s) - at)) s"
    else
        echo "--- $step: FAILED after $(($(date +%s) - at)) s"
        failed="$failed $step"
    fi
done
echo "=== $(($(date +%s) - started)) s in all"
if [ -n "$failed" ]; then
    echo "failed:$failed (again: scripts/test.sh$failed)"
    exit 1
fi
echo 'all passed'
