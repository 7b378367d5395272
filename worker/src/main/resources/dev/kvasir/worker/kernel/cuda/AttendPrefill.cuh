// What the prefill attention kernels share: their arguments, and which rows and keys a block has.
#pragma once
#include "Primitives.cuh"

// out, query       [rows, stride] elements; head h of a row at h * HEAD. Rows [rowStart[s], rowStart[s + 1]) belong to
//                  sequence s at positions contextLength[s] - rows ..; sequences of fewer than rowsMin rows are left alone
// kv               one layer: block b at b * blockStride; its keys [kvHeadCount][blockSize][HEAD], its values alike at
//                  + valueOffset. In elements; strides are multiples of 8 elements
// blockTables      [sequences, tableStride], contextLength [sequences], rowStart [sequences + 1]
// window, softcap  0 is none
// Kernels named _split, for few row tiles that see many keys, share the keys of a row tile out: parts of them belong to the
// blocks that differ in z alone, which must all be resident at once.
// splitTiles       tiles of keys in a part
// partials         float, grid blocks * ROWS * (HEAD + 2)
// arrivals         [row tiles * kvHeadCount]; zero before the first launch, left zero by each
struct Request {
    u16* out;
    const u16* query;
    const void* kv;
    const int* blockTables;
    const int* contextLength;
    const int* rowStart;
    int outStride, queryStride, sequences, tableStride, headCount, kvHeadCount, blockSize;
    long long blockStride, valueOffset;
    float scale;
    int window;
    float softcap;
    int rowsMin;
    float* partials;
    u32* arrivals;
    int splitTiles;
};

// Row tile `tile` of a sequence and the tiles of keys [begin, end) that its rows see.
struct RowTile {
    int sequence, tile, row, rows, context, begin, end, firstPosition, lastPosition;
    int parts;  // of its keys; [begin, end) is part blockIdx.z of them
};

// The row tile of number `index`: a scan over sequences by each warp; tiles of a sequence from the last, the longest, to
// the first.
template <int ROWS, bool SPLIT>
INLINE RowTile findTile(const Request& r, int index, int group, int keysPerTile) {
    const int lane = threadIdx.x & 31;
    RowTile found;
    found.sequence = -1;
    int before = 0;
    for (int base = 0; base < r.sequences; base += 32) {
        int s = base + lane;
        int rows = s < r.sequences ? r.rowStart[s + 1] - r.rowStart[s] : 0;
        int tiles = rows >= r.rowsMin ? (rows * group + ROWS - 1) / ROWS : 0;
        int after = tiles;
        for (int d = 1; d < 32; d *= 2) {
            int other = __shfl_up_sync(~0u, after, d);
            if (lane >= d) after += other;
        }
        u32 reached = __ballot_sync(~0u, before + after > index);
        if (reached) {
            int at = __ffs(reached) - 1;
            int local = index - (before + __shfl_sync(~0u, after - tiles, at));
            found.sequence = base + at;
            found.tile = __shfl_sync(~0u, tiles, at) - 1 - local;
            found.rows = __shfl_sync(~0u, rows, at);
            break;
        }
        before += __shfl_sync(~0u, after, 31);
    }
    if (found.sequence >= 0) {
        found.row = r.rowStart[found.sequence];
        found.context = r.contextLength[found.sequence];
        int start = found.context - found.rows;
        found.firstPosition = start + found.tile * ROWS / group;
        found.lastPosition = min(found.context - 1, start + (found.tile * ROWS + ROWS - 1) / group);
        int firstKey = r.window > 0 ? max(0, found.firstPosition - r.window + 1) : 0;
        found.begin = firstKey / keysPerTile;
        found.end = found.lastPosition / keysPerTile + 1;
    }
    found.parts = 1;
    if (SPLIT && found.sequence >= 0) {
        found.parts = (found.end - found.begin + r.splitTiles - 1) / r.splitTiles;
        found.begin += (int)blockIdx.z * r.splitTiles;
        found.end = min(found.end, found.begin + r.splitTiles);
    }
    return found;
}

