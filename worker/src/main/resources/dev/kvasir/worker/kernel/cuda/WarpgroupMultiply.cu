// Matrix products of some rows (17 to 256), bound by reading the weight once: out[rows, n] = in[rows, k] . weight[n, k]^T,
// with Hopper's warpgroup products and tensor copies. For targets but sm_90a this file has no kernels.
//
//   warpgroup_multiply_TYPE_ROWS[_f32 | _gated]: at most ROWS rows (64, 128, 192 or 256). Arguments in order:
//   weightMap       tensor map of weight[n, k]: boxes of 128 rows of 64 elements in the 128-byte swizzle; _gated has 2 * n
//                   rows, gates first, out = activation(gate) * up, and boxes of eight gates, their eight ups, and so on
//   inMap           tensor map of in[rows, k]: boxes of ROWS rows, likewise
//   out             [rows, outStride], TYPE (begins at 16 bytes; n and outStride are multiples of 8) or float (_f32)
//   bias            [n] or null; null for _gated
//   partials        float[blocks, ROWS * 128]
//   arrivals        int[blocks, 2]: zeros, which they are again afterwards
//   outStride, rows, n, k   int
//   accumulate      int: whether the product is added to what `out` holds; 0 for _gated
//   activation      int, of _gated: Activation.cuh
//
// The weight's rows are the rows of the tensor cores' products, the input's rows their columns. Tiles of 128 weight rows times
// all of k make one long line of steps of 64, which is cut into as many equal pieces as there are blocks ("stream-K",
// arXiv:2301.03598): every multiprocessor reads its share of the weight without pause, whatever n is. A tile that is cut is
// finished by the block that has its beginning: the others leave their sums in `partials` and say so in `arrivals`. Where each
// block has one of two or four parts of a tile, and rows are many, each finishes some of the rows. Either way parts are added
// in the order of k: results do not vary, and a row's depend on no other row. All blocks must be there at once.
//
// The first weights are asked for before the predecessor of the stream has ended (they are nobody's output).
//
//   grid: at most as many blocks as multiprocessors, and as steps of all tiles   block: 384 threads, the last 128 fetch
//   shared memory: 1024 + STAGES * (128 + ROWS) * 128 bytes, as many STAGES as 227 KiB less 6 hold
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#include "Activation.cuh"
#include "Warpgroup.cuh"

namespace {
constexpr int WARPGROUPS = 2;
constexpr int THREADS = (WARPGROUPS + 1) * 128;
constexpr int TILE = 128;
constexpr int STEP = 64;
constexpr int SHARED_MAX = 221 * 1024;

struct alignas(64) TensorMap {
    u64 words[16];
};

struct Request {
    void* out;
    const u16* bias;
    float* partials;
    int* arrivals;
    int outStride, rows, n, k, accumulate, activation;
};

template <int ROWS>
struct Shape {
    static constexpr u32 WEIGHT_BYTES = TILE * STEP * 2;
    static constexpr u32 STAGE = WEIGHT_BYTES + ROWS * STEP * 2;
    static constexpr int STAGES = (SHARED_MAX - 1024) / STAGE;
    // Of a thread, for 64 weight rows of a tile.
    static constexpr int SUMS = ROWS / 2;
};

// Columns of out that a tile makes.
template <bool GATED>
constexpr int COLUMNS = GATED ? TILE / 2 : TILE;

// Whether blocks that have one of two or four parts of one tile each finish it together: where there is much to hand over.
template <int ROWS, bool GATED, class Out>
constexpr bool TOGETHER = ROWS > 64 && !GATED && sizeof(Out) == 2;

// The line of steps and its pieces: a block has steps [begin(block), begin(block + 1)).
struct Line {
    int stepsPerTile;
    u64 steps;

