#!/bin/sh
# Installs the oracle of package sse's decoder tests: eventsource-parser, as package-lock.json pins it.
set -eu
cd "$(dirname "$0")"
exec npm ci --no-audit --no-fund --ignore-scripts
