// Exchanges of GPUs that read each other's memory. Every rank launches the same kernels, on grids of the same size, in the
// same order; block b of one rank meets block b of the others.
//
//   parts           of each rank, in its own memory
//   signals         of each rank, [BLOCKS][RANKS_MAX]: signals[b][r] is the last exchange that block b of rank r has reached;
//                   rank r alone writes it
//   counters        [BLOCKS], of this rank: exchanges that block b has been through. They only grow, so that a launch that is
//                   recorded once meets its counterparts each time it is submitted
//
// peer_push_sum, for short messages, has none: each rank writes its part into the others' slots, with the number of the
// exchange beside every four bytes, and waits until its own slots have that number. It takes one way instead of three.
//
//   slots           of each rank, [2][RANKS_MAX][LINES]: what rank r has sent in an even or odd exchange
//
// Every thread of a block sends and awaits a line, also beyond the end of the message: so a line always holds the number of
// the exchange before the last, or this one's. That one has been read: its reader has sent the last exchange since.
//
// peer_sum has one meeting, when all parts are there. A part may be written again after the exchange that follows: what other
// ranks read of it, they have read before they come there. peer_gather has a second one, after which nobody reads any more.
//
// peer_push_norm is the same for whole rows, a block for each, twelve bytes beside a number, and goes on with their norm. peer_largest sends one line for
// each row: what is largest of the rank's columns. They have slots of their own: a line is always the same block's, and
// the number it has grows with each exchange of that block.
#include "Elements.cuh"
#include "Largest.cuh"

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
// A line: two words, each with the number of the exchange in its upper half, and moved at once.
__device__ __forceinline__ void send(uint64* line, uint32 low, uint32 high, uint32 turn) {
    const uint64 mark = static_cast<uint64>(turn) << 32;
    asm volatile("st.relaxed.sys.global.v2.u64 [%0], {%1, %2};" ::"l"(line), "l"(mark | low), "l"(mark | high)
                 : "memory");
}
__device__ __forceinline__ ulonglong2 received(const uint64* line) {
    ulonglong2 r;
    asm volatile("ld.relaxed.sys.global.v2.u64 {%0, %1}, [%2];" : "=l"(r.x), "=l"(r.y) : "l"(line) : "memory");
    return r;
}
// The same with twelve bytes and the number once: sixteen bytes are moved at once where they are one number of 128 bits.
__device__ __forceinline__ void send12(uint64* line, const uint32 (&words)[3], uint32 turn) {
    asm volatile(
        "{.reg .b64 low, high; .reg .b128 whole; mov.b64 low, {%1, %2}; mov.b64 high, {%3, %4};"
        " mov.b128 whole, {low, high}; st.relaxed.sys.global.b128 [%0], whole;}" ::"l"(line),
        "r"(words[0]), "r"(words[1]), "r"(words[2]), "r"(turn)
        : "memory");
}
// Returns the number.
__device__ __forceinline__ uint32 received12(const uint64* line, uint32 (&words)[3]) {
    uint32 turn;
    asm volatile(
        "{.reg .b64 low, high; .reg .b128 whole; ld.relaxed.sys.global.b128 whole, [%4]; mov.b128 {low, high}, whole;"
        " mov.b64 {%0, %1}, low; mov.b64 {%2, %3}, high;}"
        : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(turn)
        : "l"(line)
        : "memory");
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

struct Patience {
    uint32 polls = 0;
    uint64 begin = 0;

    __device__ __forceinline__ void tick() {
        if (++polls % 4096 == 0) {
            begin = begin == 0 ? now() : begin;
            if (now() - begin > PATIENCE_NANOS) {
                __trap();
            }
        }
    }
};

// Pointers of all ranks; picked by constants, so that they stay in registers.
template <typename T>
struct Ranked {
    T* of[RANKS_MAX];
};

// Opaque, or the compiler would make the pointers a table in memory.
template <typename T>
__device__ __forceinline__ void pick(T*& chosen, bool whether, T* candidate) {
    asm("{.reg .pred p; setp.ne.s32 p, %2, 0; selp.b64 %0, %1, %0, p;}"
        : "+l"(chosen)
        : "l"(candidate), "r"(static_cast<int>(whether)));
}

// The block of this number of every rank has come here. One thread speaks with one rank.
template <int RANKS>
__device__ __forceinline__ void meet(const Ranked<uint32>& signals, int rank, int ranks, uint32 turn) {
    __syncthreads();
    const int other = threadIdx.x;
    if (other < ranks && other != rank) {
        uint32* theirs = signals.of[0];
        const uint32* own = signals.of[0];
#pragma unroll
        for (int r = 1; r < RANKS; r++) {
            pick(theirs, r == other, signals.of[r]);
            pick(own, r == rank, static_cast<const uint32*>(signals.of[r]));
        }
        tell(theirs + blockIdx.x * RANKS_MAX + rank, turn);
        const uint32* awaited = own + blockIdx.x * RANKS_MAX + other;
        Patience patience;
        while (static_cast<int>(told(awaited) - turn) < 0) {
            patience.tick();
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

constexpr int PUSH_THREADS = 512;
constexpr long LINES = 16384;

// The same sum. A thread has one line: eight bytes of the message. Rows are multiples of eight bytes, at most LINES lines.
template <typename T, int RANKS>
__device__ void peer_push_sum(
    const Ranked<uint64>& slots,
    uint32* counters,
    int rank,
    int ranks,
    const T* part,
    int partStride,
    T* out,
    int outStride,
    int rows,
    int columns,
    int accumulate) {
    constexpr int N = 8 / sizeof(T);
    union Words {
        uint2 bits;
        T values[N];
        __device__ Words() {}
    };
    const int line = blockIdx.x * PUSH_THREADS + threadIdx.x;
    const int inRow = columns / N;
    const int row = line / inRow;
    const int c = line % inRow * N;
    const bool real = row < rows;
    follow();
    const uint32 turn = *const_cast<volatile uint32*>(counters + blockIdx.x) + 1;
    Words own;
    own.bits = make_uint2(0, 0);
    if (real) {
        own.bits = *reinterpret_cast<const uint2*>(part + static_cast<long>(row) * partStride + c);
    }
    const long place = (turn & 1) * RANKS_MAX * LINES * 2 + static_cast<long>(line) * 2;
    const uint64* mine = slots.of[0];
#pragma unroll
    for (int r = 0; r < RANKS; r++) {
        if (r < ranks && r != rank) {
            send(slots.of[r] + place + rank * LINES * 2, own.bits.x, own.bits.y, turn);
        }
        pick(mine, r == rank, static_cast<const uint64*>(slots.of[r]));
    }
    T* to = out + static_cast<long>(row) * outStride + c;
    Words result;
    result.bits = make_uint2(0, 0);
    if (real && accumulate) {
        result.bits = *reinterpret_cast<const uint2*>(to);
    }
    float sums[N] = {};
#pragma unroll
    for (int r = 0; r < RANKS; r++) {
        if (r < ranks) {
            Words other = own;
            if (r != rank) {
                const uint64* from = mine + place + r * LINES * 2;
                Patience patience;
                ulonglong2 words = received(from);
                while (static_cast<uint32>(words.x >> 32) != turn || static_cast<uint32>(words.y >> 32) != turn) {
                    patience.tick();
                    words = received(from);
                }
                other.bits = make_uint2(static_cast<uint32>(words.x), static_cast<uint32>(words.y));
            }
#pragma unroll
            for (int j = 0; j < N; j++) {
                sums[j] += to_float(other.values[j]);
            }
        }
    }
    if (real) {
#pragma unroll
        for (int j = 0; j < N; j++) {
            result.values[j] = from_float<T>(accumulate ? to_float(result.values[j]) + sums[j] : sums[j]);
        }
        *reinterpret_cast<uint2*>(to) = result.bits;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        counters[blockIdx.x] = turn;
    }
}

constexpr int NORM_THREADS = 512;
constexpr int NORM_ROUNDS = 2;
constexpr int NORM_ROWS = 128;
// Of 12 bytes, for one row.
constexpr int NORM_LINES = (NORM_ROUNDS * NORM_THREADS * 16 + 11) / 12;
constexpr int NORM_LINE_ROUNDS = (NORM_LINES + NORM_THREADS - 1) / NORM_THREADS;

// hidden[row] += parts[0][row] + parts[1][row] + ..., as peer_sum; out[row] = hidden[row] / rms * (offset + weight), as rms_norm
// to the bit. A row has at most NORM_ROUNDS * NORM_THREADS pieces of 16 bytes. A thread has a line of every rank, or several;
// the sums go through shared memory, since norms have pieces of another length.
template <typename T, int RANKS>
__device__ void peer_push_norm(
    const Ranked<uint64>& slots,
    uint32* counters,
    int rank,
    int ranks,
    const T* part,
    int partStride,
    T* hidden,
    int hiddenStride,
    T* out,
    int outStride,
    const float* weight,
    int columns,
    float epsilon,
    float offset) {
    constexpr int N = Pack<T>::SIZE;
    constexpr int W = 4 / sizeof(T);
    union Words {
        uint32 bits[3];
        T values[3 * W];
        __device__ Words() {}
    };
    __shared__ float scratch[32];
    __shared__ __align__(16) uint32 sumOfRow[NORM_ROUNDS * NORM_THREADS * 4];
    const long row = blockIdx.x;
    // Weights are nobody's output: they are fetched while the predecessor still runs.
    Pack<float> weights[NORM_ROUNDS][N / 4] = {};
#pragma unroll
    for (int k = 0; k < NORM_ROUNDS; k++) {
        const int c = (k * NORM_THREADS + threadIdx.x) * N;
        for (int i = 0; i < N / 4; i++) {
            if (c < columns) {
                weights[k][i] = load_pack(weight + c + 4 * i);
            }
        }
    }
    follow();
    const uint32 turn = *const_cast<volatile uint32*>(counters + blockIdx.x) + 1;
    const uint64 place = (static_cast<uint64>(turn & 1) * RANKS * NORM_ROWS + row) * NORM_LINES * 2;
    constexpr uint64 RANK = static_cast<uint64>(NORM_ROWS) * NORM_LINES * 2;
    const uint64* mine = slots.of[0];
#pragma unroll
    for (int r = 1; r < RANKS; r++) {
        pick(mine, r == rank, static_cast<const uint64*>(slots.of[r]));
    }
    const int words = columns / W;
    const uint32* ownWords = reinterpret_cast<const uint32*>(part + row * partStride);
    const uint32* hiddenWords = reinterpret_cast<const uint32*>(hidden + row * hiddenStride);
    Words own[NORM_LINE_ROUNDS];
    Words before[NORM_LINE_ROUNDS];
#pragma unroll
    for (int k = 0; k < NORM_LINE_ROUNDS; k++) {
        const int line = k * NORM_THREADS + threadIdx.x;
        if (3 * line < words) {
#pragma unroll
            for (int i = 0; i < 3; i++) {
                own[k].bits[i] = 3 * line + i < words ? ownWords[3 * line + i] : 0;
            }
#pragma unroll
            for (int r = 0; r < RANKS; r++) {
                if (r < ranks && r != rank) {
                    send12(slots.of[r] + rank * RANK + place + line * 2, own[k].bits, turn);
                }
            }
#pragma unroll
            for (int i = 0; i < 3; i++) {
                before[k].bits[i] = 3 * line + i < words ? hiddenWords[3 * line + i] : 0;
            }
        }
    }
#pragma unroll
    for (int k = 0; k < NORM_LINE_ROUNDS; k++) {
        const int line = k * NORM_THREADS + threadIdx.x;
        if (3 * line < words) {
            float sums[3 * W] = {};
#pragma unroll
            for (int r = 0; r < RANKS; r++) {
                if (r < ranks) {
                    Words other = own[k];
                    if (r != rank) {
                        const uint64* from = mine + r * RANK + place + line * 2;
                        Patience patience;
                        while (received12(from, other.bits) != turn) {
                            patience.tick();
                        }
                    }
#pragma unroll
                    for (int j = 0; j < 3 * W; j++) {
                        sums[j] += to_float(other.values[j]);
                    }
                }
            }
#pragma unroll
            for (int j = 0; j < 3 * W; j++) {
                before[k].values[j] = from_float<T>(to_float(before[k].values[j]) + sums[j]);
            }
#pragma unroll
            for (int i = 0; i < 3; i++) {
                if (3 * line + i < words) {
                    sumOfRow[3 * line + i] = before[k].bits[i];
                }
            }
        }
    }
    __syncthreads();
    Pack<T> result[NORM_ROUNDS] = {};
    float squares = 0;
#pragma unroll
    for (int k = 0; k < NORM_ROUNDS; k++) {
        const int c = (k * NORM_THREADS + threadIdx.x) * N;
        if (c < columns) {
            result[k] = load_pack(reinterpret_cast<const T*>(sumOfRow) + c);
#pragma unroll
            for (int j = 0; j < N; j++) {
                squares += to_float(result[k].values[j]) * to_float(result[k].values[j]);
            }
            store_pack(hidden + row * hiddenStride + c, result[k]);
        }
    }
    const float scale = rsqrtf(block_sum(squares, scratch) / columns + epsilon);
#pragma unroll
    for (int k = 0; k < NORM_ROUNDS; k++) {
        const int c = (k * NORM_THREADS + threadIdx.x) * N;
        if (c < columns) {
#pragma unroll
            for (int j = 0; j < N; j++) {
                result[k].values[j] =
                    from_float<T>(to_float(result[k].values[j]) * scale * (offset + weights[k][j / 4].values[j % 4]));
            }
            store_pack(out + row * outStride + c, result[k]);
        }
    }
    if (threadIdx.x == 0) {
        counters[blockIdx.x] = turn;
    }
}

// The largest of each row, of which this rank has `columns` from id `first` on; chosen as in Largest.cu. A block for each row.
template <int RANKS>
__device__ void peer_largest(
    const Ranked<uint64>& slots,
    uint32* counters,
    int rank,
    int ranks,
    const float* logits,
    int stride,
    int columns,
    int first,
    int rowsMax,
    int* chosen) {
    follow();
    Choice best = largest_of(logits + static_cast<long>(blockIdx.x) * stride, columns);
    if (threadIdx.x > 0) {
        return;
    }
    best.id += first;
    const uint32 turn = counters[blockIdx.x] + 1;
    const long place = ((turn & 1) * RANKS * static_cast<long>(rowsMax) + blockIdx.x) * 2;
    const uint64* mine = slots.of[0];
#pragma unroll
    for (int r = 0; r < RANKS; r++) {
        if (r < ranks && r != rank) {
            send(slots.of[r] + place + rank * static_cast<long>(rowsMax) * 2, __float_as_uint(best.value), best.id, turn);
        }
        pick(mine, r == rank, static_cast<const uint64*>(slots.of[r]));
    }
    for (int r = 0; r < ranks; r++) {
        if (r != rank) {
            const uint64* from = mine + place + r * static_cast<long>(rowsMax) * 2;
            Patience patience;
            ulonglong2 words = received(from);
            while (static_cast<uint32>(words.x >> 32) != turn || static_cast<uint32>(words.y >> 32) != turn) {
                patience.tick();
                words = received(from);
            }
            const float value = __uint_as_float(static_cast<uint32>(words.x));
            const int id = static_cast<int>(words.y & 0xffffffffu);
            if (before(value, id, best.value, best.id)) {
                best = {value, id};
            }
        }
    }
    chosen[2 * blockIdx.x] = best.id;
    chosen[2 * blockIdx.x + 1] = __float_as_int(best.value);
    counters[blockIdx.x] = turn;
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
#define DEFINE_PUSH_SUM(NAME, T, RANKS)                                                                                   \
    extern "C" __global__ void __launch_bounds__(512) peer_push_sum_##NAME##_##RANKS(                                     \
        POINTERS(uint64, slot), uint32* counters, int rank, int ranks, const T* part, int partStride, T* out,             \
        int outStride, int rows, int columns, int accumulate) {                                                           \
        const Ranked<uint64> slots = RANKED(uint64, slot);                                                                \
        peer_push_sum<T, RANKS>(                                                                                          \
            slots, counters, rank, ranks, part, partStride, out, outStride, rows, columns, accumulate);                   \
    }
#define DEFINE_PUSH_NORM(NAME, T, RANKS)                                                                                  \
    extern "C" __global__ void __launch_bounds__(512) peer_push_norm_##NAME##_##RANKS(                                    \
        POINTERS(uint64, slot), uint32* counters, int rank, int ranks, const T* part, int partStride, T* hidden,          \
        int hiddenStride, T* out, int outStride, const float* weight, int columns, float epsilon, float offset) {         \
        const Ranked<uint64> slots = RANKED(uint64, slot);                                                                \
        peer_push_norm<T, RANKS>(                                                                                         \
            slots, counters, rank, ranks, part, partStride, hidden, hiddenStride, out, outStride, weight, columns,        \
            epsilon, offset);                                                                                             \
    }
#define DEFINE(NAME, T)          \
    DEFINE_PUSH_NORM(NAME, T, 2) \
    DEFINE_PUSH_NORM(NAME, T, 4) \
    DEFINE_PUSH_NORM(NAME, T, 8) \
    DEFINE_SUM(NAME, T, 2)      \
    DEFINE_SUM(NAME, T, 4)      \
    DEFINE_SUM(NAME, T, 8)      \
    DEFINE_PUSH_SUM(NAME, T, 2) \
    DEFINE_PUSH_SUM(NAME, T, 4) \
    DEFINE_PUSH_SUM(NAME, T, 8)
FOR_EACH_TYPE(DEFINE)

#define DEFINE_LARGEST(RANKS)                                                                                             \
    extern "C" __global__ void __launch_bounds__(1024) peer_largest_##RANKS(                                              \
        POINTERS(uint64, slot), uint32* counters, int rank, int ranks, const float* logits, int stride, int columns,      \
        int first, int rowsMax, int* chosen) {                                                                            \
        const Ranked<uint64> slots = RANKED(uint64, slot);                                                                \
        peer_largest<RANKS>(slots, counters, rank, ranks, logits, stride, columns, first, rowsMax, chosen);               \
    }
DEFINE_LARGEST(2)
DEFINE_LARGEST(4)
DEFINE_LARGEST(8)

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