    INLINE Line(const Request& r, int columns) {
        stepsPerTile = (r.k + STEP - 1) / STEP;
        steps = (u64)((r.n + columns - 1) / columns) * stepsPerTile;
    }
    INLINE int begin(int block) const { return (int)(steps * block / gridDim.x); }
};

INLINE void expectBytes(u32 barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
INLINE void copyBox(u32 to, const TensorMap& map, int column, int row, u32 barrier, u64 policy) {
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint"
        " [%0], [%1, {%2, %3}], [%4], %5;"
        ::"r"(to), "l"(&map), "r"(column), "r"(row), "r"(barrier), "l"(policy) : "memory");
}
// A box of eight rows, eight of the other half, the next eight, and so on.
INLINE void copyGatedBox(u32 to, const TensorMap& map, int column, int rowOfEight, u32 barrier, u64 policy) {
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint"
        " [%0], [%1, {%2, 0, 0, %3}], [%4], %5;"
        ::"r"(to), "l"(&map), "r"(column), "r"(rowOfEight), "r"(barrier), "l"(policy) : "memory");
}
// Of the second-level cache: weights pass once, the input is read by every block.
INLINE u64 passing() {
    u64 policy;
    asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
    return policy;
}
INLINE u64 staying() {
    u64 policy;
    asm volatile("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy));
    return policy;
}
INLINE void storeMatricesTransposed(u32 address, const u32 (&r)[4]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1,%2,%3,%4};"
                 ::"r"(address), "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]) : "memory");
}
INLINE void syncWarpgroup() { asm volatile("bar.sync %0, 128;" ::"r"((threadIdx.x >> 7) + 1) : "memory"); }

// One thread fetches for all others, as many steps ahead as there are stages.
template <int ROWS, bool GATED>
INLINE void fetch(const Request& r, const TensorMap& weightMap, const TensorMap& inMap, u32 stages, u32 full, u32 empty) {
    using S = Shape<ROWS>;
    const u64 once = passing(), often = staying();
    const Line line(r, COLUMNS<GATED>);
    const int begin = line.begin(blockIdx.x), end = line.begin(blockIdx.x + 1), ahead = min(end, begin + S::STAGES);
    auto fetchWeight = [&](int at, int stage) {
        const int tile = at / line.stepsPerTile, step = at - tile * line.stepsPerTile;
        expectBytes(full + stage * 8, S::STAGE);
        const u32 to = stages + stage * S::STAGE;
        if (GATED) copyGatedBox(to, weightMap, step * STEP, tile * (TILE / 16), full + stage * 8, once);
        else copyBox(to, weightMap, step * STEP, tile * TILE, full + stage * 8, once);
    };
    auto fetchInput = [&](int at, int stage) {
        const int step = at % line.stepsPerTile;
        copyBox(stages + stage * S::STAGE + S::WEIGHT_BYTES, inMap, step * STEP, 0, full + stage * 8, often);
    };
    for (int at = begin; at < ahead; at++) fetchWeight(at, at - begin);
    awaitPredecessor();
    for (int at = begin; at < ahead; at++) fetchInput(at, at - begin);
    Ring<S::STAGES> turn;
    for (int at = ahead; at < end; at++, turn.next()) {
        barrierWait(empty + turn.stage * 8, turn.phase);
        fetchWeight(at, turn.stage);
        fetchInput(at, turn.stage);
    }
}

// What a block has left of a tile, [SUMS / 4, 128 threads, 4 floats] for each warpgroup.
template <int ROWS>
INLINE float* partialOf(const Request& r, int block) {
    const int warpgroup = threadIdx.x >> 7, thread = threadIdx.x & 127;
    return r.partials + ((long long)(block * WARPGROUPS + warpgroup) * Shape<ROWS>::SUMS * 128 + thread * 4);
}

template <int ROWS>
INLINE void leave(const Request& r, const float (&sum)[ROWS / 2]) {
    float* to = partialOf<ROWS>(r, blockIdx.x);
    #pragma unroll
    for (int i = 0; i < ROWS / 2; i += 4) {
        __stcg((float4*)(to + i * 128), make_float4(sum[i], sum[i + 1], sum[i + 2], sum[i + 3]));
    }
    syncWarpgroup();
    if ((threadIdx.x & 127) == 0) {
        asm volatile("fence.acq_rel.gpu;\nst.relaxed.gpu.global.s32 [%0], 1;"
                     ::"l"(r.arrivals + blockIdx.x * WARPGROUPS + (threadIdx.x >> 7)) : "memory");
    }
}

