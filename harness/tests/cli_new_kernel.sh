#!/bin/bash
# cli_new_kernel.sh BUILD: `make new-kernel` in a copy of the tree gives a backend that builds and passes at once, that
# fails once it is broken, and that takes the worked diff of kernels/README.md; wrong names are refused. TAP.
set -u
build=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
tree=$work/tree
number=0
bad=0

# check NAME COMMAND...: one test, passed by exit code 0.
check()
{
    local name=$1
    shift
    number=$((number + 1))
    if "$@" > "$log" 2>&1; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name (exit code $?)"
        sed 's/^/# /' "$log"
        bad=1
    fi
}

# Files that git knows or would know; their times are kept, so that the copied objects stay valid.
mkdir "$tree"
(cd "$root" && { git ls-files -co --exclude-standard -z 2> /dev/null || find . -type f -not -path './build*' -not -path './.git/*' -print0; }) |
    while IFS= read -r -d '' file; do [ ! -f "$root/$file" ] || printf '%s\0' "$file"; done |
    tar -C "$root" --null -T - -cf - | tar -C "$tree" -xf -
cp -a "$build" "$tree/build"
# The options of an outer make must not reach the inner one; CC, CFLAGS and the like do, through the environment.
unset CONVOY_TABLE_PATH CONVOY_PLUGIN_PATH MAKEFLAGS MFLAGS MAKELEVEL O B V
cd "$tree" || exit 1

check "make new-kernel NAME=probe7" make new-kernel NAME=probe7
stamped_whole()
{
    diff <(printf '%s\n' README.md conv_fwd.c conv_fwd.h module.mk plugin.c) <(ls kernels/probe7) && ! grep -ri template kernels/probe7
}
check "its files, renamed throughout" stamped_whole
listed() { make status | grep -qx 'backend probe7'; }
check "make status lists it" listed
builds_clean() { make build/plugins/convoy_probe7.so 2>&1 | tee "$work/said"; [ "${PIPESTATUS[0]}" = 0 ] && ! grep -q 'warning:' "$work/said"; }
check "it builds without a warning" builds_clean
check "the tree builds" make all
check "lint accepts it" make lint
check "it passes: make check-probe7" make check-probe7
verify() { build/bin/convoy verify -b probe7 -o "$work/$1.csv" "${@:2}"; }
row() { grep -q "$2" "$work/$1.csv"; }
check "a convolution passes" verify plain conv_fwd:n2c3h7w5k4kh3p1b1
check "with verdict PASS in the results" row plain PASS
check "a dilated one is declined" verify dilated conv_fwd:c3h9k4kh3d2
check "with the reason dilation in the results" row dilated 'UNSUPPORTED.*dilation'

# The negative control: a kernel that is wrong in one row must not pass.
break_it() { sed -i 's/oh - p->pad_t + tap_h/oh - p->pad_b + tap_h/' kernels/probe7/conv_fwd.c && ! git diff --no-index --quiet kernels/template/conv_fwd.c kernels/probe7/conv_fwd.c && make all; }
check "with the top padding mistaken for the bottom one it builds" break_it
fails() { verify broken conv_fwd:c3h9k4kh3pt2; [ $? = 1 ]; }
check "and fails with exit code 1" fails
mend_it() { sed -i 's/oh - p->pad_b + tap_h/oh - p->pad_t + tap_h/' kernels/probe7/conv_fwd.c; }
check "mended" mend_it

# The worked diff of the manual, applied to the stamped kernel.
worked_diff() { sed -n '/^```diff$/,/^```$/p' kernels/README.md | sed '/^```/d; s/template/probe7/g' | git apply --verbose -; }
check "the worked diff of kernels/README.md applies" worked_diff
check "and builds without a warning" builds_clean
check "and the tree builds" make all
check "the dilated convolution is accepted" verify dilated2 conv_fwd:c3h9k4kh3d2
check "and passes" row dilated2 PASS
check "the small tables pass" make check-probe7

# refused NAME SENTENCE: exit code 4, the sentence, and no folder.
refused()
{
    local before rc=0
    before=$(ls kernels)
    bash harness/new-kernel.sh --in-tree "$1" > "$work/said" 2>&1 || rc=$?
    cat "$work/said"
    [ $rc = 4 ] && grep -q "$2" "$work/said" && [ "$before" = "$(ls kernels)" ]
}
check "an existing folder is refused" refused probe7 'kernels/probe7 exists already'
check "no name is refused" refused '' 'the name is empty'
for name in 7up Upper a-b ../up 'a b' a/b ä; do
    check "the name \"$name\" is refused" refused "$name" 'is no name for a kernel'
done
check "the name of a make target is refused" refused san 'is taken by a make target'
no_name_make() { ! make new-kernel; }
check "make new-kernel without a name fails" no_name_make
outside()
{
    local rc=0
    (cd "$work" && PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR=/nonexistent bash "$tree/harness/new-kernel.sh" alone > "$work/said" 2>&1) || rc=$?
    cat "$work/said"
    [ $rc = 4 ] && grep -q 'pkg-config does not find convoy' "$work/said" && [ ! -e "$work/alone" ]
}
check "outside the tree without an installed convoy: a clear refusal" outside

echo "1..$number"
exit $bad
