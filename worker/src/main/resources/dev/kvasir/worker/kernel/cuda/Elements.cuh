// Element types of stored numbers, and loads and stores that go through float. Includes nothing of CUDA's header files, so
// that NVRTC compiles it without them.
#pragma once
#include "Fp8.cuh"

typedef unsigned short uint16;

// The header that defines INFINITY is not there under NVRTC.
#define INFINITE __int_as_float(0x7f800000)

struct bf16 {
    uint16 bits;
};
struct f16 {
    uint16 bits;
};

__device__ __forceinline__ float to_float(bf16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }
__device__ __forceinline__ float to_float(f16 x) {
    float result;
    asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(x.bits));
    return result;
}
__device__ __forceinline__ float to_float(float x) { return x; }

template <typename T>
__device__ __forceinline__ T from_float(float x);
template <>
__device__ __forceinline__ bf16 from_float<bf16>(float x) {
    bf16 result;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
    return result;
}
template <>
__device__ __forceinline__ f16 from_float<f16>(float x) {
    f16 result;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
    return result;
}
template <>
__device__ __forceinline__ float from_float<float>(float x) {
    return x;
}

// Sixteen bytes of elements, moved at once; addresses must be multiples of 16.
template <typename T>
struct alignas(16) Pack {
    static constexpr int SIZE = 16 / sizeof(T);
    T values[SIZE];
};
template <typename T>
__device__ __forceinline__ Pack<T> load_pack(const T* address) {
    return *reinterpret_cast<const Pack<T>*>(address);
}
template <typename T>
__device__ __forceinline__ void store_pack(T* address, const Pack<T>& pack) {
    *reinterpret_cast<Pack<T>*>(address) = pack;
}
template <typename T>
__device__ __forceinline__ bool packs(const T* address, long stride, int columns) {
    return reinterpret_cast<unsigned long long>(address) % 16 == 0 && stride % Pack<T>::SIZE == 0 &&
           columns % Pack<T>::SIZE == 0;
}

// Waits until all that was issued before has ended, where the launch did not; then lets the successor start, which waits in
// its turn. Every kernel that is launched early begins with it.
__device__ __forceinline__ void follow() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Sum over all threads of a block of whole warps; every thread gets it. `scratch` is 32 floats of shared memory.
__device__ __forceinline__ float warp_sum(float x) {
    for (int offset = 16; offset > 0; offset /= 2) {
        x += __shfl_xor_sync(0xffffffffu, x, offset);
    }
    return x;
}
__device__ __forceinline__ float block_sum(float x, float* scratch) {
    x = warp_sum(x);
    const int warps = blockDim.x / 32;
    if (warps == 1) {
        return x;
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
        scratch[threadIdx.x / 32] = x;
    }
    __syncthreads();
    x = threadIdx.x % 32 < warps ? scratch[threadIdx.x % 32] : 0;
    return warp_sum(x);
}

// Defines a kernel for each type of activations.
#define FOR_EACH_TYPE(DEFINE) \
    DEFINE(bf16, bf16)        \
    DEFINE(f16, f16)          \
    DEFINE(f32, float)

// Defines a kernel for each type of activations with each type of keys and values but those with scales.
#define FOR_EACH_TYPE_PAIR(DEFINE)   \
    DEFINE(bf16_bf16, bf16, bf16)    \
    DEFINE(bf16_f16, bf16, f16)      \
    DEFINE(bf16_f32, bf16, float)    \
    DEFINE(f16_bf16, f16, bf16)      \
    DEFINE(f16_f16, f16, f16)        \
    DEFINE(f16_f32, f16, float)      \
    DEFINE(f32_bf16, float, bf16)    \
    DEFINE(f32_f16, float, f16)      \
    DEFINE(f32_f32, float, float)

// Defines a kernel for each type of activations with keys and values of e4m3 and their scales.
#define FOR_EACH_SCALED_PAIR(DEFINE) \
    DEFINE(bf16_fp8, bf16, e4m3)     \
    DEFINE(f16_fp8, f16, e4m3)       \
    DEFINE(f32_fp8, float, e4m3)

// Keys and values whose numbers mean nothing without the scale of their token and head.
template <typename K>
struct Scaled {
    static constexpr bool IS = false;
};
template <>
struct Scaled<e4m3> {
    static constexpr bool IS = true;
};

// Where a block's scales begin, in bytes.
__device__ __forceinline__ long scales_offset(int kvHeadCount, int blockSize, int keySize, int valueSize) {
    const long bytes = static_cast<long>(kvHeadCount) * blockSize * (keySize + valueSize);
    return (bytes + 15) / 16 * 16;
}
