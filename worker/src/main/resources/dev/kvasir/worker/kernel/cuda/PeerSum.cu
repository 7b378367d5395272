// Exchanges of GPUs that read each other's memory. Every rank launches the same kernels, on grids of the same size, in the
// same order; block b of one rank meets block b of the others.
//
//   parts           of each rank, in its own memory
//   signals         of each rank, [BLOCKS][RANKS_MAX]: signals[b][r] is the last exchange that block b of rank r has reached;
//                   rank r alone writes it
//   counters        [BLOCKS], of this rank: exchanges that block b has been through. They only grow, so that a launch that is
//                   recorded once meets its counterparts each time it is submitted
//
// peer_sum has one meeting, when all parts are there. A part may be written again after the exchange that follows: what other
// ranks read of it, they have read before they come there. peer_gather has a second one, after which nobody reads any more.
#include "Elements.cuh"

typedef unsigned uint32;
typedef unsigned long long uint64;

constexpr int RANKS_MAX = 8;

// Waiting longer than this means that another rank has failed: this one fails, too, rather than hang.
constexpr uint64 PATIENCE_NANOS = 60ull * 1000 * 1000 * 1000;

__device__ __forceinline__ uint64 now() {
    uint64 nanos;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(nanos));
    return nanos;
}
// All that this block has seen is seen by whoever sees the signal.
__device__ __forceinline__ void tell(uint32* signal, uint32 turn) {
    asm volatile("st.release.sys.global.u32 [%0], %1;" ::"l"(signal), "r"(turn) : "memory");
}
__device__ __forceinline__ uint32 told(const uint32* signal) {
    uint32 turn;
    asm volatile("ld.acquire.sys.global.u32 %0, [%1];" : "=r"(turn) : "l"(signal) : "memory");
    return turn;
}
__device__ __forceinline__ uint4 load16(const void* from) {
    uint4 r;
    asm volatile("ld.relaxed.sys.global.v4.u32 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w)
                 : "l"(from)
                 : "memory");
    return r;
}

// Pointers of all ranks; picked by constants, so that they stay in registers.
template <typename T>
struct Ranked {
    T* of[RANKS_MAX];
};

// The block of this number of every rank has come here. One thread speaks with one rank.
template <int RANKS>
__device__ __forceinline__ void meet(const Ranked<uint32>& signals, int rank, int ranks, uint32 turn) {
    __syncthreads();
    const int other = threadIdx.x;
    if (other < ranks && other != rank) {
        uint32* theirs = nullptr;
        const uint32* own = nullptr;
#pragma unroll
        for (int r = 0; r < RANKS; r++) {
            theirs = r == other ? signals.of[r] : theirs;
            own = r == rank ? signals.of[r] : own;
        }
        tell(theirs + blockIdx.x * RANKS_MAX + rank, turn);
        const uint32* awaited = own + blockIdx.x * RANKS_MAX + other;
        uint64 begin = 0;
        for (uint32 polls = 1; static_cast<int>(told(awaited) - turn) < 0; polls++) {
            if (polls % 4096 == 0) {
                begin = begin == 0 ? now() : begin;
                if (now() - begin > PATIENCE_NANOS) {
                    __trap();
                }
            }
        }
    }
    __syncthreads();
}

template <typename T>
union Bits {
    uint4 bits;
    T values[16 / sizeof(T)];
    __device__ Bits() {}
};

// out[row] = (accumulate ? out[row] : 0) + parts[0][row] + parts[1][row] + ..., in this order, rounded once. Parts are dense
// or have rows `partStride` apart.
template <typename T, int RANKS>
__device__ void peer_sum(
    const Ranked<const T>& parts,
    const Ranked<uint32>& signals,
    uint32* counters,
    int rank,
    int ranks,
    T* out,
    int outStride,
    int partStride,
    int rows,
    int columns,
    int accumulate) {
    constexpr int N = 16 / sizeof(T);
    follow();
    const uint32 turn = *const_cast<volatile uint32*>(counters + blockIdx.x) + 1;
    meet<RANKS>(signals, rank, ranks, turn);
    if (threadIdx.x == 0) {
        counters[blockIdx.x] = turn;
    }
    const long first = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x;
    const long step = static_cast<long>(gridDim.x) * blockDim.x;
    bool packed = packs(out, outStride, columns) && partStride % N == 0;
#pragma unroll
    for (int r = 0; r < RANKS; r++) {
        packed = packed && (r >= ranks || reinterpret_cast<uint64>(parts.of[r]) % 16 == 0);
    }
    if (packed) {
        const int inRow = columns / N;
        for (long i = first; i < static_cast<long>(rows) * inRow; i += step) {
            const int row = static_cast<int>(i / inRow);
            const int c = static_cast<int>(i % inRow) * N;
            Bits<T> read[RANKS];
#pragma unroll
            for (int r = 0; r < RANKS; r++) {
                if (r < ranks) {
                    read[r].bits = load16(parts.of[r] + static_cast<long>(row) * partStride + c);
                }
            }
            T* to = out + static_cast<long>(row) * outStride + c;
            Pack<T> result = {};
            if (accumulate) {
                result = load_pack(to);
            }
#pragma unroll
            for (int j = 0; j < N; j++) {
                float sum = 0;
#pragma unroll
                for (int r = 0; r < RANKS; r++) {
                    sum += r < ranks ? to_float(read[r].values[j]) : 0.0f;
                }
                result.values[j] = from_float<T>(accumulate ? to_float(result.values[j]) + sum : sum);
            }
            store_pack(to, result);
        }
        return;
    }
    for (long i = first; i < static_cast<long>(rows) * columns; i += step) {
        const int row = static_cast<int>(i / columns);
        const int c = static_cast<int>(i % columns);
        float sum = 0;
#pragma unroll
        for (int r = 0; r < RANKS; r++) {
            if (r < ranks) {
                const volatile T* from = parts.of[r] + static_cast<long>(row) * partStride + c;
                T value;
                if constexpr (sizeof(T) == 4) {
                    value = *from;
                } else {
                    value.bits = from->bits;
                }
                sum += to_float(value);
            }
        }
        T* to = out + static_cast<long>(row) * outStride + c;
        *to = from_float<T>(accumulate ? to_float(*to) + sum : sum);
    }
}

