// What the kernels of decode attention share: all but how keys and values are stored. One query row per sequence, split over
// its context (flash-decoding). COLUMNS query heads of a kv head are computed together; a larger group takes several chunks
// of them. Arguments in order:
//   out, query      [rows, stride] elements; head h of a row at h * HEAD. Row rowStart[s] belongs to sequence s; sequences
//                   with any other number of rows than one, or with no context, are left alone
//   kv              one layer: block b at b * blockStride; its keys [kvHeadCount][blockSize][HEAD], its values alike at
//                   + valueOffset
//   blockTables     [sequences, tableStride]
//   contextLength   [sequences]
//   rowStart        [sequences + 1]
//   partials        float, sequences * splitsMax * headCount * (HEAD + 4): unscaled sums, maximum, sum of exponentials
//   arrivals        [sequences * kvHeadCount * chunks], chunks = ceil(group / COLUMNS); zero before the first launch, left
//                   zero by each
//   outStride, queryStride, sequences, tableStride, headCount, kvHeadCount, blockSize      int; strides in elements,
//   blockStride, valueOffset                                                               64 bits; multiples of 8
//   scale           float
//   window          int, 0 is all
//   softcap         float, 0 is none
//   splitTiles      int: least length of a split, in tiles of 16 tokens
//   splitsMax       int
//
// A split is a run of tiles of 16 tokens. Its length follows from the sequence's own context alone (splitTiles, doubled
// until no more than splitsMax splits are left), never from the batch: a sequence's result is the same bits in any batch.
// Work items are (sequence, split, kv head, chunk of its query heads); the grid may have any size and walks over them.
//
// Within an item, warp w of those that compute takes tiles w, w + WARPS, ... through a ring of its own in shared memory and
// runs ahead into the next items; tokens are the rows of the products, query heads their eight columns. Four more warps
// merge the results in the warps' order, and those of the splits in theirs where this block is the last to arrive.
//
// Keys and values of older tokens than a sequence's last are fetched before the stream's predecessor has ended: earlier
// steps wrote them. Context lengths and block tables must be older than the predecessor, too.
//
//   block: (WARPS + 4) * 32 threads
//   shared memory: WARPS * STAGES * stage + WARPS * COLUMNS * ((HEAD + 4) * 4 + 8) + (sequences + 1) * 4 bytes, where a stage
//   is 32 stored rows (of an odd number of 16-byte chunks, where they are not a multiple of eight), and scales
//
// How rows are stored is a class R with these members:
//   Out, Products     types of the output, and of the numbers that are multiplied
//   HEAD, Element, CHUNK, S       head size; type of a stored element; chunks are 1 << CHUNK of them; Stage
//   query, QUERY_STEP, QUERY_SECOND    which elements of a query a lane multiplies with, as Products
//   keys, values      fills the left operand of a product: tokens by 16 elements of keys, 16 elements of values by tokens
//   SUM_STEP, SUM_SECOND      which elements of a value a lane's sums are
//   issueScales, issueNoScales    copies what belongs to a token into a stage
//   Scales            what scores and probabilities are multiplied by: see RowsFp8
#pragma once
#include "Primitives.cuh"

namespace {
constexpr int TOKENS = 16;
constexpr int MERGERS = 4;

struct Work {
    const void* kv;
    const int* blockTables;
    const int* contextLength;
    const int* rowStart;
    const int* firstSplit;  // [sequences + 1], shared memory: splits before each sequence
    int sequences, tableStride, headCount, kvHeadCount, chunks, blockSize, window, splitTiles, splitsMax;
    long long blockStride, valueOffset;

    INLINE int context(int sequence) const {
        int context = contextLength[sequence], rows = rowStart[sequence + 1] - rowStart[sequence];
        return rows == 1 ? context : 0;
    }
    INLINE int firstToken(int context) const { return window > 0 && context > window ? context - window : 0; }
    INLINE int tilesPerSplit(int tiles) const {
        int length = splitTiles;
        while (length * splitsMax < tiles) length *= 2;
        return length;
    }
    INLINE int tileCount(int context) const {
        return context <= 0 ? 0 : (context + TOKENS - 1) / TOKENS - firstToken(context) / TOKENS;
    }
    INLINE int splitCount(int context) const {
        int tiles = tileCount(context);
        int length = tilesPerSplit(tiles);
        return (tiles + length - 1) / length;
    }
    INLINE int itemCount() const { return firstSplit[sequences] * kvHeadCount * chunks; }
};

// One work item: tiles [tile, tileEnd) of a sequence for one chunk of the query heads of one kv head.
struct Item {
    int sequence, split, kvHead, chunk, context, first, tile, tileEnd;

