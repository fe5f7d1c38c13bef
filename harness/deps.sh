#!/bin/bash
# deps.sh [--check | --ci] LIST: on Debian and Ubuntu installs what LIST names and the machine lacks; elsewhere says what to install.
# Silent and without any effect where nothing is missing. Lines of LIST: "NAME", "optional: NAME" (only reported where the
# distribution has no such package), "check: NAME" (the same, only with --check or --ci), "ci: NAME" (only with --ci); '#' starts a
# comment.
# Exit codes: 0 all there or nothing that can be done here, 4 a package is missing and cannot be installed.
set -u
export LC_ALL=C

fail()
{
    echo "deps: $*" >&2
    echo "deps: once the packages are there by other means, make check-run and make demo-run go without this step" >&2
    exit 4
}

want_check=
want_ci=
case ${1-} in
--check) want_check=yes; shift ;;
--ci) want_check=yes; want_ci=yes; shift ;;
esac
[ $# -eq 1 ] && [ -r "$1" ] || fail "give one readable package list"

required=()
optional=()
while read -r first second _; do
    case $first in
    '' | '#'*) ;;
    optional:) optional+=("$second") ;;
    check:) if [ "$want_check" ]; then optional+=("$second"); fi ;;
    ci:) if [ "$want_ci" ]; then required+=("$second"); fi ;;
    *) required+=("$first") ;;
    esac
done < "$1"

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
    echo "deps: this is neither Debian nor Ubuntu; the build needs what these Debian packages hold:"
    echo "deps:    " "${required[@]}" ${optional[@]+"${optional[@]}"}
    command -v cc > /dev/null || fail "there is no C compiler (cc)"
    command -v pkg-config > /dev/null || fail "there is no pkg-config"
    exit 0
fi

installed()
{
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
}

missing=()
missing_optional=()
for package in "${required[@]}"; do installed "$package" || missing+=("$package"); done
for package in ${optional[@]+"${optional[@]}"}; do installed "$package" || missing_optional+=("$package"); done
[ ${#missing[@]} -gt 0 ] || [ ${#missing_optional[@]} -gt 0 ] || exit 0

available()
{
    apt-cache policy "$1" 2> /dev/null | grep -q '^  Candidate: [^(]'
}

explain_absent()
{
    echo "deps: this distribution has no package $1; what needs it is left out"
}
# Optional packages alone are no reason to fetch the package lists anew, where there are any.
if [ ${#missing[@]} = 0 ] && available make; then
    wanted=()
    for package in "${missing_optional[@]}"; do
        if available "$package"; then wanted+=("$package"); else explain_absent "$package"; fi
    done
    [ ${#wanted[@]} -gt 0 ] || exit 0
    missing_optional=("${wanted[@]}")
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || fail "run as root: apt-get install --no-install-recommends ${missing[*]-} ${missing_optional[*]-}"
    as_root=(sudo)
fi
apt_get()
{
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@" < /dev/null
}

echo "deps: missing:" ${missing[@]+"${missing[@]}"} ${missing_optional[@]+"${missing_optional[@]}"}
apt_get update || echo "deps: apt-get update failed; going on with the package lists that are here" >&2
for package in ${missing[@]+"${missing[@]}"}; do
    available "$package" || fail "this distribution has no package $package"
done
for package in ${missing_optional[@]+"${missing_optional[@]}"}; do
    if available "$package"; then missing+=("$package"); else explain_absent "$package"; fi
done
[ ${#missing[@]} -gt 0 ] || exit 0
apt_get install --no-install-recommends "${missing[@]}" || fail "apt-get could not install ${missing[*]}"