// Adds what the `count` blocks after this one have left, in their order. Several at a time are under way.
template <int ROWS>
INLINE void addOthers(const Request& r, float (&sum)[ROWS / 2], int count) {
    constexpr int CHUNK = ROWS > 128 ? ROWS / 4 : ROWS / 2, TOGETHER = ROWS > 128 ? 1 : 128 / CHUNK;
    const int first = blockIdx.x + 1;
    for (int i = threadIdx.x & 127; i < count; i += 128) {
        int* arrival = r.arrivals + (first + i) * WARPGROUPS + (threadIdx.x >> 7);
        int there;
        do {
            asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(there) : "l"(arrival) : "memory");
        } while (there == 0);
        *arrival = 0;
    }
    syncWarpgroup();
    for (int b = 0; b < count; b += TOGETHER) {
        #pragma unroll
        for (int begin = 0; begin < ROWS / 2; begin += CHUNK) {
            float4 y[TOGETHER][CHUNK / 4];
            #pragma unroll
            for (int o = 0; o < TOGETHER; o++) {
                const float* from = partialOf<ROWS>(r, first + b + o) + begin * 128;
                #pragma unroll
                for (int i = 0; i < CHUNK / 4; i++) {
                    y[o][i] = b + o < count ? __ldcg((const float4*)(from + i * 512)) : make_float4(0, 0, 0, 0);
                }
            }
            #pragma unroll
            for (int o = 0; o < TOGETHER; o++) {
                #pragma unroll
                for (int i = 0; i < CHUNK / 4; i++) {
                    sum[begin + i * 4] += y[o][i].x;
                    sum[begin + i * 4 + 1] += y[o][i].y;
                    sum[begin + i * 4 + 2] += y[o][i].z;
                    sum[begin + i * 4 + 3] += y[o][i].w;
                }
            }
        }
    }
}

// Of a tile whose parts PARTS blocks side by side have, each finishes some rows: it leaves the others' sums of those, and adds
// what they have left of its own, in the order of k.
template <int ROWS, int PARTS>
INLINE void exchange(const Request& r, const float (&sum)[ROWS / 2], float (&own)[ROWS / 2 / PARTS], int part) {
    constexpr int OWN = ROWS / 2 / PARTS;
    const int first = blockIdx.x - part, warpgroup = threadIdx.x >> 7, thread = threadIdx.x & 127;
    float* to = partialOf<ROWS>(r, blockIdx.x);
    #pragma unroll
    for (int p = 0; p < PARTS; p++) {
        #pragma unroll
        for (int i = p * OWN; i < (p + 1) * OWN; i += 4) {
            if (p != part) __stcg((float4*)(to + i * 128), make_float4(sum[i], sum[i + 1], sum[i + 2], sum[i + 3]));
        }
    }
    syncWarpgroup();
    if (thread < PARTS && thread != part) {
        asm volatile("fence.acq_rel.gpu;\nred.relaxed.gpu.global.add.s32 [%0], 1;"
                     ::"l"(r.arrivals + (first + thread) * WARPGROUPS + warpgroup) : "memory");
    }
    if (thread == 0) {
        int* arrived = r.arrivals + blockIdx.x * WARPGROUPS + warpgroup;
        int there;
        do {
            asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(there) : "l"(arrived) : "memory");
        } while (there < PARTS - 1);
        *arrived = 0;
    }
    syncWarpgroup();
    float4 y[PARTS][OWN / 4];
    #pragma unroll
    for (int p = 0; p < PARTS; p++) {
        const float* from = partialOf<ROWS>(r, first + p) + part * (OWN * 128);
        #pragma unroll
        for (int i = 0; i < OWN / 4; i++) {
            const float* mine = sum + p * OWN + i * 4;
            y[p][i] = make_float4(mine[0], mine[1], mine[2], mine[3]);
            if (p != part) y[p][i] = __ldcg((const float4*)(from + i * 512));
        }
    }
    #pragma unroll
    for (int i = 0; i < OWN / 4; i++) {
        float4 x = y[0][i];
        #pragma unroll
        for (int p = 1; p < PARTS; p++) {
            x.x += y[p][i].x;
            x.y += y[p][i].y;
            x.z += y[p][i].z;
            x.w += y[p][i].w;
        }
        own[i * 4] = x.x;
        own[i * 4 + 1] = x.y;
        own[i * 4 + 2] = x.z;
        own[i * 4 + 3] = x.w;
    }
}