    INLINE void read(const Work& work, int index) {
        int units = work.kvHeadCount * work.chunks;
        int splitIndex = index / units;
        int unit = index - splitIndex * units;
        kvHead = unit / work.chunks;
        chunk = unit - kvHead * work.chunks;
        int low = 0, high = work.sequences;
        while (high - low > 1) {
            int middle = (low + high) / 2;
            if (work.firstSplit[middle] <= splitIndex) low = middle; else high = middle;
        }
        sequence = low;
        split = splitIndex - work.firstSplit[low];
        context = work.contextLength[low];
        first = work.firstToken(context);
        int tiles = work.tileCount(context);
        int length = work.tilesPerSplit(tiles);
        int base = first / TOKENS;
        tile = base + split * length;
        tileEnd = base + min(tiles, (split + 1) * length);
    }
};

// A tile of keys and one of values in shared memory, and `EXTRA` bytes of what belongs to them.
template <int ROW_BYTES, int EXTRA>
struct Stage {
    static constexpr int CHUNKS = ROW_BYTES / 16;
    static constexpr bool SWIZZLED = CHUNKS % 8 == 0;
    static constexpr int ROW = (SWIZZLED ? CHUNKS : CHUNKS | 1) * 16;
    static constexpr int KEYS = TOKENS * ROW;
    static constexpr int BYTES = 2 * KEYS + EXTRA;
    static INLINE u32 offset(int row, int chunk) { return row * ROW + ((SWIZZLED ? chunk ^ (row & 7) : chunk) << 4); }
};

// A warp's walk over its tiles of the block's items, ahead of the computing.
template <class R, int WARPS>
struct Feed {
    using S = typename R::S;
    Item item;
    int index, tile;

    INLINE void start(const Work& work, int warp) {
        index = blockIdx.x;
        settle(work, warp);
    }
    // Moves to the next item that has a tile for this warp.
    INLINE void settle(const Work& work, int warp) {
        int count = work.itemCount();
        for (; index < count; index += gridDim.x) {
            item.read(work, index);
            tile = item.tile + warp;
            if (tile < item.tileEnd) return;
        }
    }
    // Issues the copies of the current tile into a stage and moves on; an empty group at the end of the work.
    INLINE void issue(const Work& work, int warp, int lane, u32 stage) {
        if (index < work.itemCount()) {
            // Older tokens were written in steps long done, the newest by a predecessor.
            if ((tile + 1) * TOKENS >= item.context) awaitPredecessor();
            int token = tile * TOKENS + (lane & 15);
            bool real = token < item.context && token >= item.first;
            u32 row = 0;  // in chunks
            if (real) {
                int block = token / work.blockSize;
                int slot = token - block * work.blockSize;
                long long id = work.blockTables[(long long)item.sequence * work.tableStride + block];
                row = (u32)((id * work.blockStride + ((long long)item.kvHead * work.blockSize + slot) * R::HEAD) >> R::CHUNK);
                R::issueScales(work, item, id, slot, lane, stage);
            } else {
                R::issueNoScales(work, lane, stage);
            }
            u32 realRows = __ballot_sync(~0u, real);
            constexpr int CHUNKS = S::CHUNKS;
            constexpr bool EVEN = TOKENS * CHUNKS % 32 == 0;
            const typename R::Element* kv = (const typename R::Element*)work.kv;
            #pragma unroll
            for (int i = 0; i < (TOKENS * CHUNKS + 31) / 32; i++) {
                int part = i * 32 + lane;
                int r = part / CHUNKS;
                int chunk = part - r * CHUNKS;
                const typename R::Element* from = kv + (((u64)__shfl_sync(~0u, row, r) + chunk) << R::CHUNK);
                bool there = realRows >> r & 1;
                u32 to = stage + S::offset(r, chunk);
                if (EVEN || part < TOKENS * CHUNKS) {
                    copy16(to, from, there);
                    copy16(to + S::KEYS, from + work.valueOffset, there);
                }
            }
            tile += WARPS;
            if (tile >= item.tileEnd) {
                index += gridDim.x;
                settle(work, warp);
            }
        }
        copyCommit();
    }
};

enum { RESULTS_READY = 1, RESULTS_READ = 2, MERGERS_MEET = 3 };
template <int COUNT>
INLINE void meet(int barrier) { asm volatile("bar.sync %0, %1;" ::"r"(barrier), "n"(COUNT) : "memory"); }
template <int COUNT>
INLINE void signal(int barrier) { asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "n"(COUNT) : "memory"); }

