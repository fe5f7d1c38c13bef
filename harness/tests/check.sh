#!/bin/bash
# check.sh [--unit] BUILD TEST...: runs every test and closes with one line "N passed, N failed, N skipped".
#
# A test is a line "ok" or "not ok" of TAP, from a cmocka program (TEST...) or from a harness/tests/cli_*.sh, which gets
# BUILD as its argument; or the lint run; or one backend of BUILD that goes through the small tables. A program that crashes,
# hangs, fails without a "not ok" line or reports another number of tests than it announced is one failure more; exit code
# 77 without any such line is a skip.
# --unit: only the programs, and the backends on the smoke table (the tier that also runs under sanitizers).
# CHECK_TIMEOUT: seconds per program (300); CHECK_VERIFY_TIMEOUT: seconds per backend (600). Exit 0 if nothing failed, else 1.
set -u
export LC_ALL=C CMOCKA_MESSAGE_OUTPUT=TAP

unit=
if [ "${1-}" = --unit ]; then
    unit=yes
    shift
fi
build=$1
shift
here=$(dirname "$0")
# Compiled kernels of GPU drivers are kept with the build and not in the home folder.
cache=$(realpath "$build")/cache
mkdir -p "$cache"
export MESA_SHADER_CACHE_DIR=$cache CONVOY_CACHE_PATH=$cache POCL_CACHE_DIR=$cache
timeout_s=${CHECK_TIMEOUT:-300}
verify_timeout_s=${CHECK_VERIFY_TIMEOUT:-600}
passed=0
failed=0
skipped=0
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# Reads TAP; prints "OK NOT_OK SKIP PLANNED". cmocka before 1.1.7 writes a skipped test as "not ok N # SKIP".
count_tap()
{
    awk '/^1\.\.[0-9]+/ { planned += substr($1, 4) }
         /^(not )?ok .*# *SKIP/ { skip++; next }
         /^ok / { ok++ }
         /^not ok / { not_ok++ }
         END { print ok + 0, not_ok + 0, skip + 0, planned + 0 }'
}

# Skipped tests, each with the reason that the program printed before it.
show_skips()
{
    awk '/^(not )?ok .*# *SKIP/ { sub(/^(not )?ok [0-9]* *-? *(# *SKIP *)?/, ""); print "      skip: " $0 (reason == "" ? "" : ": " reason); reason = ""; next }
         /^(not )?ok / { reason = ""; next }
         !/^(1\.\.|#)/ { reason = $0 }'
}

exit_words()
{
    case $1 in
    124) echo "ran past its time limit" ;;
    *) if [ "$1" -gt 128 ]; then echo "died of signal $(kill -l $(($1 - 128)) 2> /dev/null || echo $(($1 - 128)))"; else echo "left with exit code $1"; fi ;;
    esac
}

# run_tap LIMIT_S NAME COMMAND...: one summary line, and on failure everything that the command wrote.
run_tap()
{
    local limit_s=$1 name=$2 rc=0 trouble= begin=$SECONDS ok not_ok skip planned
    shift 2
    # Two files: a line of stderr must not cut a buffered line of stdout in two.
    timeout -k 10 "$limit_s" "$@" > "$logs/out" 2> "$logs/err" < /dev/null || rc=$?
    echo >> "$logs/out"
    read -r ok not_ok skip planned < <(cat "$logs/out" "$logs/err" | count_tap)
    if [ $rc = 77 ] && [ $((ok + not_ok + skip)) = 0 ]; then
        skip=1
    elif [ $rc != 0 ] && { [ $not_ok = 0 ] || [ $rc = 124 ] || [ $rc -gt 128 ]; }; then
        trouble=$(exit_words $rc)
    elif [ $((ok + not_ok + skip)) = 0 ]; then
        trouble="reported no test"
    elif [ $((ok + not_ok + skip)) != "$planned" ] && [ $not_ok = 0 ]; then
        trouble="announced $planned tests and reported $((ok + not_ok + skip))"
    fi
    [ -z "$trouble" ] || not_ok=$((not_ok + 1))
    passed=$((passed + ok))
    failed=$((failed + not_ok))
    skipped=$((skipped + skip))
    printf '%-6s%-28s %4d passed %4d failed %4d skipped %5d s%s\n' "$([ $not_ok = 0 ] && echo ok || echo FAIL)" "$name" \
        "$ok" "$not_ok" "$skip" $((SECONDS - begin)) "${trouble:+  ($trouble)}"
    # What each mutant was called is part of the report, not only of a failure.
    [ "$name" != test_mutants ] || [ $not_ok != 0 ] || grep '^   ' "$logs/out" | cut -c1-170
    if [ $not_ok != 0 ]; then
        sed 's/^/      /' "$logs/out" "$logs/err"
    elif [ $skip != 0 ]; then
        cat "$logs/out" "$logs/err" | show_skips
        [ $rc != 77 ] || sed '/^$/d; s/^/      skip: /' "$logs/out" "$logs/err"
    fi
}

# run_one LIMIT_S NAME COMMAND...: the whole command is one test, judged by its exit code.
run_one()
{
    local limit_s=$1 name=$2 rc=0 begin=$SECONDS word=ok
    shift 2
    timeout -k 10 "$limit_s" "$@" > "$logs/out" 2>&1 < /dev/null || rc=$?
    case $rc in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) word=skip ;;
    *) failed=$((failed + 1)) word=FAIL ;;
    esac
    printf '%-6s%-67s %5d s%s\n' $word "$name" $((SECONDS - begin)) "$([ $word = FAIL ] && echo "  ($(exit_words $rc))")"
    [ $word = ok ] || sed 's/^/      /' "$logs/out"
}

# Every backend that was built: the contract of the ABI, and its results.
verify_backends()
{
    local tables=(--table smoke --table edge) plugin name reason
    [ -z "$unit" ] || tables=(--table smoke)
    for plugin in "$build"/plugins/convoy_*.so; do
        name=${plugin##*/convoy_}
        name=${name%.so}
        reason=$("$build/bin/convoy" list | sed -n "s/^$name  *unavailable: //p")
        if [ -n "$reason" ]; then
            skipped=$((skipped + 1))
            printf 'skip  verify %s: %s\n' "$name" "$reason"
            continue
        fi
        [ -n "$unit" ] || run_one "$verify_timeout_s" "conform $name" "$build/bin/convoy" conform -b "$name"
        run_one "$verify_timeout_s" "verify $name" "$build/bin/convoy" verify -b "$name" "${tables[@]}" -o "$logs/verify-$name.csv"
    done
}

# Drivers and other people's libraries leak in constructors of their own, and some are gone when a sanitizer asks where.
leak_options()
{
    case $1 in
    test_exec | test_gradients | test_opencl | test_vulkan) echo detect_leaks=0 ;;
    *) echo "${ASAN_OPTIONS-}" ;;
    esac
}
for program in "$@"; do
    ASAN_OPTIONS=$(leak_options "${program##*/}") run_tap "$timeout_s" "${program##*/}" "$program"
done
if [ -z "$unit" ]; then
    run_one "$timeout_s" lint bash "$here/../lint.sh"
    for script in "$here"/cli_*.sh "$here"/../../reference-nets/tests/cli_*.sh; do
        run_tap "$timeout_s" "$(basename "$script" .sh)" bash "$script" "$build"
    done
fi
verify_backends

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
