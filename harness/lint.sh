#!/bin/bash
# lint.sh: who may include whom, and what a file may not hold. One line "file:line: rule" per violation, exit 1 if there is
# any. The compiler enforces most of the include rule by its -I flags; this says it in words and covers the harness's inner layers.
#
#   include/convoy         the C library's headers and its own neighbours
#   core                   core, convoy                      verify, bench, select: core, convoy, own folder
#   report                 core, convoy, own folder          (select may include report)
#   cli                    every layer of the harness        tests: the same; tests/plugins and tests/mutants: convoy only
#   kernels/X              convoy, own folder, microkernel, gpu
#   reference-nets         core, select, convoy, own folders
set -eu
export LC_ALL=C
cd "$(dirname "$0")/.."

list_files()
{
    if git rev-parse --is-inside-work-tree > /dev/null 2>&1; then
        git ls-files -co --exclude-standard -- "$@" | sort -u
    else
        # A source archive: no git here. Build folders hold no sources except generated headers.
        local pattern
        for pattern in "$@"; do
            find . -type f -path "./$pattern" -not -path './build*' -not -path './.git/*' | sed 's|^\./||'
        done | sort -u
    fi | while read -r file; do [ ! -f "$file" ] || echo "$file"; done
}

mapfile -t sources < <(list_files '*.c' '*.h' '*.comp' '*.cl')
mapfile -t texts < <(list_files '*.sh' '*.mk' '*.md' '*.in' '*.map' Makefile '*/Makefile.*' packages.debian .ci/run)
mapfile -t kernels < <(for file in "${sources[@]}"; do [[ $file != kernels/*/* ]] || echo "${file#kernels/}" | cut -d/ -f1; done | sort -u)

violations=$(
    awk -v kernels="${kernels[*]}" '
    BEGIN {
        split("core verify bench report select cli tests", list)
        for (i in list) layer[list[i]] = 1
        split(kernels, list)
        for (i in list) kernel[list[i]] = 1

        # layer -> layers that it may include besides itself
        may["core"] = ""; may["verify"] = may["bench"] = may["report"] = "core"; may["select"] = "core report"
        may["cli"] = may["tests"] = "core verify bench report select cli"; may["nets"] = "core select"

        # third-party header (or folder of headers) -> the only places for it, as regular expressions
        home["cblas.h"] = "^kernels/im2col/blas\\.c$"
        home["csv.h"] = "^(harness/report/csv|reference-nets/data/rows)\\.c$"
        home["zlib.h"] = "^reference-nets/(data/gzfile|tests/test_data)\\.c$"
        home["jansson.h"] = "^(harness/report/pagedata|reference-nets/formats/safetensors)\\.c$"
        home["png.h"] = home["jpeglib.h"] = "^reference-nets/formats/picture\\.c$"
        home["mpi.h"] = "^reference-nets/train/ranks\\.c$"
        home["fftw3.h"] = "^kernels/fft/fftw\\.c$"
        home["pthreadpool.h"] = "^harness/core/pool\\.c$"
        home["dlfcn.h"] = "^(harness/core/loader\\.c|kernels/im2col/blas\\.c|kernels/(vulkan|opencl)/api\\.c|harness/tests/.*|kernels/[^/]*/tests/.*)$"
        home["cmocka.h"] = "^(harness|kernels/[^/]*|reference-nets)/tests/"
        home["vulkan/"] = "^kernels/vulkan/"
        home["CL/"] = "^kernels/opencl/"

        # headers of the C library, of POSIX, of Linux and of the compiler; any other is third-party
        split("assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic " \
              "stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype " \
              "cpuid dirent elf endian execinfo fcntl fnmatch ftw getopt glob immintrin libgen link malloc poll pthread pwd regex " \
              "sched semaphore spawn strings syscall termios ucontext unistd utime x86intrin xmmintrin emmintrin", list)
        for (i in list) system_header[list[i] ".h"] = 1
    }
    function report(text) { print FILENAME ":" FNR ": " text }
    function top(path) { return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : "" }
    # Which rule a file is under: a harness layer, "abi", "plugin" (test plugins), "kernel", "nets" or "".
    function group_of(file, part)
    {
        split(file, part, "/")
        if (file ~ /^harness\/include\//) return "abi"
        if (file ~ /^harness\/tests\/(plugins|mutants)\//) return "plugin"
        if (part[1] == "harness") return part[2]
        if (part[1] == "kernels") return "kernel"
        return part[1] == "reference-nets" ? "nets" : ""
    }
    function check_third_party(header, key, folder)
    {
        key = header in home ? header : (top(header) "/" in home) ? top(header) "/" : ""
        if (key != "") {
            if (FILENAME !~ home[key]) report("<" header "> belongs to " home[key])
            return
        }
        if (header in system_header || header ~ /^(sys|linux|asm|arpa|netinet|net)\//) return
        folder = FILENAME
        sub(/\/[^\/]*$/, "", folder)
        if ((folder, header) in seen && seen[folder, header] != FILENAME)
            report("<" header "> is third-party and already in " seen[folder, header] ": one file per folder")
        seen[folder, header] = FILENAME
    }
    function check_own(path, first, i, count, allowed)
    {
        first = top(path)
        if (path ~ /(^|\/)\.\.\//) report("\"" path "\": no include goes up by ..")
        else if (group == "abi" || group == "plugin") {
            if (first != "" || (group == "plugin" && path ~ /^convoy/)) report("\"" path "\": only <convoy/...> and neighbours here")
        } else if (first == "convoy") report("\"" path "\": the ABI is included as <" path ">")
        else if (group == "kernel") {
            if (first in layer || (first in kernel && first != own && first != "microkernel" && first != "gpu"))
                report("\"" path "\": kernels/" own " includes only <convoy/...>, its own folder, microkernel/ and gpu/")
        } else if (first in kernel && !(first in layer)) report("\"" path "\": only a kernel includes kernel headers")
        else if (first in layer && first != group) {
            count = split(may[group], allowed)
            for (i = 1; i <= count; i++)
                if (allowed[i] == first) return
            report("\"" path "\": " (group == "nets" ? "reference-nets" : "harness/" group) " may not include " first "/")
        }
    }
    FNR == 1 {
        group = group_of(FILENAME)
        own = FILENAME
        sub(/^kernels\//, "", own)
        sub(/\/.*/, "", own)
    }
    /\t/ { report("tab in a C file") }
    /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
        line = $0
        sub(/^[ \t]*#[ \t]*include[ \t]*/, "", line)
        quoted = substr(line, 1, 1) == "\""
        path = substr(line, 2)
        sub(/[>"].*/, "", path)
        if (quoted) check_own(path)
        else if (group == "abi" && path !~ /^(stddef|stdint|string|stdarg|stdio)\.h$/) report("<" path ">: the ABI needs the C library only")
        else if (path !~ /^convoy\//) {
            if (top(path) in layer || top(path) in kernel && path !~ /^(vulkan|CL)\//) check_own(path)
            else check_third_party(path)
        }
    }' "${sources[@]}"
    awk '/[ \t\r]$/ { print FILENAME ":" FNR ": trailing whitespace" }' "${sources[@]}" ${texts[@]+"${texts[@]}"}
    for folder in harness kernels reference-nets results; do
        [ ! -d "$folder" ] || [ -f "$folder/README.md" ] || echo "$folder/README.md:1: every top-level folder has a README.md"
    done
)
if [ -n "$violations" ]; then
    printf '%s\n' "$violations"
    exit 1
fi
echo "lint: $((${#sources[@]} + ${#texts[@]})) files, ok"
