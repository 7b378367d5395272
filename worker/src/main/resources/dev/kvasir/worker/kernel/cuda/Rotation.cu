// Rotary position embedding, and keys and values into their blocks.
//
// KV layout: layer -> block -> {key, value} -> kv head -> slot -> element; `kv` is the layer's first element. Scales: Fp8.cuh.
#include "Elements.cuh"

// Angles as the models were trained: position times frequency is rounded to float before cosine and sine.
__device__ __forceinline__ void angles(
    float* cosines, float* sines, const float* frequencies, int pairs, float factor, int position) {
    for (int i = threadIdx.x; i < pairs; i += blockDim.x) {
        const float angle = __fmul_rn(static_cast<float>(position), frequencies[i]);
        cosines[i] = cosf(angle) * factor;
        sines[i] = sinf(angle) * factor;
    }
    __syncthreads();
}

// Elements of pair i.
__device__ __forceinline__ int first_of(int i, bool interleaved) { return interleaved ? 2 * i : i; }
__device__ __forceinline__ int second_of(int i, int pairs, bool interleaved) {
    return interleaved ? 2 * i + 1 : i + pairs;
}

// Rotates the first 2 * pairs elements of every head of one row; one thread block per row. Shared: 2 * pairs floats.
template <typename T>
__device__ void rotate(
    T* heads,
    int stride,
    int headCount,
    int headSize,
    const float* frequencies,
    int pairs,
    float factor,
    int interleaved,
    const int* positions) {
    extern __shared__ float shared[];
    angles(shared, shared + pairs, frequencies, pairs, factor, positions[blockIdx.x]);
    follow();
    T* row = heads + static_cast<long>(blockIdx.x) * stride;
    for (int t = threadIdx.x; t < headCount * pairs; t += blockDim.x) {
        const int i = t % pairs;
        T* head = row + t / pairs * headSize;
        const int a = first_of(i, interleaved);
        const int b = second_of(i, pairs, interleaved);
        const float x = to_float(head[a]);
        const float y = to_float(head[b]);
        head[a] = from_float<T>(x * shared[i] - y * shared[pairs + i]);
        head[b] = from_float<T>(y * shared[i] + x * shared[pairs + i]);
    }
}

// Largest magnitude over all threads of a block of whole warps, NaN left out; every thread gets it.
__device__ __forceinline__ float block_largest(float x, float* scratch) {
    for (int offset = 16; offset > 0; offset /= 2) {
        x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
        scratch[threadIdx.x / 32] = x;
    }
    __syncthreads();
    for (int w = 0; w < blockDim.x / 32; w++) {
        x = fmaxf(x, scratch[w]);
    }
    return x;
}

// Stores a row of floats as numbers of e4m3, and returns their scale.
__device__ __forceinline__ unsigned store_scaled(e4m3* to, const float* from, int count, float largest) {
    const unsigned scale = scale_bits(largest);
    const float inverse = __frcp_rn(key_scale(scale));
    for (int c = threadIdx.x; c < count; c += blockDim.x) {
        to[c] = to_e4m3(from[c] * inverse);
    }
    return scale;
}

// What rotate_write does for `kvHeads` KV heads from `kvHead` on, sixteen bytes of either half of a head at a time.
template <typename T, typename K>
__device__ __forceinline__ void rotate_write_packs(
    T* query,
    const T* key,
    const T* value,
    K* keys,
    K* values,
    int blockSize,
    int group,
    int kvHead,
    int kvHeads,
    int keySize,
    int valueSize,
    const float* cosines,
    const float* sines) {
    constexpr int N = Pack<T>::SIZE;
    const int pairs = keySize / 2;
    const int packsOfHead = pairs / N;
    const int packsOfValue = valueSize / N;
    const int rotated = kvHeads * (group + 1) * packsOfHead;
    for (int t = threadIdx.x; t < rotated + kvHeads * packsOfValue; t += blockDim.x) {
        if (t < rotated) {
            const int head = t / packsOfHead;
            const int c = t % packsOfHead * N;
            const int ofKv = kvHead + head / (group + 1);
            const int inGroup = head % (group + 1);
            T* q = query + (static_cast<long>(ofKv) * group + inGroup) * keySize;
            const T* from = inGroup < group ? q : key + ofKv * keySize;
            T* to = inGroup < group ? q : reinterpret_cast<T*>(keys + static_cast<long>(ofKv) * blockSize * keySize);
            Pack<T> x = load_pack(from + c);
            Pack<T> y = load_pack(from + pairs + c);
#pragma unroll
            for (int i = 0; i < N; i++) {
                const float a = to_float(x.values[i]);
                const float b = to_float(y.values[i]);
                x.values[i] = from_float<T>(a * cosines[c + i] - b * sines[c + i]);
                y.values[i] = from_float<T>(b * cosines[c + i] + a * sines[c + i]);
            }
            store_pack(to + c, x);
            store_pack(to + pairs + c, y);
        } else {
            const int ofKv = kvHead + (t - rotated) / packsOfValue;
            const int c = (t - rotated) % packsOfValue * N;
            T* to = reinterpret_cast<T*>(values + static_cast<long>(ofKv) * blockSize * valueSize);
            store_pack(to + c, load_pack(value + ofKv * valueSize + c));
        }
    }
}

