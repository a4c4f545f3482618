#!/bin/sh
# Lets the Codex CLI do a scripted task of two tools: codex -> weir serve ->
# weir mock, in a home and an environment of its own. It needs npm and 430 MB,
# and is no part of make test.
#
#   make codex
set -eu
cd "$(dirname "$0")/../.."
version=0.171.0
tools=$PWD/.tools/codex weir=$PWD/bin/weir
if [ ! -x "$tools/node_modules/.bin/codex" ]; then
    mkdir -p "$tools"
    echo '{"private":true}' >"$tools/package.json"
    (cd "$tools" && npm install --no-audit --no-fund --loglevel=error "@openai/codex@$version")
fi
work=$(mktemp -d) mock='' gateway=''
trap 'kill $mock $gateway 2>/dev/null || true; rm -rf "$work"' EXIT INT TERM
mkdir "$work/home" "$work/task"
cat >"$work/script.yaml" <<'END'
rules:
- path: /v1/responses
  set:
    tool: exec_command,exec_command
    arguments: '[{"cmd":"echo one > a.txt"},{"cmd":"cat a.txt"}]'
    text: Both commands have run.
END

# address FILE: the address in the ready line that comes there.
address() {
    until grep -qs ready "$1"; do sleep 0.1; done
    sed -n 's/.*ready on //p' "$1"
}

"$weir" mock --listen 127.0.0.1:0 --script "$work/script.yaml" >"$work/mock" 2>&1 &
mock=$!
cat >"$work/weir.yaml" <<END
listen: ["127.0.0.1:0"]
admin: {listen: ""}
upstreams: {mock: {url: "$(address "$work/mock")", dialects: [responses]}}
models: {"*": {targets: [{upstream: mock}]}}
END
"$weir" serve --config "$work/weir.yaml" >"$work/gateway" 2>"$work/log" &
gateway=$!
base=$(address "$work/gateway")
cd "$work/task"
env -i PATH="$PATH" HOME="$work/home" KEY=none "$tools/node_modules/.bin/codex" exec --skip-git-repo-check \
    --dangerously-bypass-approvals-and-sandbox -c model_provider=weir -m gpt-5-codex \
    -c "model_providers.weir={name=\"weir\",base_url=\"$base/v1\",env_key=\"KEY\",wire_api=\"responses\"}" \
    'Run the two commands.' </dev/null >"$work/said" 2>&1 || { cat "$work/said" "$work/log" >&2; exit 1; }
[ "$(cat a.txt)" = one ] && grep -q 'Both commands have run.' "$work/said" ||
    { cat "$work/said" "$work/log" >&2; echo 'codex: the task was not done' >&2; exit 1; }
echo 'codex: both tools ran, and the text came'
