#!/bin/bash
# Stamps the template kernel into a new folder that compiles and passes at once.
#     convoy-new-kernel NAME               ./NAME, to be built against the installed convoy
#     harness/new-kernel.sh --in-tree NAME kernels/NAME of this source tree (`make new-kernel NAME=...`)
# Exit codes: 0 done, 4 a wrong name, an existing folder or a missing template.
set -eu
export LC_ALL=C

fail()
{
    echo "new-kernel: $*" >&2
    exit 4
}

in_tree=
if [ "${1-}" = --in-tree ]; then
    in_tree=yes
    shift
fi
[ $# -eq 1 ] || fail "give one name: make new-kernel NAME=direct7, or convoy-new-kernel direct7"
name=$1
[ -n "$name" ] || fail "the name is empty: make new-kernel NAME=direct7"
[[ $name =~ ^[a-z][a-z0-9_]*$ ]] || fail "\"$name\" is no name for a kernel: lower case letters, digits and '_', a letter first"
# `make check-NAME` must mean the kernel.
case $name in run | san) fail "\"$name\" is taken by a make target" ;; esac

if [ "$in_tree" ]; then
    root=$(cd "$(dirname "$0")/.." && pwd)
    template=$root/kernels/template
    target=$root/kernels/$name
    shown=kernels/$name
else
    template=$(pkg-config --variable=templatedir convoy 2>/dev/null) ||
        fail "pkg-config does not find convoy: add the folder of convoy.pc to PKG_CONFIG_PATH"
    target=./$name
    shown=$name
fi
[ -f "$template/plugin.c" ] || fail "there is no template in \"$template\""
[ ! -e "$target" ] || fail "$shown exists already"

mkdir "$target" || fail "cannot make the folder $shown"
for file in "$template"/*; do
    to=$(basename "$file")
    case $to in
    README.md.in) to=README.md ;;
    Makefile.external) if [ "$in_tree" ]; then continue; else to=Makefile; fi ;;
    module.mk) [ "$in_tree" ] || continue ;;
    esac
    sed "s/template/$name/g; s/TEMPLATE/${name^^}/g" "$file" > "$target/$to"
done

echo "made $shown"
if [ "$in_tree" ]; then
    echo "next: make check-$name, then its README.md"
else
    echo "next: cd $shown && make check, then its README.md"
fi