// A warp writes its 16 columns of out, 16 rows at a time, which pass through 512 bytes of shared memory: 32 bytes of a row,
// whose halves are swapped in every other four rows for the banks' sake.
template <class T, int ROWS>
INLINE void store(const Request& r, u16* out, float (&sum)[ROWS / 2], int tile, u32 passage) {
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int first = tile * TILE + warp * 16, column = first + (lane & 1) * 8;
    const u32 own = passage + warp * 512;
    const u32 rowAddress = own + lane * 16 ^ (lane >> 3 & 1) << 4;
    // Of matrix lane / 8, by columns: rows 0 to 7 and 8 to 15 of the first eight columns' matrices come at 0 and 2.
    const int matrixRow = (lane >> 4) * 8 + (lane & 7);
    const u32 matrixAddress = own + matrixRow * 32 + (((lane >> 3 & 1) ^ (matrixRow >> 2 & 1)) << 4);
    float bias[2];
    #pragma unroll
    for (int h = 0; h < 2; h++) {
        const int at = first + h * 8 + lane / 4;
        bias[h] = r.bias && at < r.n ? T::low(r.bias[at]) : 0.0f;
    }
    u16* to = out + (long long)(lane / 2) * r.outStride + column;
    uint4 old[ROWS / 16];
    #pragma unroll
    for (int b = 0; b < ROWS / 16; b++) {
        const bool read = r.accumulate && b * 16 + lane / 2 < r.rows && column < r.n;
        old[b] = read ? *(const uint4*)(to + (long long)b * 16 * r.outStride) : make_uint4(0, 0, 0, 0);
    }
    #pragma unroll
    for (int b = 0; b < ROWS / 16; b++) {
        float* x = sum + b * 8;  // two matrices of eight rows: [2][columns lane / 4 and + 8][rows (lane & 3) * 2 and + 1]
        u32 pairs[4] = {0, 0, 0, 0};
        if (r.accumulate) {
            asm volatile("st.shared.v4.u32 [%0], {%1,%2,%3,%4};"
                         ::"r"(rowAddress), "r"(old[b].x), "r"(old[b].y), "r"(old[b].z), "r"(old[b].w) : "memory");
            __syncwarp();
            loadMatricesTransposed(pairs, matrixAddress);
            __syncwarp();
        }
        #pragma unroll
        for (int i = 0; i < 4; i++) {
            pairs[i] = T::pack(x[i * 2] + bias[i & 1] + T::low(pairs[i]), x[i * 2 + 1] + bias[i & 1] + T::high(pairs[i]));
        }
        storeMatricesTransposed(matrixAddress, pairs);
        __syncwarp();
        uint4 y;
        asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
                     : "=r"(y.x), "=r"(y.y), "=r"(y.z), "=r"(y.w) : "r"(rowAddress) : "memory");
        __syncwarp();
        if (b * 16 + lane / 2 < r.rows && column < r.n) *(uint4*)(to + (long long)b * 16 * r.outStride) = y;
    }
}

// Of eight gates and their ups a warp makes 8 columns of out, 32 rows at a time.
template <class T, int ROWS, class F>
INLINE void storeGated(const Request& r, u16* out, const float (&sum)[ROWS / 2], int tile, u32 passage, F activated) {
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int column = tile * COLUMNS<true> + warp * 8;
    const u32 address = passage + warp * 512 + lane * 16;
    #pragma unroll
    for (int b = 0; b < ROWS / 32; b++) {
        u32 pairs[4];
        #pragma unroll
        for (int i = 0; i < 4; i++) {
            const float* x = sum + (b * 4 + i) * 4;
            pairs[i] = T::pack(activated(x[0]) * x[2], activated(x[1]) * x[3]);
        }
        storeMatricesTransposed(address, pairs);
        __syncwarp();
        uint4 y;
        asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
                     : "=r"(y.x), "=r"(y.y), "=r"(y.z), "=r"(y.w) : "r"(address) : "memory");
        __syncwarp();
        const int row = b * 32 + lane;
        if (row < r.rows && column < r.n) *(uint4*)(out + (long long)row * r.outStride + column) = y;
    }
}

