#!/bin/sh
# Compares weir with an earlier one at the same time: both on CPU 0, each with a
# load of its own on CPU 1, and the ratio of their CPU in each round. What the
# machine does meanwhile both feel alike, so that a few rounds show what ten of
# `run.sh before`, one after the other, do not. It uses what that has built.
#
#   bench/run.sh before --rev REV --quick   # builds both
#   bench/beside.sh inline|token|event|unary [ROUNDS]
set -eu
cd "$(dirname "$0")"
kind=${1:-} rounds=${2:-15}
case $kind in inline | token) command=tour ;; event | unary) command=serve ;; *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;; esac
dir=$(mktemp -d)
pids=''
trap 'kill $pids 2>/dev/null || true; rm -r "$dir"' EXIT

# start NAME CPU COMMAND...: until it is ready; its address is then in NAME.addr.
start() {
    name=$1 cpu=$2
    shift 2
    taskset -c "$cpu" "$@" >"$dir/$name.out" 2>/dev/null &
    pids="$pids $!"
    echo $! >"$dir/$name.pid"
    for _ in $(seq 500); do
        sed -n 's|.*ready on http://||p' "$dir/$name.out" | head -1 >"$dir/$name.addr"
        [ -s "$dir/$name.addr" ] && return
        sleep 0.02
    done
    echo "beside.sh: $name is not ready" >&2
    exit 1
}

used() { awk '{s += $1} END {printf "%.0f", s}' /proc/"$1"/task/*/schedstat; } # ns

# per_request PID ADDRESS PATH [SCRIPT]: CPU µs
per_request() {
    before=$(used "$1")
    n=$(taskset -c 1 wrk -t1 -c16 -d3s ${4:+-s "$4"} "http://$2$3" | sed -n 's/ *\([0-9]*\) requests in.*/\1/p')
    echo "$before $(used "$1") $n" | awk '{print ($2 - $1) / $3 / 1000}'
}

# load NAME: the CPU of one request, token or event of that server, in µs
load() {
    pid=$(cat "$dir/$1.pid") addr=$(cat "$dir/$1.addr")
    case $kind in
        inline) per_request "$pid" "$addr" /plaintext ;;
        unary) per_request "$pid" "$addr" /v1/chat/completions scripts/chat.lua ;;
        token) taskset -c 1 .bin/paced -addr "$addr" -pid "$pid" -conns 300 -interval 50ms -size 64 -window 3s ;;
        event) taskset -c 1 .bin/paced -addr "$addr" -pid "$pid" -chat -conns 50 -interval 10ms -size 8 -window 3s ;;
    esac | sed 's/.*"cpu_us":\([0-9.]*\).*/\1/' >"$dir/$1.cpu"
}

for _ in $(seq "$rounds"); do
    start upstream 1 .bin/cepoll 0
    for name in before now; do
        binary=.bin/weir
        [ $name = now ] || binary=.bin/weir-before
        cat >"$dir/$name.yaml" <<YAML
listen: ["127.0.0.1:0"]
admin: {listen: ""}
upstreams: {u: {url: "http://$(cat "$dir/upstream.addr")"}}
models: {m: {targets: [{upstream: u}]}}
log: {access: none}
YAML
        if [ $command = tour ]; then
            start $name 0 $binary tour --listen 127.0.0.1:0
        else
            start $name 0 $binary serve --config "$dir/$name.yaml" --grace 0s
        fi
    done
    load before &
    other=$!
    load now
    wait $other
    echo "$(cat "$dir/before.cpu") $(cat "$dir/now.cpu")" | awk '{printf "before %.2f now %.2f ratio %.3f\n", $1, $2, $2 / $1}' | tee -a "$dir/rounds"
    # shellcheck disable=SC2086 # pids are words to be split
    kill $pids 2>/dev/null || true
    wait 2>/dev/null || true
    pids=''
done
awk '{print $NF}' "$dir/rounds" | sort -n | awk -v kind="$kind" '{a[NR] = $1} END {printf "%s: median %.3f, %.3f to %.3f, %d rounds\n", kind, a[int((NR + 1) / 2)], a[1], a[NR], NR}'
