// What the prefill attention kernels share: their arguments, and which rows and keys a block has.
#pragma once
#include "Primitives.cuh"

// out, query       [rows, stride] elements; head h of a row at h * HEAD. Rows [rowStart[s], rowStart[s + 1]) belong to
//                  sequence s at positions contextLength[s] - rows ..; sequences of fewer than rowsMin rows are left alone
// kv               one layer: block b at b * blockStride; its keys [kvHeadCount][blockSize][HEAD], its values alike at
//                  + valueOffset. In elements; strides are multiples of 8 elements
// blockTables      [sequences, tableStride], contextLength [sequences], rowStart [sequences + 1]
// window, softcap  0 is none
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
};

// Row tile `tile` of a sequence and the tiles of keys [begin, end) that its rows see.
struct RowTile {
    int sequence, tile, row, rows, context, begin, end, firstPosition, lastPosition;
};

// The row tile of number `index`: a scan over sequences by each warp; tiles of a sequence from the last, the longest, to
// the first.
template <int ROWS>
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
    return found;
}


#define ATTEND_PREFILL(NAME, ROWS, THREADS, BLOCKS)                                                               \
    extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) NAME(                                                 \
            u16* out, const u16* query, const void* kv, const int* blockTables, const int* contextLength,                \
            const int* rowStart, int outStride, int queryStride, int sequences, int tableStride, int headCount,         \
            int kvHeadCount, int blockSize, long long blockStride, long long valueOffset, float scale, int window,      \
            float softcap, int rowsMin) {                                                                               \
        Request r = {out, query, kv, blockTables, contextLength, rowStart, outStride, queryStride, sequences,           \
                     tableStride, headCount, kvHeadCount, blockSize, blockStride, valueOffset, scale, window, softcap,  \
                     rowsMin};                                                                                       \
        attend<ROWS>(r);                                                                                          \
    }