// What the computing warps leave for the merging ones, per item.
template <int HEAD, int COLUMNS, int WARPS>
struct Results {
    static constexpr int ROW = HEAD + 4;
    float* sums;    // [WARPS][COLUMNS][ROW]
    float* maxima;  // [WARPS][COLUMNS]
    float* totals;  // [WARPS][COLUMNS]
    INLINE explicit Results(float* memory)
        : sums(memory), maxima(memory + WARPS * COLUMNS * ROW), totals(maxima + WARPS * COLUMNS) {}
    INLINE int* end() const { return (int*)(totals + WARPS * COLUMNS); }
};

template <class R, int COLUMNS, int WARPS, int STAGES>
INLINE void compute(const Work& work, const u16* query, const Results<R::HEAD, COLUMNS, WARPS>& results, u32 ring,
        int queryStride, float scale, float softcap) {
    constexpr int THREADS = (WARPS + MERGERS) * 32;
    using S = typename R::S;
    using T = typename R::Products;
    constexpr int HEAD = R::HEAD, STEPS = HEAD / 16;
    constexpr int TILES = (COLUMNS + 7) / 8;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    ring += warp * STAGES * S::BYTES;
    Feed<R, WARPS> feed;
    feed.start(work, warp);
    #pragma unroll
    for (int i = 0; i < STAGES - 1; i++) feed.issue(work, warp, lane, ring + i * S::BYTES);
    awaitPredecessor();
    int slot = 0;

    const int group = work.headCount / work.kvHeadCount;
    const float exponent = softcap > 0 ? 1.4426950408889634f : scale * 1.4426950408889634f;
    const int items = work.itemCount();
    u32 q[STEPS][TILES][2], nextQ[STEPS][TILES][2];
    auto readQuery = [&](const Item& item, u32 (&q)[STEPS][TILES][2]) {
        const int columns = min(COLUMNS, group - item.chunk * COLUMNS);
        const int head = item.kvHead * group + item.chunk * COLUMNS;  // of column 0
        const u16* rowStart = query + (long long)work.rowStart[item.sequence] * queryStride + head * HEAD + (lane & 3) * R::QUERY_STEP;
        #pragma unroll
        for (int n = 0; n < TILES; n++) {
            int column = n * 8 + lane / 4;
            #pragma unroll
            for (int k = 0; k < STEPS; k++) {
                const u16* from = rowStart + column * HEAD + k * 16;
                q[k][n][0] = column < columns ? R::query(*(const u32*)from) : 0;
                q[k][n][1] = column < columns ? R::query(*(const u32*)(from + R::QUERY_SECOND)) : 0;
            }
        }
    };
    Item item, nextItem;
    if (blockIdx.x < items) {
        nextItem.read(work, blockIdx.x);
        readQuery(nextItem, nextQ);
    }
    for (int index = blockIdx.x; index < items; index += gridDim.x) {
        item = nextItem;
        #pragma unroll
        for (int n = 0; n < TILES; n++) {
            #pragma unroll
            for (int k = 0; k < STEPS; k++) {
                q[k][n][0] = nextQ[k][n][0];
                q[k][n][1] = nextQ[k][n][1];
            }
        }
        if (index + gridDim.x < items) {
            nextItem.read(work, index + gridDim.x);
            readQuery(nextItem, nextQ);
        }
        const int columns = min(COLUMNS, group - item.chunk * COLUMNS);
        float sum[STEPS][TILES][4] = {};
        float maximum[TILES][2], total[TILES][2];
        #pragma unroll
        for (int n = 0; n < TILES; n++) {
            maximum[n][0] = maximum[n][1] = NEGATIVE_INFINITY;
            total[n][0] = total[n][1] = 0;
        }

        for (int tile = item.tile + warp; tile < item.tileEnd; tile += WARPS) {
            copyWait<STAGES - 2>();
            __syncwarp();
            u32 keys = ring + slot * S::BYTES;
            u32 values = keys + S::KEYS;
            feed.issue(work, warp, lane, ring + (slot == 0 ? STAGES - 1 : slot - 1) * S::BYTES);
            slot = slot == STAGES - 1 ? 0 : slot + 1;

            typename R::Loaded loaded;
            float score[TILES][4] = {}, more[TILES][4] = {};
            #pragma unroll
            for (int k = 0; k < STEPS; k++) {
                u32 a[4];
                R::keys(a, loaded, keys, k, lane);
                #pragma unroll
                for (int n = 0; n < TILES; n++) T::multiply(k & 1 ? more[n] : score[n], a, q[k][n][0], q[k][n][1]);
            }
            const int token = tile * TOKENS + lane / 4;
            const bool seen0 = token < item.context && token >= item.first;
            const bool seen1 = token + 8 < item.context && token + 8 >= item.first;
            const typename R::Scales scales(keys, lane);
            u32 p[TILES][2];
            #pragma unroll
            for (int n = 0; n < TILES; n++) {
                #pragma unroll
                for (int i = 0; i < 4; i++) {
                    float x = scales.ofKey(score[n][i] + more[n][i], i / 2);
                    if (softcap > 0) x = softcap * tanhFast(x * scale / softcap);
                    score[n][i] = (i < 2 ? seen0 : seen1) ? scales.weigh(x * exponent, i / 2) : NEGATIVE_INFINITY;
                }
                #pragma unroll
                for (int c = 0; c < 2; c++) {
                    float m = fmaxf(score[n][c], score[n][c + 2]);
                    m = fmaxf(m, __shfl_xor_sync(~0u, m, 4));
                    m = fmaxf(m, __shfl_xor_sync(~0u, m, 8));
                    m = fmaxf(m, __shfl_xor_sync(~0u, m, 16));
                    m = fmaxf(m, maximum[n][c]);
                    float correction = exp2Fast(maximum[n][c] - m);
                    maximum[n][c] = m;
                    score[n][c] = exp2Fast(score[n][c] - m);
                    score[n][c + 2] = exp2Fast(score[n][c + 2] - m);
                    total[n][c] = total[n][c] * correction + scales.unweigh(score[n][c], 0) + scales.unweigh(score[n][c + 2], 1);
                    #pragma unroll
                    for (int k = 0; k < STEPS; k++) {
                        sum[k][n][c] *= correction;
                        sum[k][n][c + 2] *= correction;
                    }
                }
                p[n][0] = transpose8x8(T::pack(score[n][0], score[n][1]));
                p[n][1] = transpose8x8(T::pack(score[n][2], score[n][3]));
            }
            #pragma unroll
            for (int k = 0; k < STEPS; k++) {
                u32 a[4];
                R::values(a, loaded, values, k, lane);
                #pragma unroll
                for (int n = 0; n < TILES; n++) T::multiply(sum[k][n], a, p[n][0], p[n][1]);
            }
            __syncwarp();
        }

        if (index != blockIdx.x) meet<THREADS>(RESULTS_READ);
        #pragma unroll
        for (int n = 0; n < TILES; n++) {
            #pragma unroll
            for (int c = 0; c < 2; c++) {
                int column = n * 8 + (lane & 3) * 2 + c;
                float l = total[n][c];
                l += __shfl_xor_sync(~0u, l, 4);
                l += __shfl_xor_sync(~0u, l, 8);
                l += __shfl_xor_sync(~0u, l, 16);
                if (column < columns) {
                    if (lane < 4) {
                        results.maxima[warp * COLUMNS + column] = maximum[n][c];
                        results.totals[warp * COLUMNS + column] = l;
                    }
                    float* to = results.sums + (warp * COLUMNS + column) * results.ROW + lane / 4 * R::SUM_STEP;
                    #pragma unroll
                    for (int k = 0; k < STEPS; k++) {
                        to[k * 16] = sum[k][n][c];
                        to[k * 16 + R::SUM_SECOND] = sum[k][n][c + 2];
                    }
                }
            }
        }
        signal<THREADS>(RESULTS_READY);
    }
}

