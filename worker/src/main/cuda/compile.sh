#!/usr/bin/env bash
# compile.sh SOURCES CLASSES: compiles every .cu file of SOURCES into a fatbin beside the classes, for compute capability
# 8.0 and 9.0 and, as PTX, for what comes after. Without nvcc nothing is compiled: kernels are then compiled at start, by
# NVRTC. Register spills are reported. Only what changed is compiled again, as many files at a time as there are processors.
set -euo pipefail
shopt -s nullglob

sources=$1
classes=$2
nvcc=${NVCC:-$(command -v nvcc || true)}
[ -n "$nvcc" ] || nvcc=$(ls /usr/local/cuda/bin/nvcc 2>/dev/null || true)
if [ -z "$nvcc" ] || [ "${KVASIR_WITHOUT_NVCC:-}" = true ]; then
    echo "CUDA kernels: no nvcc here, a worker with a GPU compiles them at its start"
    exit 0
fi

compile() {
    local source=$1 name fatbin newest report
    name=$(basename "$source" .cu)
    fatbin="$classes/$name.fatbin"
    newest=$(ls -t "$source" "$sources"/*.cuh "$script" | head -n 1)
    if [ -f "$fatbin" ] && [ "$fatbin" -nt "$newest" ]; then
        return
    fi
    report=$("$nvcc" -std=c++17 -O3 --fatbin -Xptxas -v \
        -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90a,code=sm_90a -gencode arch=compute_90,code=compute_90 \
        -I "$sources" -o "$fatbin.part" "$source" 2>&1) || {
        echo "$report" >&2
        rm -f "$fatbin.part"
        return 1
    }
    mv "$fatbin.part" "$fatbin"
    echo "CUDA kernels: compiled $name"
    echo "$report" | awk -v name="$name" '
        /Compiling entry function/ { split($0, part, "\047"); entry = part[2]; target = part[4] }
        /bytes spill stores/ && !/, 0 bytes spill stores/ { print "CUDA kernels: registers spill in " name "." entry " for " target ":" $0 }'
}

mkdir -p "$classes"
script=${BASH_SOURCE[0]}
export nvcc sources classes script
export -f compile
printf '%s\0' "$sources"/*.cu | xargs -0 -P "$(nproc)" -I{} bash -c 'set -euo pipefail; compile "$1"' compile {}
