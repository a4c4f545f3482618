#!/bin/sh
# Prints the path of the model that llama-server runs in tests:
# $WEIR_TEST_MODEL, or stories260K.gguf in the data that lies beside the
# repository. Models are not part of it.
set -eu
model=${WEIR_TEST_MODEL:-$(dirname "$0")/../../../shared/data/stories260K.gguf}
if [ ! -f "$model" ]; then
    echo "no model at $model: set WEIR_TEST_MODEL to a small GGUF file" >&2
    exit 1
fi
echo "$(cd "$(dirname "$model")" && pwd)/$(basename "$model")"
