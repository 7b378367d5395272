// Norms of rows, or of equal groups of a row's columns. Sums are of floats; weights and biases are floats.
#include "Elements.cuh"

// One thread block per row and group of `size` columns: out = in / rms(in) * (offset + weight).
template <typename T>
__device__ void rms_norm(
    T* out, int outStride, const T* in, int inStride, const float* weight, int size, float epsilon, float offset) {
    __shared__ float scratch[32];
    const T* x = in + static_cast<long>(blockIdx.x) * inStride + static_cast<long>(blockIdx.y) * size;
    T* y = out + static_cast<long>(blockIdx.x) * outStride + static_cast<long>(blockIdx.y) * size;
    float squares = 0;
    if (packs(x, 0, size) && packs(y, 0, size) && packs(weight, 0, size)) {
        constexpr int N = Pack<T>::SIZE;
        const int first = threadIdx.x * N;
        // Weights are nobody's output: they are fetched while the predecessor still runs.
        Pack<float> firstWeights[N / 4] = {};
        if (first < size) {
            for (int i = 0; i < N / 4; i++) {
                firstWeights[i] = load_pack(weight + first + 4 * i);
            }
        }
        follow();
        // The first round stays in registers: for usual sizes it is the only one.
        Pack<T> kept = {};
        if (first < size) {
            kept = load_pack(x + first);
            for (int i = 0; i < N; i++) {
                squares += to_float(kept.values[i]) * to_float(kept.values[i]);
            }
        }
        for (int c = first + blockDim.x * N; c < size; c += blockDim.x * N) {
            const Pack<T> pack = load_pack(x + c);
            for (int i = 0; i < N; i++) {
                squares += to_float(pack.values[i]) * to_float(pack.values[i]);
            }
        }
        const float scale = rsqrtf(block_sum(squares, scratch) / size + epsilon);
        for (int c = first; c < size; c += blockDim.x * N) {
            Pack<T> pack = c == first ? kept : load_pack(x + c);
#pragma unroll
            for (int i = 0; i < N; i += 4) {
                const Pack<float> w = c == first ? firstWeights[i / 4] : load_pack(weight + c + i);
                for (int j = 0; j < 4; j++) {
                    pack.values[i + j] = from_float<T>(to_float(pack.values[i + j]) * scale * (offset + w.values[j]));
                }
            }
            store_pack(y + c, pack);
        }
        return;
    }
    follow();
    for (int c = threadIdx.x; c < size; c += blockDim.x) {
        squares += to_float(x[c]) * to_float(x[c]);
    }
    const float scale = rsqrtf(block_sum(squares, scratch) / size + epsilon);
    for (int c = threadIdx.x; c < size; c += blockDim.x) {
        y[c] = from_float<T>(to_float(x[c]) * scale * (offset + weight[c]));
    }
}

// One thread block per row; bias may be null.
template <typename T>
__device__ void layer_norm(
    T* out, int outStride, const T* in, int inStride, const float* weight, const float* bias, int size, float epsilon) {
    __shared__ float scratch[32];
    follow();
    const T* x = in + static_cast<long>(blockIdx.x) * inStride;
    T* y = out + static_cast<long>(blockIdx.x) * outStride;
    float sum = 0;
    for (int c = threadIdx.x; c < size; c += blockDim.x) {
        sum += to_float(x[c]);
    }
    const float mean = block_sum(sum, scratch) / size;
    float squares = 0;
    for (int c = threadIdx.x; c < size; c += blockDim.x) {
        const float difference = to_float(x[c]) - mean;
        squares += difference * difference;
    }
    const float scale = rsqrtf(block_sum(squares, scratch) / size + epsilon);
    for (int c = threadIdx.x; c < size; c += blockDim.x) {
        const float value = (to_float(x[c]) - mean) * scale * weight[c];
        y[c] = from_float<T>(bias == nullptr ? value : value + bias[c]);
    }
}

#define DEFINE(NAME, T)                                                                                                 \
    extern "C" __global__ void rms_norm_##NAME(                                                                         \
        T* out, int outStride, const T* in, int inStride, const float* weight, int size, float epsilon, float offset) { \
        rms_norm<T>(out, outStride, in, inStride, weight, size, epsilon, offset);                                       \
    }                                                                                                                   \
    extern "C" __global__ void layer_norm_##NAME(                                                                       \
        T* out,                                                                                                         \
        int outStride,                                                                                                  \
        const T* in,                                                                                                    \
        int inStride,                                                                                                   \
        const float* weight,                                                                                            \
        const float* bias,                                                                                              \
        int size,                                                                                                       \
        float epsilon) {                                                                                                \
        layer_norm<T>(out, outStride, in, inStride, weight, bias, size, epsilon);                                       \
    }
FOR_EACH_TYPE(DEFINE)