// The usual activation apart, so that the others' code is not passed for each element.
template <class T, int ROWS>
INLINE void storeGated(const Request& r, u16* out, const float (&sum)[ROWS / 2], int tile, u32 passage) {
    if (r.activation == 0) {
        auto silu = [](float x) { return x * reciprocalFast(1.0f + exp2Fast(x * -1.4426950408889634f)); };
        storeGated<T, ROWS>(r, out, sum, tile, passage, silu);
    } else {
        auto other = [&](float x) { return activate(x, r.activation); };
        storeGated<T, ROWS>(r, out, sum, tile, passage, other);
    }
}

template <class T, int ROWS>
INLINE void store(const Request& r, float* out, float (&sum)[ROWS / 2], int tile, u32) {
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    #pragma unroll
    for (int h = 0; h < 2; h++) {
        const int column = tile * TILE + warp * 16 + h * 8 + lane / 4;
        const float bias = r.bias && column < r.n ? T::low(r.bias[column]) : 0.0f;
        #pragma unroll
        for (int i = 0; i < ROWS / 4; i++) {
            const int row = (i / 2) * 8 + (lane & 3) * 2 + (i & 1);
            if (row >= r.rows || column >= r.n) continue;
            float* to = out + (long long)row * r.outStride + column;
            const float y = sum[(i / 2) * 4 + h * 2 + (i & 1)] + bias;
            *to = r.accumulate ? *to + y : y;
        }
    }
}

template <class T, class Out, int ROWS, int PARTS>
INLINE void finishTogether(const Request& r, float (&sum)[ROWS / 2], int tile, int part, u32 passage) {
    constexpr int EACH = ROWS / PARTS;
    float own[EACH / 2];
    exchange<ROWS, PARTS>(r, sum, own, part);
    Request some = r;
    some.rows -= part * EACH;
    store<T, EACH>(some, (Out*)r.out + (long long)part * EACH * r.outStride, own, tile, passage);
}

template <class T, class Out, int ROWS, bool GATED>
INLINE void compute(const Request& r, u32 stages, u32 full, u32 empty, u32 passage) {
    using S = Shape<ROWS>;
    const int warpgroup = __shfl_sync(~0u, threadIdx.x >> 7, 0);  // known to be uniform
    const Line line(r, COLUMNS<GATED>);
    const int end = line.begin(blockIdx.x + 1);
    Ring<S::STAGES> turn;
    float sum[S::SUMS];
    auto release = [&](int stage) {
        if ((threadIdx.x & 127) == 0) barrierArrive(empty + stage * 8);
    };
    for (int at = line.begin(blockIdx.x); at < end;) {
        const int tile = at / line.stepsPerTile, first = at - tile * line.stepsPerTile;
        const int count = min(line.stepsPerTile - first, end - at);
        int before = 0;
        for (int s = 0; s < count; s++, turn.next()) {
            barrierWait(full + turn.stage * 8, turn.phase);
            const u32 stage = stages + turn.stage * S::STAGE;
            const u64 weight = matrix(stage + warpgroup * 64 * STEP * 2, 0), in = matrix(stage + S::WEIGHT_BYTES, 0);
            fenceProducts();
            #pragma unroll
            for (int k = 0; k < STEP / 16; k++) {
                multiply(T(), sum, weight + (k * 32 >> 4), in + (k * 32 >> 4), s + k > 0);
            }
            commitProducts();
            waitProducts<1>();
            if (s > 0) release(before);
            before = turn.stage;
        }
        waitProducts<0>();
        release(before);
        at += count;
        if constexpr (TOGETHER<ROWS, GATED, Out>) {
            const u64 pieces = (u64)gridDim.x * line.stepsPerTile;
            const int parts = (int)(pieces / line.steps);
            if (parts * line.steps == pieces) {
                if (parts == 2) {
                    finishTogether<T, Out, ROWS, 2>(r, sum, tile, blockIdx.x % 2, passage);
                    return;
                }
                if (parts == 4) {
                    finishTogether<T, Out, ROWS, 4>(r, sum, tile, blockIdx.x % 4, passage);
                    return;
                }
            }
        }
        if (first > 0) {
            leave<ROWS>(r, sum);
            continue;
        }
        int others = 0;
        while (line.begin(blockIdx.x + 1 + others) < (tile + 1) * line.stepsPerTile) others++;
        if (others > 0) addOthers<ROWS>(r, sum, others);
        if constexpr (GATED) storeGated<T, ROWS>(r, (Out*)r.out, sum, tile, passage);
        else store<T, ROWS>(r, (Out*)r.out, sum, tile, passage);
    }
}

