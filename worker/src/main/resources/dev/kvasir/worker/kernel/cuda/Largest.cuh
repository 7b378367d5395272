// The largest of a row of logits. Includes nothing of CUDA's header files.
#pragma once
#include "Elements.cuh"

// Whether (a, i) comes before (b, j): larger, then lower id; NaN first of all.
__device__ __forceinline__ bool before(float a, int i, float b, int j) {
    if (a != a || b != b) {
        return a != a && (b == b || i < j);
    }
    return a > b || (a == b && i < j);
}

struct Choice {
    float value;
    int id;
};

// Of the block's row; the choice of thread 0 is the whole block's.
__device__ __forceinline__ Choice largest_of(const float* row, int columns) {
    __shared__ float values[32];
    __shared__ int ids[32];
    float value = -INFINITE;
    int id = 0x7fffffff;
    int c = threadIdx.x * 4;
    if (packs(row, 0, columns)) {
        // Several loads are under way before the first is looked at.
        constexpr int AHEAD = 8;
        for (; c < columns; c += blockDim.x * 4 * AHEAD) {
            Pack<float> packs[AHEAD];
#pragma unroll
            for (int j = 0; j < AHEAD; j++) {
                const int at = c + j * blockDim.x * 4;
                packs[j] = at < columns ? load_pack(row + at) : Pack<float>{{-INFINITE, -INFINITE, -INFINITE, -INFINITE}};
            }
#pragma unroll
            for (int j = 0; j < AHEAD; j++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int at = c + j * blockDim.x * 4 + i;
                    // Ids only grow: of equals the first stays. A NaN stays, too.
                    const float candidate = packs[j].values[i];
                    if (candidate > value || (candidate != candidate && value == value)) {
                        value = candidate;
                        id = at;
                    }
                }
            }
        }
        id = id == 0x7fffffff && static_cast<int>(threadIdx.x) * 4 < columns ? static_cast<int>(threadIdx.x) * 4 : id;
    } else {
        for (c = threadIdx.x; c < columns; c += blockDim.x) {
            if (before(row[c], c, value, id)) {
                value = row[c];
                id = c;
            }
        }
    }
    for (int round = 0; round < 2; round++) {
        for (int offset = 16; offset > 0; offset /= 2) {
            const float otherValue = __shfl_xor_sync(0xffffffffu, value, offset);
            const int otherId = __shfl_xor_sync(0xffffffffu, id, offset);
            if (before(otherValue, otherId, value, id)) {
                value = otherValue;
                id = otherId;
            }
        }
        if (round == 0) {
            if (threadIdx.x % 32 == 0) {
                values[threadIdx.x / 32] = value;
                ids[threadIdx.x / 32] = id;
            }
            __syncthreads();
            const bool some = threadIdx.x % 32 < blockDim.x / 32;
            value = some ? values[threadIdx.x % 32] : -INFINITE;
            id = some ? ids[threadIdx.x % 32] : 0x7fffffff;
        }
    }
    return {value, id};
}
