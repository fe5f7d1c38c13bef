#!/usr/bin/env bash
# The OpenCL backend by the program: its devices, none of them, kernels of the other family on a few rows, slices.
set -u
build=$1
convoy=$build/bin/convoy
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; sed 's/^/# /' "$dir/out"; failed=1; fi; }

if [ ! -e "$build/plugins/convoy_opencl.so" ]; then echo "the backend opencl was not built"; exit 77; fi

# No driver: unavailable with the reason, and the others go on.
mkdir "$dir/none"
OCL_ICD_VENDORS=$dir/none "$convoy" list >"$dir/out" 2>&1
tap "$(grep -q '^opencl *unavailable: .' "$dir/out" && grep -q '^naive ' "$dir/out"; echo $?)" "without a driver: $(grep '^opencl' "$dir/out")"
OCL_ICD_VENDORS=$dir/none "$convoy" verify -q -b naive relu:n7 >"$dir/out" 2>&1
tap $? "and another backend verifies"

reason=$("$convoy" list | sed -n 's/^opencl *unavailable: //p')
if [ -n "$reason" ]; then
    echo "$reason"
    echo "ok $((count += 1)) # SKIP no device"
    echo "1..$count"
    exit $failed
fi
"$convoy" list --devices -b opencl >"$dir/out" 2>&1
tap "$(grep -q '^opencl *0: .' "$dir/out"; echo $?)" "devices: $(head -1 "$dir/out")"
name=$(sed -n 's/^opencl *0: \([^ (]*\).*/\1/p' "$dir/out")
"$convoy" verify -q -b opencl:gemm --device "$name" relu:n7 >"$dir/out" 2>&1
tap $? "a device by its name: $name"
"$convoy" verify -q -b opencl:gemm --device 99 relu:n7 >"$dir/out" 2>&1
tap "$([ $? != 0 ] && grep -q 'no OpenCL device 99' "$dir/out"; echo $?)" "a device that is not there is refused"

# Few rows, since every kernel is compiled anew: a stride, groups, a weight gradient whose sum is split, a reduction.
rows='conv_fwd:n2c5h9k7kh3s2p1 conv_bwd_data:n2c5h9k7kh3s2p1 conv_bwd_weights:n3c4h9k8kh3p1g2 conv_fwd:n2c16h13k16kh3p1
      maxpool_fwd:n2c3h9kh3s2p1 maxpool_bwd:n2c3h9kh3s2p1 bn_train:n3c5h7 bn_bwd:n3c5h7'
for family in cpu gpu; do
    CONVOY_GPU_FAMILY=$family "$convoy" verify -q -b opencl:gemm -b opencl:winograd $rows >"$dir/out" 2>&1
    tap $? "kernels for $family devices: $(tail -1 "$dir/out")"
    CONVOY_GPU_FAMILY=$family CONVOY_GPU_RANGE=4096 CONVOY_GPU_LAUNCH_S=1e-6 "$convoy" verify -q -b opencl:gemm $rows >"$dir/out" 2>&1
    tap $? "and in slices of 4 KiB and parts of launches: $(tail -1 "$dir/out")"
done
CONVOY_GPU_WORKSPACE=300000 "$convoy" verify -q -b opencl:winograd -b opencl:im2col conv_bwd_weights:n5c8h31k8kh3p1 conv_fwd:n5c8h31k8kh3p1 >"$dir/out" 2>&1
tap $? "in little memory, chunk by chunk: $(tail -1 "$dir/out")"
echo "1..$count"
exit $failed
