// The largest logit of each row and the lowest id that has it; NaN where any logit is NaN.
#include "Elements.cuh"

// Whether (a, i) comes before (b, j): larger, then lower id; NaN first of all.
__device__ __forceinline__ bool before(float a, int i, float b, int j) {
    if (a != a || b != b) {
        return a != a && (b == b || i < j);
    }
    return a > b || (a == b && i < j);
}

// logits [rows, columns], rows `stride` apart; chosen[2 * row] is the id, chosen[2 * row + 1] the logit's bits. One thread
// block per row.
extern "C" __global__ void largest(const float* logits, int stride, int columns, int* chosen) {
    __shared__ float values[32];
    __shared__ int ids[32];
    follow();
    const float* row = logits + static_cast<long>(blockIdx.x) * stride;
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
    if (threadIdx.x == 0) {
        chosen[2 * blockIdx.x] = id;
        chosen[2 * blockIdx.x + 1] = __float_as_int(value);
    }
}