template <class T, class Out, int ROWS, bool GATED>
INLINE void multiplyAll(const Request& r, const TensorMap& weightMap, const TensorMap& inMap) {
    using S = Shape<ROWS>;
    extern __shared__ unsigned char shared[];
    __shared__ __align__(128) unsigned char passageMemory[WARPGROUPS * 4 * 512];
    __shared__ __align__(8) u64 barriers[2 * S::STAGES];
    const u32 stages = (sharedAddress(shared) + 1023) & ~1023u;
    const u32 full = sharedAddress(barriers), empty = full + S::STAGES * 8;
    if (threadIdx.x == 0) {
        for (int s = 0; s < S::STAGES; s++) {
            barrierInit(full + s * 8, 1);
            barrierInit(empty + s * 8, WARPGROUPS);
        }
        fenceShared();
    }
    __syncthreads();
    allowSuccessor();
    if (__shfl_sync(~0u, threadIdx.x >> 7, 0) == WARPGROUPS) {
        shrinkRegisters<40>();
        if (threadIdx.x == WARPGROUPS * 128) fetch<ROWS, GATED>(r, weightMap, inMap, stages, full, empty);
    } else {
        growRegisters<232>();
        awaitPredecessor();
        compute<T, Out, ROWS, GATED>(r, stages, full, empty, sharedAddress(passageMemory));
    }
}
}  // namespace

#define WARPGROUP_MULTIPLY(NAME, TYPE, OUT, ROWS, GATED)                                                                 \
    extern "C" __global__ void __launch_bounds__(THREADS, 1) NAME(                                                       \
            const __grid_constant__ TensorMap weightMap, const __grid_constant__ TensorMap inMap, OUT* out,              \
            const u16* bias, float* partials, int* arrivals, int outStride, int rows, int n, int k, int accumulate,      \
            int activation) {                                                                                            \
        const Request r{out, bias, partials, arrivals, outStride, rows, n, k, accumulate, activation};                   \
        multiplyAll<TYPE, OUT, ROWS, GATED>(r, weightMap, inMap);                                                        \
    }
#define WARPGROUP_MULTIPLY_ROWS(PREFIX, TYPE, ROWS)                      \
    WARPGROUP_MULTIPLY(PREFIX##_##ROWS, TYPE, u16, ROWS, false)          \
    WARPGROUP_MULTIPLY(PREFIX##_##ROWS##_f32, TYPE, float, ROWS, false)  \
    WARPGROUP_MULTIPLY(PREFIX##_##ROWS##_gated, TYPE, u16, ROWS, true)
#define WARPGROUP_MULTIPLIES(PREFIX, TYPE)       \
    WARPGROUP_MULTIPLY_ROWS(PREFIX, TYPE, 64)    \
    WARPGROUP_MULTIPLY_ROWS(PREFIX, TYPE, 128)   \
    WARPGROUP_MULTIPLY_ROWS(PREFIX, TYPE, 192)   \
    WARPGROUP_MULTIPLY_ROWS(PREFIX, TYPE, 256)

WARPGROUP_MULTIPLIES(warpgroup_multiply_bf16, Bf16)
WARPGROUP_MULTIPLIES(warpgroup_multiply_f16, F16)
#endif