// What a block leaves of a row tile for one kv head: unscaled sums [ROWS][HEAD], then maximum and sum of exponentials of each
// row, both for exponents of 2. `unit` counts row tiles and kv heads.
template <int ROWS, int HEAD>
struct Part {
    float* sums;
    float2* ends;
    INLINE Part(const Request& r, int unit, int part)
        : sums(r.partials + (long long)(unit * gridDim.z + part) * ROWS * (HEAD + 2)), ends((float2*)(sums + ROWS * HEAD)) {}
};

// Waits until all parts of a unit are there, merges this block's share of its rows, in the order of parts, and writes them.
// Called by THREADS threads, which `sync` brings together.
template <class Out, int ROWS, int HEAD, int THREADS, class Sync>
INLINE void mergeParts(const Request& r, const RowTile& tile, int unit, int kvHead, int group, Sync sync) {
    constexpr int QUADS = HEAD / 4;
    u32* arrival = r.arrivals + unit;
    sync();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(arrival, 1u);
        u32 there;
        do {
            asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(there) : "l"(arrival) : "memory");
        } while (there < tile.parts);
    }
    sync();
    const int rows = min(ROWS, tile.rows * group - tile.tile * ROWS);
    const int share = (rows + tile.parts - 1) / tile.parts;
    const int first = (int)blockIdx.z * share, last = min(rows, first + share);
    for (int quad = first * QUADS + threadIdx.x; quad < last * QUADS; quad += THREADS) {
        const int row = quad / QUADS, d = (quad - row * QUADS) * 4;
        float m = NEGATIVE_INFINITY, l = 0;
        float4 x = make_float4(0, 0, 0, 0);
        #pragma unroll 8
        for (int p = 0; p < tile.parts; p++) {
            const Part<ROWS, HEAD> part(r, unit, p);
            const float2 end = __ldcg(part.ends + row);
            const float4 v = __ldcg((const float4*)(part.sums + row * HEAD + d));
            const float most = fmaxf(m, end.x);
            const float shift = most == NEGATIVE_INFINITY ? 0.0f : most;
            const float before = exp2Fast(m - shift), now = exp2Fast(end.x - shift);
            m = most;
            l = l * before + end.y * now;
            x.x = x.x * before + v.x * now;
            x.y = x.y * before + v.y * now;
            x.z = x.z * before + v.z * now;
            x.w = x.w * before + v.w * now;
        }
        const float inverse = 1.0f / l;
        const int packed = tile.tile * ROWS + row, token = packed / group, head = packed - token * group;
        u16* to = r.out + (long long)(tile.row + token) * r.outStride + (kvHead * group + head) * HEAD + d;
        *(uint2*)to = make_uint2(Out::pack(x.x * inverse, x.y * inverse), Out::pack(x.z * inverse, x.w * inverse));
    }
    // Every block has seen all arrivals before the last of them leaves.
    if (threadIdx.x == 0 && atomicAdd(arrival, 1u) == 2 * tile.parts - 1) *arrival = 0;
}

#define ATTEND_PREFILL(NAME, ROWS, THREADS, BLOCKS)              \
    ATTEND_PREFILL_ONE(NAME, false, THREADS, BLOCKS, ROWS)       \
    ATTEND_PREFILL_ONE(NAME##_split, true, THREADS, BLOCKS, ROWS)
// The class comes last: it has a comma.
#define ATTEND_PREFILL_ONE(NAME, SPLIT, THREADS, BLOCKS, ...)                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) NAME(                                                 \
            u16* out, const u16* query, const void* kv, const int* blockTables, const int* contextLength,                \
            const int* rowStart, int outStride, int queryStride, int sequences, int tableStride, int headCount,         \
            int kvHeadCount, int blockSize, long long blockStride, long long valueOffset, float scale, int window,      \
            float softcap, int rowsMin, float* partials, u32* arrivals, int splitTiles) {                               \
        Request r = {out, query, kv, blockTables, contextLength, rowStart, outStride, queryStride, sequences,           \
                     tableStride, headCount, kvHeadCount, blockSize, blockStride, valueOffset, scale, window, softcap,  \
                     rowsMin, partials, arrivals, splitTiles};                                                       \
        attend<__VA_ARGS__, SPLIT>(r);                                                                                  \
    }