// Merges the warps' results of each item, in their order, and those of a sequence's splits where this block is the last.
// It has warps of its own because the fence before an arrival would wait for all copies that are under way.
template <class T, int HEAD, int COLUMNS, int WARPS>
INLINE void merge(const Work& work, u16* out, const Results<HEAD, COLUMNS, WARPS>& results, float* partials, u32* arrivals,
        int outStride) {
    constexpr int THREADS = (WARPS + MERGERS) * 32;
    constexpr int ROW = HEAD + 4;  // of partials: sums, maximum, total, padding
    __shared__ bool finishes;
    const int thread = threadIdx.x - WARPS * 32;
    const int group = work.headCount / work.kvHeadCount;
    const int items = work.itemCount();
    awaitPredecessor();
    for (int index = blockIdx.x; index < items; index += gridDim.x) {
        Item item;
        item.read(work, index);
        const int columns = min(COLUMNS, group - item.chunk * COLUMNS);
        const int head = item.kvHead * group + item.chunk * COLUMNS;
        const int splits = work.splitCount(item.context);
        u16* outRow = out + (long long)work.rowStart[item.sequence] * outStride + head * HEAD;
        const long long splitStride = (long long)work.headCount * ROW;
        float* sequencePartials = partials + ((long long)item.sequence * work.splitsMax * work.headCount + head) * ROW;
        meet<THREADS>(RESULTS_READY);
        for (int quad = thread; quad < columns * (HEAD / 4); quad += MERGERS * 32) {
            int column = quad / (HEAD / 4), d = (quad - column * (HEAD / 4)) * 4;
            float m = results.maxima[column];
            #pragma unroll
            for (int w = 1; w < WARPS; w++) m = fmaxf(m, results.maxima[w * COLUMNS + column]);
            float l = 0;
            float4 x = make_float4(0, 0, 0, 0);
            #pragma unroll
            for (int w = 0; w < WARPS; w++) {
                float factor = exp2Fast(results.maxima[w * COLUMNS + column] - m);
                float4 v = *(const float4*)(results.sums + (w * COLUMNS + column) * results.ROW + d);
                l += results.totals[w * COLUMNS + column] * factor;
                x.x += v.x * factor;
                x.y += v.y * factor;
                x.z += v.z * factor;
                x.w += v.w * factor;
            }
            if (splits == 1) {
                float inverse = 1.0f / l;
                *(uint2*)(outRow + column * HEAD + d) =
                        make_uint2(T::pack(x.x * inverse, x.y * inverse), T::pack(x.z * inverse, x.w * inverse));
            } else {
                float* to = sequencePartials + item.split * splitStride + column * ROW;
                __stcg((float4*)(to + d), x);
                if (d == 0) __stcg((float2*)(to + HEAD), make_float2(m, l));
            }
        }
        if (index + gridDim.x < items) signal<THREADS>(RESULTS_READ);
        if (splits == 1) continue;

        meet<MERGERS * 32>(MERGERS_MEET);
        if (thread == 0) {
            u32* arrival = arrivals + (item.sequence * work.kvHeadCount + item.kvHead) * work.chunks + item.chunk;
            __threadfence();
            finishes = atomicAdd(arrival, 1u) == splits - 1;
            if (finishes) *arrival = 0;
            __threadfence();
        }
        meet<MERGERS * 32>(MERGERS_MEET);
        if (finishes) {
            for (int quad = thread; quad < columns * (HEAD / 4); quad += MERGERS * 32) {
                int column = quad / (HEAD / 4), d = (quad - column * (HEAD / 4)) * 4;
                const float* from = sequencePartials + column * ROW;
                float m = NEGATIVE_INFINITY, l = 0;
                float4 x = make_float4(0, 0, 0, 0);
                #pragma unroll 8
                for (int s = 0; s < splits; s++) {
                    float2 end = __ldcg((const float2*)(from + s * splitStride + HEAD));
                    float4 v = __ldcg((const float4*)(from + s * splitStride + d));
                    float most = fmaxf(m, end.x);
                    float before = exp2Fast(m - most), now = exp2Fast(end.x - most);
                    m = most;
                    l = l * before + end.y * now;
                    x.x = x.x * before + v.x * now;
                    x.y = x.y * before + v.y * now;
                    x.z = x.z * before + v.z * now;
                    x.w = x.w * before + v.w * now;
                }
                float inverse = 1.0f / l;
                *(uint2*)(outRow + column * HEAD + d) =
                        make_uint2(T::pack(x.x * inverse, x.y * inverse), T::pack(x.z * inverse, x.w * inverse));
            }
        }
        meet<MERGERS * 32>(MERGERS_MEET);
    }
}

