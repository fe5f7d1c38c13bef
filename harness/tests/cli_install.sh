#!/bin/bash
# cli_install.sh BUILD: `make install` into a staged prefix, every file of it, convoy.pc, and a plugin that is made and
# checked against the installed copy alone. TAP.
set -u
build=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
prefix=$work/prefix
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

# The options of an outer make must not reach the inner one; CC, CFLAGS and the like do, through the environment.
unset CONVOY_TABLE_PATH CONVOY_PLUGIN_PATH MAKEFLAGS MFLAGS MAKELEVEL DESTDIR PREFIX V
# A copy of the build folder: the kernels are there, only what knows the prefix is compiled again.
cp -a "$build" "$work/build"
install_staged() { make -C "$root" O="$work/build" PREFIX="$prefix" DESTDIR="$work/stage" install; }
check "make install with PREFIX and DESTDIR" install_staged

expected_files()
{
    local file plugin
    echo bin/convoy
    echo bin/convoy-new-kernel
    [ ! -x "$build/bin/convoy-train" ] || echo bin/convoy-train
    for file in "$root"/harness/include/convoy/*.h; do echo "include/convoy/${file##*/}"; done
    for file in "$root"/harness/tables/*.csv; do echo "share/convoy/tables/${file##*/}"; done
    for file in "$root"/kernels/template/*; do echo "share/convoy/template/${file##*/}"; done
    for plugin in "$build"/plugins/convoy_*.so; do echo "lib/convoy/plugins/${plugin##*/}"; done
    echo lib/pkgconfig/convoy.pc
    echo share/convoy/plugin.map
}
same_files() { diff <(expected_files | sort) <(cd "$work/stage$prefix" && find . -type f | sed 's|^\./||' | sort); }
check "every file is there and no other" same_files
only_prefix() { [ -z "$(find "$work/stage" -type f -not -path "$work/stage$prefix/*" -print)" ]; }
check "nothing lies outside the prefix" only_prefix
programs_run() { [ -x "$work/stage$prefix/bin/convoy" ] && [ -x "$work/stage$prefix/bin/convoy-new-kernel" ]; }
check "the programs are executable" programs_run
no_stage() { ! grep -q "$work/stage" "$work/stage$prefix/lib/pkgconfig/convoy.pc"; }
check "convoy.pc does not know DESTDIR" no_stage

# What a package manager does with a staged tree.
mv "$work/stage$prefix" "$prefix" 2> /dev/null || mkdir -p "$prefix"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig PATH=$prefix/bin:$PATH
cd "$work" || exit 1

check "pkg-config finds convoy" pkg-config --exists --print-errors convoy
version() { [ "$(pkg-config --modversion convoy)" = "$(sed -n 's/^VERSION := //p' "$root/Makefile")" ]; }
check "pkg-config gives the version" version
variables()
{
    [ "$(pkg-config --variable=plugindir convoy)" = "$prefix/lib/convoy/plugins" ] &&
        [ -f "$(pkg-config --variable=templatedir convoy)/plugin.c" ] && [ -f "$(pkg-config --variable=map convoy)" ] &&
        [ -x "$(pkg-config --variable=bindir convoy)/convoy" ]
}
check "pkg-config gives plugindir, templatedir, map and bindir" variables
headers()
{
    local file
    for file in "$prefix"/include/convoy/*.h; do
        # shellcheck disable=SC2046
        echo "#include <convoy/${file##*/}>" | ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror $(pkg-config --cflags convoy) -x c -c -o /dev/null - || return 1
    done
}
check "each installed header compiles alone" headers

check "convoy-new-kernel makes a folder" convoy-new-kernel probe7
stamped_whole() { diff <(printf '%s\n' Makefile README.md conv_fwd.c conv_fwd.h plugin.c) <(ls probe7) && ! grep -ri template probe7; }
check "with its files, renamed throughout" stamped_whole
check "it builds" make -C probe7
one_symbol() { [ "$(nm -D --defined-only probe7/convoy_probe7.so | awk '$2 ~ /^[A-VX-Z]$/ { print $3 }')" = convoy_plugin_v1 ]; }
check "it exports one symbol" one_symbol
check "the installed program verifies it (make check)" make -C probe7 check
refuses() { ! convoy-new-kernel probe7; }
check "the same name again is refused" refuses
check "an installed backend verifies from the installed tables" convoy verify -b template --table smoke -o "$work/template.csv"

uninstall_empty()
{
    make -C "$root" O="$work/build" PREFIX="$prefix" uninstall && [ -z "$(find "$prefix" -type f -print | tee /dev/stderr)" ]
}
check "make uninstall removes every file" uninstall_empty

echo "1..$number"
exit $bad
