#!/bin/bash
# cli_lint.sh BUILD: seeds one violation at a time in a small tree of its own and sees lint.sh name the file, the line and the rule. TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
number=0
bad=0

ok()
{
    number=$((number + 1))
    echo "ok $number - $1"
}
not_ok()
{
    number=$((number + 1))
    bad=1
    echo "not ok $number - $1"
    sed 's/^/# /' "$tree.out"
}
trap 'rm -rf "$tree" "$tree.out"' EXIT

# Every kind of include that is allowed, in the folders where it is.
clean_tree()
{
    rm -rf "$tree"
    mkdir -p "$tree"/harness/{include/convoy,core,verify,report,select,cli,tests/plugins} "$tree"/kernels/{im2col,fft,vulkan/shaders,naive} \
        "$tree"/reference-nets/nets "$tree"/results
    cp "$here/../lint.sh" "$tree/harness/lint.sh"
    for folder in harness kernels reference-nets results; do echo "# $folder" > "$tree/$folder/README.md"; done
    printf '#include <stddef.h>\n' > "$tree/harness/include/convoy/convoy.h"
    printf '#include "convoy.h"\n#include <string.h>\n' > "$tree/harness/include/convoy/shape.h"
    printf '#include "core/loader.h"\n#include <convoy/convoy.h>\n#include <dlfcn.h>\n' > "$tree/harness/core/loader.c"
    printf '#include <convoy/convoy.h>\n' > "$tree/harness/core/loader.h"
    printf '#include "core/loader.h"\n#include "verify/verify.h"\n' > "$tree/harness/verify/verify.c"
    printf '#include "core/loader.h"\n#include <csv.h>\n' > "$tree/harness/report/csv.c"
    printf '#include "report/csv.h"\n#include "core/loader.h"\n' > "$tree/harness/select/select.c"
    printf '#include "verify/verify.h"\n#include "bench/bench.h"\n#include <sys/wait.h>\n' > "$tree/harness/cli/main.c"
    printf '#include <cmocka.h>\n#include "core/loader.h"\n' > "$tree/harness/tests/test_loader.c"
    printf '#include <convoy/plugin.h>\n' > "$tree/harness/tests/plugins/liar.c"
    printf '#include "blas.h"\n#include <cblas.h>\n#include <dlfcn.h>\n' > "$tree/kernels/im2col/blas.c"
    printf '#include "lower.h"\n#include <convoy/plugin.h>\n#include "microkernel/gemm.h"\n' > "$tree/kernels/im2col/conv.c"
    printf '#include <fftw3.h>\n' > "$tree/kernels/fft/fftw.c"
    printf '#include <vulkan/vulkan.h>\n#include "shaders/conv.spv.h"\n' > "$tree/kernels/vulkan/device.c"
    printf 'int naive;\n' > "$tree/kernels/naive/conv.c"
    printf '#include "core/loader.h"\n#include "select/select.h"\n#include "nets/vgg.h"\n' > "$tree/reference-nets/nets/vgg.c"
}

