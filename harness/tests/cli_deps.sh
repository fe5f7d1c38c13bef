#!/bin/bash
# cli_deps.sh BUILD: deps.sh against made-up package tools, which write down what they are asked for. Installs nothing. TAP.
set -u
deps=$(cd "$(dirname "$0")/.." && pwd)/deps.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
bad=0

# A machine: `have` is installed, `exist` is what the distribution offers; calls are written to $work/calls.
mkdir "$work/bin" "$work/elsewhere"
for tool in bash cat env grep cc pkg-config; do
    ln -s "$(command -v $tool)" "$work/elsewhere/$tool"
done
cat > "$work/bin/dpkg-query" <<'TOOL'
#!/bin/bash
grep -qx "${!#}" "$WORK/have" && printf installed
TOOL
cat > "$work/bin/apt-cache" <<'TOOL'
#!/bin/bash
if grep -qx "$2" "$WORK/exist"; then printf '%s:\n  Candidate: 1.0\n' "$2"; else printf '%s:\n  Candidate: (none)\n' "$2"; fi
TOOL
cat > "$work/bin/apt-get" <<'TOOL'
#!/bin/bash
echo "$DEBIAN_FRONTEND apt-get $*" >> "$WORK/calls"
[ ! -e "$WORK/broken" ] || case $* in *install*) exit 100 ;; esac
TOOL
printf '#!/bin/bash\necho "${UID_HERE:-0}"\n' > "$work/bin/id"
printf '#!/bin/bash\necho sudo >> "$WORK/calls"\nexec "$@"\n' > "$work/bin/sudo"
chmod +x "$work"/bin/*
export WORK=$work
printf '%s\n' '# a comment' gcc '' 'libcsv-dev  # the parser' 'optional: vulkan' 'check: pocl' 'ci: clang' > "$work/list"

# expect NAME EXIT-CODE CALLS OUTPUT [OPTION]: CALLS and OUTPUT are patterns of grep -E, '^$' meaning none at all.
expect()
{
    local name=$1 want=$2 calls=$3 output=$4 rc=0
    shift 4
    rm -f "$work/calls"
    touch "$work/calls"
    PATH=${TOOLS-$work/bin:$PATH} bash "$deps" "$@" "$work/list" > "$work/out" 2>&1 || rc=$?
    number=$((number + 1))
    if [ $rc = "$want" ] && { [ "$calls$(cat "$work/calls")" = '^$' ] || grep -Eq -- "$calls" "$work/calls"; } &&
        { [ "$output$(cat "$work/out")" = '^$' ] || grep -Eq -- "$output" "$work/out"; }; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name (exit code $rc)"
        sed 's/^/# /' "$work/calls" "$work/out"
        bad=1
    fi
}
machine() { printf '%s\n' $1 > "$work/have"; printf '%s\n' $2 > "$work/exist"; rm -f "$work/broken"; }

machine "gcc libcsv-dev vulkan" "make gcc libcsv-dev vulkan clang"
expect "where all is present: silent, no call" 0 '^$' '^$'
expect "--ci installs what .ci/run needs" 0 'install --no-install-recommends clang$' 'missing: clang pocl$' --ci
expect "--check asks for what the tests run on, and goes on without it" 0 '^$' 'has no package pocl' --check
machine "gcc" "make gcc libcsv-dev vulkan"
expect "what is missing is installed, optional included" 0 '^noninteractive apt-get .*install --no-install-recommends libcsv-dev vulkan$' 'missing: libcsv-dev vulkan$'
expect "after fetching the lists" 0 ' update$' 'missing'
UID_HERE=1000 expect "through sudo unless root" 0 '^sudo$' 'missing'
machine "gcc libcsv-dev" "make gcc libcsv-dev"
expect "an optional package that does not exist is only reported" 0 '^$' 'has no package vulkan'
machine "gcc" "make gcc"
expect "a required package that does not exist" 4 ' update$' 'has no package libcsv-dev'
machine "gcc vulkan" "make gcc libcsv-dev"
touch "$work/broken"
expect "apt-get fails" 4 'install' 'apt-get could not install libcsv-dev'
TOOLS=$work/elsewhere expect "another distribution: says what to install and goes on" 0 '^$' 'gcc libcsv-dev vulkan$'
rm "$work/elsewhere/cc"
TOOLS=$work/elsewhere expect "another distribution without a compiler" 4 '^$' 'no C compiler'
rm "$work/list"
expect "no package list" 4 '^$' 'give one readable package list'

echo "1..$number"
exit $bad
