// Element-wise operations on matrices whose rows lie `stride` elements apart. A thread takes 16 bytes of one row; grid.x
// covers columns, grid.y rows.
#include "Elements.cuh"

// The order of the enum Activation.
enum Activation { SILU, GELU, GELU_TANH, RELU };

__device__ __forceinline__ float activated(float x, int activation) {
    switch (activation) {
        case SILU:
            return x / (1.0f + expf(-x));
        case GELU:
            return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
        case GELU_TANH:
            return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
        default:
            return x > 0 ? x : (x != x ? x : 0.0f);
    }
}

// x[row][column] = f(x, y), for columns that this thread has; y may be null.
template <typename T, typename F>
__device__ __forceinline__ void each(T* x, int xStride, const T* y, int yStride, int columns, F f) {
    constexpr int N = Pack<T>::SIZE;
    follow();
    const int c = (blockIdx.x * blockDim.x + threadIdx.x) * N;
    if (c >= columns) {
        return;
    }
    T* a = x + static_cast<long>(blockIdx.y) * xStride;
    const T* b = y == nullptr ? nullptr : y + static_cast<long>(blockIdx.y) * yStride;
    if (packs(a, 0, columns) && packs(b, 0, columns)) {
        Pack<T> left = load_pack(a + c);
        const Pack<T> right = b == nullptr ? Pack<T>{} : load_pack(b + c);
        for (int i = 0; i < N; i++) {
            left.values[i] = from_float<T>(f(to_float(left.values[i]), to_float(right.values[i])));
        }
        store_pack(a + c, left);
        return;
    }
    for (int i = c; i < c + N && i < columns; i++) {
        a[i] = from_float<T>(f(to_float(a[i]), b == nullptr ? 0.0f : to_float(b[i])));
    }
}

#define DEFINE(NAME, T)                                                                                               \
    extern "C" __global__ void gate_##NAME(                                                                           \
        T* gate, int gateStride, const T* up, int upStride, int columns, int activation) {                            \
        each(gate, gateStride, up, upStride, columns, [=](float x, float y) { return activated(x, activation) * y; }); \
    }                                                                                                                 \
    extern "C" __global__ void activate_##NAME(T* x, int stride, int columns, int activation) {                       \
        each(x, stride, static_cast<const T*>(nullptr), 0, columns, [=](float value, float) {                         \
            return activated(value, activation);                                                                      \
        });                                                                                                           \
    }                                                                                                                 \
    extern "C" __global__ void add_##NAME(T* out, int outStride, const T* in, int inStride, int columns, float scale) { \
        each(out, outStride, in, inStride, columns, [=](float x, float y) { return x + y * scale; });                 \
    }                                                                                                                 \
    extern "C" __global__ void scale_##NAME(T* x, int stride, int columns, float scale, float softcap) {              \
        each(x, stride, static_cast<const T*>(nullptr), 0, columns, [=](float value, float) {                         \
            return softcap == 0 ? value * scale : softcap * tanhf(value * scale / softcap);                           \
        });                                                                                                           \
    }
FOR_EACH_TYPE(DEFINE)
