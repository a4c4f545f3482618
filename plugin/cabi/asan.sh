#!/bin/sh
# Runs the tests of this package, and a million calls and tokens, with weir's C
# and the plugins' under AddressSanitizer and LeakSanitizer. First it makes sure
# that a leak and an overflow in a plugin are found. Needs gcc with libasan; the
# first run compiles Go's own library for it, minutes. Not part of `make test`.
set -eu
cd "$(dirname "$0")"
export CGO_ENABLED=1 WEIR_CABI_CFLAGS='-fsanitize=address -fno-omit-frame-pointer'

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM
go test -asan -c -o "$dir/cabi.test" .

for fault in leak overflow; do
    if WEIR_CABI_FAULT=$fault "$dir/cabi.test" -test.run='^TestSanitizerSees$' >"$dir/log" 2>&1; then
        cat "$dir/log"
        echo "the sanitizer does not see a plugin's $fault: nothing was shown"
        exit 1
    fi
    grep -E 'ERROR: (Address|Leak)Sanitizer' "$dir/log" || {
        cat "$dir/log"
        echo "the plugin's $fault failed for another reason"
        exit 1
    }
done

# Without the panics that leave C's frames as longjmp would: AddressSanitizer is
# not told, and takes those frames' marks on the stack for those of later ones.
"$dir/cabi.test" -test.run='^Test' -test.skip='^TestPanicIn' -test.v -test.count=1 -million >"$dir/log" 2>&1 || {
    cat "$dir/log"
    exit 1
}
grep ' each$' "$dir/log"
echo 'no error, no leak'