# caught NAME FILE TEXT...: appends the lines TEXT to FILE; lint must fail with exactly one line, for the last of them.
caught()
{
    local name=$1 file=$2 line rc=0
    shift 2
    clean_tree
    [ $# = 0 ] || printf '%s\n' "$@" >> "$tree/$file"
    line=$(wc -l < "$tree/$file")
    bash "$tree/harness/lint.sh" > "$tree.out" 2>&1 || rc=$?
    if [ $rc = 1 ] && [ "$(wc -l < "$tree.out")" = 1 ] && grep -q "^$file:$line: ." "$tree.out"; then ok "$name"; else not_ok "$name (exit code $rc)"; fi
}

clean_tree
if bash "$tree/harness/lint.sh" > "$tree.out" 2>&1 && grep -Eqx 'lint: [0-9]+ files, ok' "$tree.out"; then ok "a clean tree passes"; else not_ok "a clean tree passes"; fi

caught "core includes verify" harness/core/loader.c '#include "verify/verify.h"'
caught "core includes a bench header in angle brackets" harness/core/loader.c '#include <bench/bench.h>'
caught "verify includes report" harness/verify/verify.c '#  include "report/csv.h"'
caught "report includes select" harness/report/csv.c '#include "select/select.h"'
caught "select includes bench" harness/select/select.c '#include "bench/bench.h"'
caught "the ABI includes the harness" harness/include/convoy/shape.h '#include "core/loader.h"'
caught "the ABI includes POSIX" harness/include/convoy/shape.h '#include <unistd.h>'
caught "a test plugin includes the harness" harness/tests/plugins/liar.c '#include "core/loader.h"'
caught "a kernel includes the harness" kernels/naive/conv.c '#include "core/loader.h"'
caught "a kernel includes another kernel" kernels/naive/conv.c '#include "im2col/lower.h"'
caught "a kernel goes up" kernels/naive/conv.c '#include "../im2col/lower.h"'
caught "the harness includes a kernel" harness/cli/main.c '#include "im2col/lower.h"'
caught "a net includes a kernel" reference-nets/nets/vgg.c '#include "naive/conv.h"'
caught "a net includes verify" reference-nets/nets/vgg.c '#include "verify/verify.h"'
caught "the ABI in quotes" harness/core/loader.c '#include "convoy/convoy.h"'
caught "cblas.h outside blas.c" kernels/im2col/conv.c '#include <cblas.h>'
caught "csv.h outside csv.c" harness/cli/main.c '#include <csv.h>'
caught "dlfcn.h outside the loader" harness/verify/verify.c '#include <dlfcn.h>'
caught "pthreadpool.h outside the pool" harness/core/loader.c '#include <pthreadpool.h>'
caught "fftw3.h in another kernel" kernels/naive/conv.c '#include <fftw3.h>'
caught "Vulkan outside its folder" kernels/fft/fftw.c '#include <vulkan/vulkan.h>'
caught "OpenCL outside its folder" kernels/vulkan/device.c '#include <CL/cl.h>'
caught "cmocka.h outside the tests" harness/core/loader.c '#include <cmocka.h>'
caught "a tab" kernels/naive/conv.c "$(printf '\tint x;')"
caught "a space at the end of a line" kernels/naive/conv.c 'int x; '
caught "a carriage return" kernels/naive/README.md "$(printf 'text\r')"

clean_tree
rm "$tree/kernels/README.md"
bash "$tree/harness/lint.sh" > "$tree.out" 2>&1
if [ $? = 1 ] && grep -q '^kernels/README.md:1:' "$tree.out"; then ok "a folder without a README"; else not_ok "a folder without a README"; fi

clean_tree
printf '#include <dnnl.h>\n' | tee "$tree/kernels/naive/a.c" > "$tree/kernels/naive/b.c"
bash "$tree/harness/lint.sh" > "$tree.out" 2>&1
if [ $? = 1 ] && grep -q '^kernels/naive/b.c:1: .*kernels/naive/a.c' "$tree.out"; then
    ok "an unlisted library in two files of one folder"
else
    not_ok "an unlisted library in two files of one folder"
fi

# Under git: tracked and untracked files count, ignored ones do not.
clean_tree
printf '/build/\n' > "$tree/.gitignore"
mkdir "$tree/build"
printf 'int x; \n' | tee "$tree/build/generated.h" > "$tree/kernels/naive/untracked.c"
git -C "$tree" init -q
bash "$tree/harness/lint.sh" > "$tree.out" 2>&1
if [ $? = 1 ] && [ "$(cat "$tree.out")" = "kernels/naive/untracked.c:1: trailing whitespace" ]; then ok "git's view of the tree"; else not_ok "git's view of the tree"; fi

echo "1..$number"
exit $bad