// out[row] = parts[0][row], parts[1][row], ... side by side; each has `stretch` columns, the last what is left of `columns`.
template <int RANKS>
__device__ void peer_gather(
    const Ranked<const float>& parts,
    const Ranked<uint32>& signals,
    uint32* counters,
    int rank,
    int ranks,
    float* out,
    int outStride,
    int rows,
    int stretch,
    int columns) {
    follow();
    const uint32 turn = *const_cast<volatile uint32*>(counters + blockIdx.x) + 1;
    meet<RANKS>(signals, rank, ranks, turn);
    const int inRow = (stretch + 3) / 4;
    const long first = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x;
    const long step = static_cast<long>(gridDim.x) * blockDim.x;
    const bool packed = packs(out, outStride, stretch);
    for (long i = first; i < static_cast<long>(rows) * inRow; i += step) {
        const int row = static_cast<int>(i / inRow);
        const int c = static_cast<int>(i % inRow) * 4;
#pragma unroll
        for (int r = 0; r < RANKS; r++) {
            if (r < ranks) {
                const int count = r + 1 < ranks ? stretch : columns - r * stretch;
                const float* from = parts.of[r] + static_cast<long>(row) * stretch + c;
                float* to = out + static_cast<long>(row) * outStride + static_cast<long>(r) * stretch + c;
                if (packed && c + 4 <= count) {
                    Bits<float> read;
                    read.bits = load16(from);
                    Pack<float> pack;
                    for (int j = 0; j < 4; j++) {
                        pack.values[j] = read.values[j];
                    }
                    store_pack(to, pack);
                } else {
                    for (int j = 0; j < 4 && c + j < count; j++) {
                        to[j] = *const_cast<const volatile float*>(from + j);
                    }
                }
            }
        }
    }
    meet<RANKS>(signals, rank, ranks, turn + 1);
    if (threadIdx.x == 0) {
        counters[blockIdx.x] = turn + 1;
    }
}

#define POINTERS(T, NAME) \
    T *NAME##0, T *NAME##1, T *NAME##2, T *NAME##3, T *NAME##4, T *NAME##5, T *NAME##6, T *NAME##7
#define RANKED(T, NAME) \
    { { NAME##0, NAME##1, NAME##2, NAME##3, NAME##4, NAME##5, NAME##6, NAME##7 } }

#define DEFINE_SUM(NAME, T, RANKS)                                                                                        \
    extern "C" __global__ void __launch_bounds__(512) peer_sum_##NAME##_##RANKS(                                          \
        POINTERS(const T, part), POINTERS(uint32, signal), uint32* counters, int rank, int ranks, T* out, int outStride,  \
        int partStride, int rows, int columns, int accumulate) {                                                          \
        const Ranked<const T> parts = RANKED(const T, part);                                                              \
        const Ranked<uint32> signals = RANKED(uint32, signal);                                                            \
        peer_sum<T, RANKS>(                                                                                               \
            parts, signals, counters, rank, ranks, out, outStride, partStride, rows, columns, accumulate);                \
    }
#define DEFINE(NAME, T)    \
    DEFINE_SUM(NAME, T, 2) \
    DEFINE_SUM(NAME, T, 4) \
    DEFINE_SUM(NAME, T, 8)
FOR_EACH_TYPE(DEFINE)

#define DEFINE_GATHER(RANKS)                                                                                              \
    extern "C" __global__ void __launch_bounds__(512) peer_gather_##RANKS(                                                \
        POINTERS(const float, part), POINTERS(uint32, signal), uint32* counters, int rank, int ranks, float* out,         \
        int outStride, int rows, int stretch, int columns) {                                                              \
        const Ranked<const float> parts = RANKED(const float, part);                                                      \
        const Ranked<uint32> signals = RANKED(uint32, signal);                                                            \
        peer_gather<RANKS>(parts, signals, counters, rank, ranks, out, outStride, rows, stretch, columns);                \
    }
DEFINE_GATHER(2)
DEFINE_GATHER(4)
DEFINE_GATHER(8)