template <typename A, typename B>
struct Same {
    static constexpr bool IS = false;
};
template <typename A>
struct Same<A, A> {
    static constexpr bool IS = true;
};

// Rotates queries in place and keys on their way into the blocks, and copies values there. Thread blocks (rows, part): each
// has its share of the KV heads, with the query heads that share them; with scales one KV head. pairs may be 0. Shared:
// 2 * pairs floats; with scales keySize + valueSize more.
template <typename T, typename K>
__device__ void rotate_write(
    T* query,
    int queryStride,
    const T* key,
    int keyStride,
    const T* value,
    int valueStride,
    K* kv,
    long blockStride,
    int blockSize,
    int headCount,
    int kvHeadCount,
    int keySize,
    int valueSize,
    const float* frequencies,
    int pairs,
    float factor,
    int interleaved,
    const int* positions,
    const int* rowSequence,
    const int* blockTables,
    int tableStride) {
    extern __shared__ float shared[];
    const int row = blockIdx.x;
    const int kvHeads = kvHeadCount / gridDim.y;
    const int position = positions[row];
    const int block = blockTables[static_cast<long>(rowSequence[row]) * tableStride + position / blockSize];
    angles(shared, shared + pairs, frequencies, pairs, factor, position);
    // Positions and tables are older than the predecessor; all else is not.
    follow();
    const int group = headCount / kvHeadCount;
    const int slot = position % blockSize;
    if constexpr (Same<T, K>::IS) {
        constexpr int N = Pack<T>::SIZE;
        if (!interleaved && 2 * pairs == keySize && pairs % N == 0 && packs(query, queryStride, pairs) &&
            packs(key, keyStride, pairs) && packs(value, valueStride, valueSize)) {
            K* keys = kv + block * blockStride + static_cast<long>(slot) * keySize;
            K* values = kv + block * blockStride + static_cast<long>(kvHeadCount) * blockSize * keySize +
                        static_cast<long>(slot) * valueSize;
            rotate_write_packs<T, K>(
                query + static_cast<long>(row) * queryStride,
                key + static_cast<long>(row) * keyStride,
                value + static_cast<long>(row) * valueStride,
                keys,
                values,
                blockSize,
                group,
                blockIdx.y * kvHeads,
                kvHeads,
                keySize,
                valueSize,
                shared,
                shared + pairs);
            return;
        }
    }
    for (int kvHead = blockIdx.y * kvHeads; kvHead < (blockIdx.y + 1) * kvHeads; kvHead++) {
        T* q = query + static_cast<long>(row) * queryStride + static_cast<long>(kvHead) * group * keySize;
        for (int t = threadIdx.x; t < group * pairs; t += blockDim.x) {
            const int i = t % pairs;
            T* head = q + t / pairs * keySize;
            const int a = first_of(i, interleaved);
            const int b = second_of(i, pairs, interleaved);
            const float x = to_float(head[a]);
            const float y = to_float(head[b]);
            head[a] = from_float<T>(x * shared[i] - y * shared[pairs + i]);
            head[b] = from_float<T>(y * shared[i] + x * shared[pairs + i]);
        }
        K* keys = kv + block * blockStride + (static_cast<long>(kvHead) * blockSize + slot) * keySize;
        K* values = kv + block * blockStride + static_cast<long>(kvHeadCount) * blockSize * keySize +
                    (static_cast<long>(kvHead) * blockSize + slot) * valueSize;
        const T* k = key + static_cast<long>(row) * keyStride + kvHead * keySize;
        const T* v = value + static_cast<long>(row) * valueStride + kvHead * valueSize;
        if constexpr (Scaled<K>::IS) {
            __shared__ float scratch[32];
            float* floats = shared + 2 * pairs;
            float largestKey = 0;
            float largestValue = 0;
            for (int i = threadIdx.x; i < pairs; i += blockDim.x) {
                const int a = first_of(i, interleaved);
                const int b = second_of(i, pairs, interleaved);
                const float x = to_float(k[a]);
                const float y = to_float(k[b]);
                floats[a] = x * shared[i] - y * shared[pairs + i];
                floats[b] = y * shared[i] + x * shared[pairs + i];
                largestKey = fmaxf(largestKey, fmaxf(fabsf(floats[a]), fabsf(floats[b])));
            }
            for (int c = 2 * pairs + threadIdx.x; c < keySize; c += blockDim.x) {
                floats[c] = to_float(k[c]);
                largestKey = fmaxf(largestKey, fabsf(floats[c]));
            }
            for (int c = threadIdx.x; c < valueSize; c += blockDim.x) {
                floats[keySize + c] = to_float(v[c]);
                largestValue = fmaxf(largestValue, fabsf(floats[keySize + c]));
            }
            largestKey = block_largest(largestKey, scratch);
            largestValue = block_largest(largestValue, scratch);
            const unsigned keyScale = store_scaled(keys, floats, keySize, largestKey);
            const unsigned valueScale = store_scaled(values, floats + keySize, valueSize, largestValue);
            if (threadIdx.x == 0) {
                const long at = scales_offset(kvHeadCount, blockSize, keySize, valueSize) + 4 * (kvHead * blockSize + slot);
                unsigned char* bytes = reinterpret_cast<unsigned char*>(kv + block * blockStride);
                *reinterpret_cast<unsigned*>(bytes + at) = keyScale | valueScale << 16;
            }
        } else {
            for (int i = threadIdx.x; i < pairs; i += blockDim.x) {
                const int a = first_of(i, interleaved);
                const int b = second_of(i, pairs, interleaved);
                const float x = to_float(k[a]);
                const float y = to_float(k[b]);
                keys[a] = from_float<K>(x * shared[i] - y * shared[pairs + i]);
                keys[b] = from_float<K>(y * shared[i] + x * shared[pairs + i]);
            }
            for (int c = 2 * pairs + threadIdx.x; c < keySize; c += blockDim.x) {
                keys[c] = from_float<K>(to_float(k[c]));
            }
            for (int c = threadIdx.x; c < valueSize; c += blockDim.x) {
                values[c] = from_float<K>(to_float(v[c]));
            }
        }
    }
}

