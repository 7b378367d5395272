// Weights made of random numbers, for measurements of a geometry whose checkpoint is not at hand.
#include "Elements.cuh"

// The finaliser of SplitMix64.
__device__ __forceinline__ unsigned long long mix(unsigned long long z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// Elements uniform in [middle - bound, middle + bound), a function of seed and index alone.
template <typename T>
__device__ void fill(T* data, long count, float middle, float bound, unsigned long long seed) {
    const long step = static_cast<long>(gridDim.x) * blockDim.x;
    for (long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
        const unsigned bits = static_cast<unsigned>(mix(seed + 0x9E3779B97F4A7C15ull * (i + 1)) >> 40);
        data[i] = from_float<T>(middle + bound * (bits * 0x1p-23f - 1.0f));
    }
}

#define DEFINE(NAME, T)                                                                      \
    extern "C" __global__ void fill_##NAME(                                                  \
        T* data, long count, float middle, float bound, unsigned long long seed) {           \
        fill<T>(data, count, middle, bound, seed);                                           \
    }
FOR_EACH_TYPE(DEFINE)

// KV blocks of e4m3: numbers of 1.875 at most in blocks of blockWords words, whose words from scaleWord on are scales of 1.
extern "C" __global__ void fill_fp8(
    unsigned* data, long words, long blockWords, long scaleWord, unsigned long long seed) {
    const long step = static_cast<long>(gridDim.x) * blockDim.x;
    for (long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x; i < words; i += step) {
        const unsigned random = static_cast<unsigned>(mix(seed + 0x9E3779B97F4A7C15ull * (i + 1)) >> 32);
        data[i] = i % blockWords < scaleWord ? random & 0xbfbfbfbfu : 0x3c003c00u;
    }
}
