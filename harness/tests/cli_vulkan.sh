#!/usr/bin/env bash
# The Vulkan backend by the program: its devices, none of them, both families of kernels, slices, the validation layer.
set -u
build=$1
convoy=$build/bin/convoy
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count=0; failed=0
tap() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; sed 's/^/# /' "$dir/out"; failed=1; fi; }

if [ ! -e "$build/plugins/convoy_vulkan.so" ]; then echo "the backend vulkan was not built"; exit 77; fi

# No driver: unavailable with the reason, and the others go on.
touch "$dir/none.json"
VK_DRIVER_FILES=$dir/none.json VK_ICD_FILENAMES=$dir/none.json "$convoy" list >"$dir/out" 2>&1
tap "$(grep -q '^vulkan *unavailable: .' "$dir/out" && grep -q '^naive ' "$dir/out"; echo $?)" "without a driver: $(grep '^vulkan' "$dir/out")"
VK_DRIVER_FILES=$dir/none.json VK_ICD_FILENAMES=$dir/none.json "$convoy" verify -q -b naive relu:n7 >"$dir/out" 2>&1
tap $? "and another backend verifies"

reason=$("$convoy" list | sed -n 's/^vulkan *unavailable: //p')
if [ -n "$reason" ]; then
    echo "$reason"
    echo "ok $((count += 1)) # SKIP no device"
    echo "1..$count"
    exit $failed
fi
"$convoy" list --devices -b vulkan >"$dir/out" 2>&1
tap "$(grep -q '^vulkan *0: .' "$dir/out"; echo $?)" "devices: $(head -1 "$dir/out")"
name=$(sed -n 's/^vulkan *0: \([^ (]*\).*/\1/p' "$dir/out")
"$convoy" verify -q -b vulkan:gemm --device "$name" relu:n7 >"$dir/out" 2>&1
tap $? "a device by its name: $name"
"$convoy" verify -q -b vulkan:gemm --device 99 relu:n7 >"$dir/out" 2>&1
tap "$([ $? != 0 ] && grep -q 'no Vulkan device 99' "$dir/out"; echo $?)" "a device that is not there is refused"

for family in cpu gpu; do
    CONVOY_GPU_FAMILY=$family "$convoy" verify -q -b vulkan --table smoke >"$dir/out" 2>&1
    tap $? "kernels for $family devices: $(tail -1 "$dir/out")"
    CONVOY_GPU_FAMILY=$family CONVOY_GPU_RANGE=4096 CONVOY_GPU_LAUNCH_S=1e-6 "$convoy" verify -q -b vulkan --op conv --op pool --op bn --table smoke >"$dir/out" 2>&1
    tap $? "and in slices of 4 KiB and parts of launches: $(tail -1 "$dir/out")"
done
CONVOY_GPU_WORKSPACE=300000 "$convoy" verify -q -b vulkan:winograd -b vulkan:im2col conv_bwd_weights:n5c8h31k8kh3p1 conv_fwd:n5c8h31k8kh3p1 >"$dir/out" 2>&1
tap $? "in little memory, chunk by chunk: $(tail -1 "$dir/out")"

if [ -e /usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json ]; then
    VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation "$convoy" verify -q -b vulkan:winograd -b vulkan:gemm --in-process --op conv --op pool --op bn --table smoke >"$dir/out" 2>&1
    tap "$([ $? = 0 ] && ! grep -qi 'VUID\|validation' "$dir/out"; echo $?)" "no word from the validation layer"
else
    echo "the validation layer is not installed"
    echo "ok $((count += 1)) # SKIP validation"
fi
echo "1..$count"
exit $failed
