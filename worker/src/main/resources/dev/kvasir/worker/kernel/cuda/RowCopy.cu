// Rows picked out of a table or matrix. One thread block per output row.
#include "Elements.cuh"

// out[row][column] = table[ids[row]][column] * scale; table is [tableRows, columns], dense. An id of -1 - r stands for the
// first of the r-th pair of choices, which the step before made; where that is no row, for row 0.
template <typename T>
__device__ void embed(
    T* out, int outStride, const T* table, const int* ids, const int* choices, int tableRows, int columns, float scale) {
    follow();
    int id = ids[blockIdx.x];
    id = id < 0 ? choices[2 * (-1 - id)] : id;
    id = id < 0 || id >= tableRows ? 0 : id;
    const T* from = table + static_cast<long>(id) * columns;
    T* to = out + static_cast<long>(blockIdx.x) * outStride;
    constexpr int N = Pack<T>::SIZE;
    if (packs(from, 0, columns) && packs(to, 0, columns)) {
        for (int c = threadIdx.x * N; c < columns; c += blockDim.x * N) {
            Pack<T> pack = load_pack(from + c);
            for (int i = 0; i < N; i++) {
                pack.values[i] = from_float<T>(to_float(pack.values[i]) * scale);
            }
            store_pack(to + c, pack);
        }
        return;
    }
    for (int c = threadIdx.x; c < columns; c += blockDim.x) {
        to[c] = from_float<T>(to_float(from[c]) * scale);
    }
}

// out[row][column] += table[positions[row] + offset][column].
template <typename T>
__device__ void add_positions(T* out, int outStride, const T* table, const int* positions, int offset, int columns) {
    follow();
    const T* from = table + static_cast<long>(positions[blockIdx.x] + offset) * columns;
    T* to = out + static_cast<long>(blockIdx.x) * outStride;
    for (int c = threadIdx.x; c < columns; c += blockDim.x) {
        to[c] = from_float<T>(to_float(to[c]) + to_float(from[c]));
    }
}

// out[row] = in[indices[row]].
template <typename T>
__device__ void gather(T* out, int outStride, const T* in, int inStride, const int* indices, int columns) {
    follow();
    const T* from = in + static_cast<long>(indices[blockIdx.x]) * inStride;
    T* to = out + static_cast<long>(blockIdx.x) * outStride;
    constexpr int N = Pack<T>::SIZE;
    if (packs(from, 0, columns) && packs(to, 0, columns)) {
        for (int c = threadIdx.x * N; c < columns; c += blockDim.x * N) {
            store_pack(to + c, load_pack(from + c));
        }
        return;
    }
    for (int c = threadIdx.x; c < columns; c += blockDim.x) {
        to[c] = from[c];
    }
}

#define DEFINE(NAME, T)                                                                                             \
    extern "C" __global__ void embed_##NAME(                                                                        \
        T* out,                                                                                                     \
        int outStride,                                                                                              \
        const T* table,                                                                                             \
        const int* ids,                                                                                             \
        const int* choices,                                                                                         \
        int tableRows,                                                                                              \
        int columns,                                                                                                \
        float scale) {                                                                                              \
        embed<T>(out, outStride, table, ids, choices, tableRows, columns, scale);                                   \
    }                                                                                                               \
    extern "C" __global__ void add_positions_##NAME(                                                                \
        T* out, int outStride, const T* table, const int* positions, int offset, int columns) {                     \
        add_positions<T>(out, outStride, table, positions, offset, columns);                                        \
    }                                                                                                               \
    extern "C" __global__ void gather_##NAME(                                                                       \
        T* out, int outStride, const T* in, int inStride, const int* indices, int columns) {                        \
        gather<T>(out, outStride, in, inStride, indices, columns);                                                  \
    }
FOR_EACH_TYPE(DEFINE)