#define DEFINE(NAME, T)                                                                                           \
    extern "C" __global__ void rotate_##NAME(                                                                     \
        T* heads,                                                                                                 \
        int stride,                                                                                               \
        int headCount,                                                                                            \
        int headSize,                                                                                             \
        const float* frequencies,                                                                                 \
        int pairs,                                                                                                \
        float factor,                                                                                             \
        int interleaved,                                                                                          \
        const int* positions) {                                                                                   \
        rotate<T>(heads, stride, headCount, headSize, frequencies, pairs, factor, interleaved, positions);        \
    }
FOR_EACH_TYPE(DEFINE)

#define DEFINE_PAIR(NAME, T, K)                      \
    extern "C" __global__ void rotate_write_##NAME(  \
        T* query,                                    \
        int queryStride,                             \
        const T* key,                                \
        int keyStride,                               \
        const T* value,                              \
        int valueStride,                             \
        K* kv,                                       \
        long blockStride,                            \
        int blockSize,                               \
        int headCount,                               \
        int kvHeadCount,                             \
        int keySize,                                 \
        int valueSize,                               \
        const float* frequencies,                    \
        int pairs,                                   \
        float factor,                                \
        int interleaved,                             \
        const int* positions,                        \
        const int* rowSequence,                      \
        const int* blockTables,                      \
        int tableStride) {                           \
        rotate_write<T, K>(                          \
            query,                                   \
            queryStride,                             \
            key,                                     \
            keyStride,                               \
            value,                                   \
            valueStride,                             \
            kv,                                      \
            blockStride,                             \
            blockSize,                               \
            headCount,                               \
            kvHeadCount,                             \
            keySize,                                 \
            valueSize,                               \
            frequencies,                             \
            pairs,                                   \
            factor,                                  \
            interleaved,                             \
            positions,                               \
            rowSequence,                             \
            blockTables,                             \
            tableStride);                            \
    }
FOR_EACH_TYPE_PAIR(DEFINE_PAIR)
FOR_EACH_SCALED_PAIR(DEFINE_PAIR)
