#!/usr/bin/env bash
# Every built-in kernel compiles without a warning with every compiler of the kernel dialect that is
# installed, in every variant; and no PTX has a load that may stay stale in a kernel that never ends.
set -uo pipefail

source_dir=${RK_SOURCE_DIR:?set by ctest}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
include="-I$source_dir/include"
warnings=(-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Werror)
cpu=(-std=c17 -O3 -fPIC -shared -ffp-contract=off -fno-math-errno -fno-trapping-math "${warnings[@]}")

compile() { # compile WHAT COMMAND...
    local what=$1
    shift
    if ! "$@" >"$work/out" 2>&1 || [ -s "$work/out" ]; then
        echo "FAILED: $what: $*"
        head -20 "$work/out"
        failed=1
        return 1
    fi
}

nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null)
for tool in gcc clang "${nvcc:-nvcc}"; do
    command -v "$tool" >/dev/null || echo "skipped: $tool is not installed"
done
command -v gcc >/dev/null || command -v clang >/dev/null || exit 77

for source in "$source_dir"/kernels/*.c; do
    name=$(basename "$source" .c)
    variants=("")
    grep -q "^#define RK_VARIANTS" "$source" && variants+=(-DRK_REAL_IS_F64)
    for variant in "${variants[@]}"; do
        flags=("$include" ${variant:+"$variant"})
        for compiler in gcc clang; do
            command -v "$compiler" >/dev/null || continue
            compile "$name $compiler" "$compiler" "${cpu[@]}" "${flags[@]}" -o "$work/k.so" "$source" -lm
            compile "$name $compiler, fibers" "$compiler" "${cpu[@]}" -DRK_FIBER "${flags[@]}" \
                -o "$work/k.so" "$source" -lm
        done
        if command -v clang >/dev/null; then
            compile "$name clang OpenCL C" clang -x cl -cl-std=CL3.0 -Xclang -finclude-default-header \
                -target spir64 -Wall -Wextra -Werror "${flags[@]}" -c -emit-llvm -o "$work/k.bc" "$source"
            compile "$name clang HIP" clang -x hip -O3 --offload-arch=gfx90a --cuda-device-only -nogpuinc \
                -nogpulib -DRK_KERNEL=1 -Wall -Wextra -Werror "${flags[@]}" -c -o "$work/k.o" "$source"
        fi
        if [ -n "$nvcc" ]; then
            compile "$name nvcc" "$nvcc" -x cu -arch=sm_90 -DRK_KERNEL=1 "${flags[@]}" -ptx \
                -o "$work/k.ptx" "$source" &&
                if grep -n 'ld\.global\.nc' "$work/k.ptx"; then
                    echo "FAILED: $name: PTX with a non-coherent load"
                    failed=1
                fi
        fi
    done
    echo "compiled: $name"
done
exit $failed