template <class R, int COLUMNS, int WARPS, int STAGES>
INLINE void attend(u16* out, const u16* query, Work work, float* partials, u32* arrivals, int outStride, int queryStride,
        float scale, float softcap) {
    constexpr int HEAD = R::HEAD, THREADS = (WARPS + MERGERS) * 32;
    extern __shared__ __align__(128) unsigned char shared[];
    __shared__ int scan[WARPS + MERGERS];
    const Results<HEAD, COLUMNS, WARPS> results((float*)(shared + WARPS * STAGES * R::S::BYTES));
    int* firstSplit = results.end();
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    allowSuccessor();

    // Splits before each sequence: a scan over contiguous runs of sequences, one per thread.
    int run = (work.sequences + THREADS - 1) / THREADS;
    int from = min(work.sequences, (int)threadIdx.x * run), to = min(work.sequences, from + run);
    int count = 0;
    for (int s = from; s < to; s++) count += work.splitCount(work.context(s));
    int before = count;
    for (int d = 1; d < 32; d *= 2) {
        int other = __shfl_up_sync(~0u, before, d);
        if (lane >= d) before += other;
    }
    if (lane == 31) scan[warp] = before;
    __syncthreads();
    for (int w = 0; w < warp; w++) before += scan[w];
    before -= count;
    for (int s = from; s < to; s++) {
        firstSplit[s] = before;
        before += work.splitCount(work.context(s));
    }
    if (threadIdx.x == THREADS - 1) firstSplit[work.sequences] = before;
    __syncthreads();
    work.firstSplit = firstSplit;

    if (warp < WARPS) {
        compute<R, COLUMNS, WARPS, STAGES>(work, query, results, sharedAddress(shared), queryStride, scale, softcap);
    } else {
        merge<typename R::Out, HEAD, COLUMNS, WARPS>(work, out, results, partials, arrivals, outStride);
    }
}
}  // namespace

#define ATTEND_DECODE(NAME, STORED, COLUMNS, WARPS, STAGES)                                                         \
    extern "C" __global__ void __launch_bounds__((WARPS + MERGERS) * 32, 1) NAME(                                       \
            u16* out, const u16* query, const void* kv, const int* blockTables, const int* contextLength,                \
            const int* rowStart, float* partials, u32* arrivals, int outStride, int queryStride, int sequences,         \
            int tableStride, int headCount, int kvHeadCount, int blockSize, long long blockStride,                      \
            long long valueOffset, float scale, int window, float softcap, int splitTiles, int splitsMax) {             \
        int chunks = (headCount / kvHeadCount + COLUMNS - 1) / COLUMNS;                                                 \
        Work work = {kv, blockTables, contextLength, rowStart, nullptr, sequences, tableStride, headCount, kvHeadCount, \
                     chunks, blockSize, window, splitTiles, splitsMax, blockStride, valueOffset};                       \
        attend<STORED, COLUMNS, WARPS, STAGES>(                                                                     \
                out, query, work, partials, arrivals, outStride, queryStride, scale, softcap);                          \
    }
