#!/bin/sh
# Measures weir against other servers on this machine and writes bench/results.
#
#   bench/run.sh [plaintext|tokens|idle|gateway|tls|storm|native|hub|websocket|static|before|oha|all] [--quick] [--servers a,b] [--rev REV]
#
# plaintext  CPU per request: keep-alive, pipelined, new connections (wrk)
# tokens     paced streams: CPU per chunk, push-to-client latency
# idle       user-space memory per idle connection
# gateway    weir serve against nginx, httputil.ReverseProxy and a C loop that only
#            copies: CPU per relayed event and per request, added time to first token
# tls        what TLS costs: a relayed event of an https upstream, weir against
#            nginx; a token over TLS and HTTP/2, weir against net/http
# storm      5,000 streams over TLS beside 500 handshakes a second
# native     weir's native handlers: one decode loop with 5,000 streams by
#            SendBatch, against single sends, goroutines and net/http
# hub        one message to 5,000 subscribers of a topic: weir against nginx with nchan,
#            and a C loop that only writes
# websocket  an echo's CPU and an idle WebSocket's memory: weir/ws, gws and
#            coder/websocket
# static     files of 1 KiB to 1 MiB: weir against nginx and net/http
# before     weir against the one of --rev (a commit; main by default): CPU per
#            request, token, burst of chunks, relayed event and relayed request
# oha        a second client's word that nothing fails; builds oha with cargo
#            on its first run, which takes minutes
# all        the first three (the default)
#
# --quick    short rounds that only show that everything works; their results
#            are not kept under version control
set -eu
cd "$(dirname "$0")"
export GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" # go.mod says which

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

oha_version=1.16.0
suites='' quick='' servers='' rev=main words="$*"
while [ $# -gt 0 ]; do
    case $1 in
        plaintext | tokens | idle | gateway | tls | storm | native | hub | websocket | static | before | oha) suites="$suites $1" ;;
        all) suites='plaintext tokens idle' ;;
        --quick) quick=-quick ;;
        --servers) [ $# -gt 1 ] || usage; servers=$2; shift ;;
        --rev) [ $# -gt 1 ] || usage; rev=$2; shift ;;
        *) usage ;;
    esac
    shift
done
[ -n "$suites" ] || suites='plaintext tokens idle'

need() { # need COMMAND PACKAGE: install a Debian package unless the command is there
    command -v "$1" >/dev/null || fetch "$1" "$2"
}

need_file() { # need_file PATH PACKAGE: likewise, unless the file is there
    [ -e "$1" ] || fetch "$1" "$2"
}

fetch() {
    echo "bench: installing $2" >&2
    as_root=''
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get install -y "$2" >/dev/null 2>&1 ||
        { $as_root apt-get update >/dev/null && $as_root apt-get install -y "$2" >/dev/null; } ||
        { echo "bench: cannot install $2; install $1 by hand" >&2; exit 1; }
}

install_oha() { # succeeds when .tools/bin/oha is there
    [ -x .tools/bin/oha ] && return
    if ! command -v cargo >/dev/null; then
        echo 'bench: oha skipped: it is built with cargo, which is not installed' >&2
        return 1
    fi
    echo "bench: building oha $oha_version, which takes minutes" >&2
    cargo install oha --version "$oha_version" --locked --root .tools >&2 ||
        { echo "bench: oha skipped: version $oha_version does not build here (see above)" >&2; return 1; }
}

build() {
    mkdir -p .bin results
    go build -o .bin/ ./cmd/... ./competitors/...
    need gcc gcc
    gcc -O2 -Wall -Wextra -o .bin/cepoll competitors/cepoll.c
    gcc -O2 -Wall -Wextra -o .bin/crelay competitors/crelay.c
    rm -f .bin/weir # an old one would be measured as if it were the new one
    (cd .. && go build -o bench/.bin/weir ./cmd/weir) ||
        echo 'bench: weir skipped: ./cmd/weir does not build (see above)' >&2
}

build_before() { # the weir of another commit
    rm -rf .bin/before .bin/weir-before
    mkdir -p .bin/before
    (cd .. && git archive "$rev") | tar -x -C .bin/before
    (cd .bin/before && go build -o ../weir-before ./cmd/weir)
    rm -rf .bin/before
}

build
case $suites in *before*) build_before ;; esac
case $suites in *plaintext* | *gateway* | *static* | *before*) need wrk wrk ;; esac
PATH=$PATH:/usr/sbin # nginx's place, not in everyone's path
case $suites in *gateway* | *tls* | *hub* | *static*) need nginx nginx ;; esac
case $suites in *hub*) need_file /usr/lib/nginx/modules/ngx_nchan_module.so libnginx-mod-nchan ;; esac
need taskset util-linux
ready=''
for suite in $suites; do
    if [ "$suite" = oha ] && ! install_oha; then
        continue
    fi
    ready="$ready $suite"
done
[ -n "$ready" ] || exit 1
# shellcheck disable=SC2086 # suites are words to be split
exec .bin/compare $quick ${servers:+-servers "$servers"} -command "bench/run.sh${words:+ $words}" $ready
