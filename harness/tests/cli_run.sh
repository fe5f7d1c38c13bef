#!/usr/bin/env bash
# convoy run: one problem on tensors from NPY files, and every way in which such a file can be wrong.
set -u
build=$1
convoy=$build/bin/convoy
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; sed 's/^/# /' "$dir/out"; failed=1; fi; }

# npy FILE DICTIONARY: a version 1.0 file, its data from standard input.
npy() {
    local text length
    text=$2
    length=$(((10 + ${#text} + 1 + 63) / 64 * 64 - 10))
    { printf '\x93NUMPY\x01\x00'; printf "\\x$(printf %02x $((length & 255)))\\x$(printf %02x $((length >> 8)))"; printf "%-$((length - 1))s\n" "$text"; cat; } >"$1"
}
# The integers 0 to 3 as little-endian floats.
floats() { local word; for word in "$@"; do case $word in 0) printf '\0\0\0\0' ;; 1) printf '\0\0\x80\x3f' ;; 2) printf '\0\0\0\x40' ;; 3) printf '\0\0\x40\x40' ;; esac; done; }
header() { echo "{'descr': '$1', 'fortran_order': $2, 'shape': $3, }"; }
values() { tail -c $((4 * $2)) "$1" | od -An -v -w4 -tf4 | tr -s ' \n' ' '; }
refuse() { # PATTERN ARGS...
    local pattern=$1 code; shift
    "$convoy" run "$@" >"$dir/out" 2>&1; code=$?
    tap "$([ $code = 4 ] && [ "$(wc -l <"$dir/out")" = 1 ] && grep -qE -- "$pattern" "$dir/out"; echo $?)" "refused, exit 4: $(head -1 "$dir/out")"
}

# The 5x5 image and 3x3 kernel of the lecture.
image='3 3 2 1 0 0 0 1 3 1 3 1 2 2 3 2 0 0 2 2 2 0 0 0 1'
kernel='0 1 2 2 2 0 0 1 2'
floats $image | npy "$dir/x.npy" "$(header '<f4' False '(1, 1, 5, 5)')"
floats $kernel | npy "$dir/w.npy" "$(header '<f4' False '(1, 1, 3, 3)')"
for backend in naive im2col; do
    [ -e "$build/plugins/convoy_$backend.so" ] || continue
    "$convoy" run -b $backend 'conv_fwd:c1h5k1kh3' --x "$dir/x.npy" --w "$dir/w.npy" --y "$dir/y.npy" >"$dir/out" 2>&1
    tap $? "$backend runs the lecture's example"
    tap "$([ "$(values "$dir/y.npy" 9)" = ' 12 12 17 10 17 19 9 6 14 ' ]; echo $?)" "with the lecture's result:$(values "$dir/y.npy" 9)"
done
tap "$(head -c 128 "$dir/y.npy" | grep -aq "'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 3, 3), }"; echo $?)" "the output has its shape"
tap "$([ $(($(wc -c <"$dir/y.npy") - 36)) = 128 ]; echo $?)" "and a header padded to 64 bytes"
"$convoy" run -b naive 'maxpool_fwd:c1h5kh2s2' --x "$dir/x.npy" --y "$dir/y.npy" --index "$dir/i.npy" >"$dir/out" 2>&1
tap "$([ "$(values "$dir/y.npy" 4)" = ' 3 3 3 2 ' ] && head -c 128 "$dir/i.npy" | grep -aq "'|u1'"; echo $?)" "max pooling writes values and an index of bytes"

problem='conv_fwd:c1h5k1kh3'
tensors=(--w "$dir/w.npy" --y "$dir/out.npy")
floats $image $image | npy "$dir/f8.npy" "$(header '<f8' False '(1, 1, 5, 5)')"
refuse "f8.npy.*'<f8'.*'<f4'" -b naive "$problem" --x "$dir/f8.npy" "${tensors[@]}"
floats $image | npy "$dir/order.npy" "$(header '<f4' True '(1, 1, 5, 5)')"
refuse 'order.npy.*Fortran' -b naive "$problem" --x "$dir/order.npy" "${tensors[@]}"
floats $image | npy "$dir/shape.npy" "$(header '<f4' False '(1, 5, 5)')"
refuse 'shape.npy.*\(1, 5, 5\).*\(1, 1, 5, 5\)' -b naive "$problem" --x "$dir/shape.npy" "${tensors[@]}"
floats 1 2 3 | npy "$dir/short.npy" "$(header '<f4' False '(1, 1, 5, 5)')"
refuse 'short.npy.*ends before' -b naive "$problem" --x "$dir/short.npy" "${tensors[@]}"
{ cat "$dir/x.npy"; echo; } >"$dir/long.npy"
refuse 'long.npy.*goes on' -b naive "$problem" --x "$dir/long.npy" "${tensors[@]}"
echo 'not an array' >"$dir/text.npy"
refuse 'text.npy.*not an NPY' -b naive "$problem" --x "$dir/text.npy" "${tensors[@]}"
refuse 'absent.npy.*No such file' -b naive "$problem" --x "$dir/absent.npy" "${tensors[@]}"
refuse 'reads x: give --x' -b naive "$problem" "${tensors[@]}"
refuse 'gamma.*no such tensor' -b naive "$problem" --x "$dir/x.npy" "${tensors[@]}" --gamma "$dir/w.npy"
refuse 'no output is named' -b naive "$problem" --x "$dir/x.npy" --w "$dir/w.npy"
refuse 'No such file' -b naive "$problem" --x "$dir/x.npy" --w "$dir/w.npy" --y "$dir/no/folder/y.npy"
refuse 'exactly one backend' "$problem" --x "$dir/x.npy" "${tensors[@]}"
refuse 'stride' -b template 'conv_fwd:c1h5k1kh3s2' --x "$dir/x.npy" "${tensors[@]}"
refuse 'exactly one problem' -b naive --x "$dir/x.npy" "${tensors[@]}"
tap "$([ ! -e "$dir/out.npy" ]; echo $?)" "nothing was written by those"
echo "1..$count"
exit $failed
