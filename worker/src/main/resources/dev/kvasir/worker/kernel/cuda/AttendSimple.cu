// Attention for every head size and type: one thread block of 128 per row and query head, over 128 positions at a time with
// running maximum and sum. The path of what the faster kernels do not take, and their cross-check.
//
// KV layout: layer -> block -> {key, value} -> kv head -> slot -> element; `kv` is the layer's first element. Scales: Fp8.cuh.
#include "Elements.cuh"

constexpr int POSITIONS = 128;
constexpr int VALUES_PER_THREAD = 4;

// The scales of a token and head.
template <typename K>
__device__ __forceinline__ unsigned scales(
    const K* block, int kvHeadCount, int kvHead, int blockSize, int slot, int keySize, int valueSize) {
    const long at = scales_offset(kvHeadCount, blockSize, keySize, valueSize) + 4 * (kvHead * blockSize + slot);
    return *reinterpret_cast<const unsigned*>(reinterpret_cast<const unsigned char*>(block) + at);
}

template <typename T, typename K>
__device__ void attend(
    T* out,
    int outStride,
    const T* query,
    int queryStride,
    const K* kv,
    long blockStride,
    int blockSize,
    int headCount,
    int kvHeadCount,
    int keySize,
    int valueSize,
    float scale,
    int window,
    float softcap,
    const int* positions,
    const int* rowSequence,
    const int* blockTables,
    int tableStride) {
    extern __shared__ float q[];
    __shared__ float weights[POSITIONS];
    __shared__ float reduced[4];
    follow();
    const int row = blockIdx.x;
    const int head = blockIdx.y;
    const int kvHead = head / (headCount / kvHeadCount);
    const int last = positions[row];
    const int first = window == 0 ? 0 : max(0, last + 1 - window);
    const int* table = blockTables + static_cast<long>(rowSequence[row]) * tableStride;
    const T* queryHead = query + static_cast<long>(row) * queryStride + head * keySize;
    for (int i = threadIdx.x; i < keySize; i += blockDim.x) {
        q[i] = to_float(queryHead[i]);
    }
    float sum = 0;
    float max = -INFINITE;
    float result[VALUES_PER_THREAD] = {0, 0, 0, 0};
    for (int from = first; from <= last; from += POSITIONS) {
        __syncthreads();
        const int position = from + threadIdx.x;
        float score = -INFINITE;
        if (position <= last) {
            const K* key = kv + table[position / blockSize] * blockStride +
                           (static_cast<long>(kvHead) * blockSize + position % blockSize) * keySize;
            score = 0;
            for (int i = 0; i < keySize; i++) {
                score += q[i] * to_float(key[i]);
            }
            if constexpr (Scaled<K>::IS) {
                const int slot = position % blockSize;
                score *= key_scale(scales(
                    kv + table[position / blockSize] * blockStride,
                    kvHeadCount,
                    kvHead,
                    blockSize,
                    slot,
                    keySize,
                    valueSize));
            }
            score *= scale;
            score = softcap == 0 ? score : softcap * tanhf(score / softcap);
        }
        float best = score;
        for (int offset = 16; offset > 0; offset /= 2) {
            best = fmaxf(best, __shfl_xor_sync(0xffffffffu, best, offset));
        }
        if (threadIdx.x % 32 == 0) {
            reduced[threadIdx.x / 32] = best;
        }
        __syncthreads();
        best = fmaxf(fmaxf(reduced[0], reduced[1]), fmaxf(reduced[2], reduced[3]));
        const float newMax = fmaxf(max, best);
        const float shrink = expf(max - newMax);
        max = newMax;
        const float weight = position <= last ? expf(score - max) : 0;
        weights[threadIdx.x] = weight;
        if constexpr (Scaled<K>::IS) {
            if (position <= last) {
                const int slot = position % blockSize;
                weights[threadIdx.x] *= value_scale(scales(
                    kv + table[position / blockSize] * blockStride,
                    kvHeadCount,
                    kvHead,
                    blockSize,
                    slot,
                    keySize,
                    valueSize));
            }
        }
        float part = warp_sum(weight);
        __syncthreads();
        if (threadIdx.x % 32 == 0) {
            reduced[threadIdx.x / 32] = part;
        }
        __syncthreads();
        sum = sum * shrink + reduced[0] + reduced[1] + reduced[2] + reduced[3];
        const int count = min(POSITIONS, last + 1 - from);
        for (int v = 0; v < VALUES_PER_THREAD; v++) {
            const int element = threadIdx.x + v * blockDim.x;
            if (element < valueSize) {
                float total = result[v] * shrink;
                for (int p = 0; p < count; p++) {
                    const int at = from + p;
                    const K* value = kv + table[at / blockSize] * blockStride +
                                     static_cast<long>(kvHeadCount) * blockSize * keySize +
                                     (static_cast<long>(kvHead) * blockSize + at % blockSize) * valueSize;
                    total += weights[p] * to_float(value[element]);
                }
                result[v] = total;
            }
        }
    }
    T* outHead = out + static_cast<long>(row) * outStride + head * valueSize;
    for (int v = 0; v < VALUES_PER_THREAD; v++) {
        const int element = threadIdx.x + v * blockDim.x;
        if (element < valueSize) {
            outHead[element] = from_float<T>(result[v] / sum);
        }
    }
}

#define DEFINE_PAIR(NAME, T, K)                       \
    extern "C" __global__ void attend_simple_##NAME(  \
        T* out,                                       \
        int outStride,                                \
        const T* query,                               \
        int queryStride,                              \
        const K* kv,                                  \
        long blockStride,                             \
        int blockSize,                                \
        int headCount,                                \
        int kvHeadCount,                              \
        int keySize,                                  \
        int valueSize,                                \
        float scale,                                  \
        int window,                                   \
        float softcap,                                \
        const int* positions,                         \
        const int* rowSequence,                       \
        const int* blockTables,                       \
        int tableStride) {                            \
        attend<T, K>(                                 \
            out,                                      \
            outStride,                                \
            query,                                    \
            queryStride,                              \
            kv,                                       \
            blockStride,                              \
            blockSize,                                \
            headCount,                                \
            kvHeadCount,                              \
            keySize,                                  \
            valueSize,                                \
            scale,                                    \
            window,                                   \
            softcap,                                  \
            positions,                                \
            rowSequence,                              \
            blockTables,                              \
            tableStride);                             \
    }
FOR_EACH_TYPE_PAIR(DEFINE_PAIR)
FOR_EACH_SCALED_PAIR(DEFINE_PAIR)
