// Causal attention of chunks of prompts over keys and values of the activations' type, with Hopper's warpgroup products.
// Arguments: AttendPrefill.cuh, the rest AttendPrefillWgmma.cuh. For targets but sm_90a this file has no kernels.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#include "AttendPrefillWgmma.cuh"

namespace {
template <class T, int HEAD_SIZE>
struct Rows {
    using Out = T;
    using Products = T;
    static constexpr int HEAD = HEAD_SIZE;
    using S = Shape<HEAD>;

    static INLINE void fetchQuery(const Request& r, const RowTile& tile, int kvHead, int group, u32 query, u32 barriers,
            Ring<1> turn) {
        const int lane = threadIdx.x & 31, warp = (threadIdx.x >> 5) & 3;
        const int packed = tile.tile * ROWS + threadIdx.x % ROWS;
        const int token = packed / group, head = packed - token * group;
        const bool real = packed < tile.rows * group;
        const u32 offset = real ? (u32)(((long long)(tile.row + token) * r.queryStride + (kvHead * group + head) * HEAD) >> 3) : 0;
        const u32 realRows = __ballot_sync(~0u, real);
        barrierWait(barriers + QUERY_EMPTY, turn.phase ^ 1);
        #pragma unroll 4
        for (int i = 0; i < S::CHUNKS; i++) {
            int piece = i * 32 + lane;
            int row = piece / S::CHUNKS, chunk = piece - row * S::CHUNKS;
            copy16(query + swizzled(warp * 32 + row, chunk, S::QUERY_COLUMN),
                   r.query + (((u64)__shfl_sync(~0u, offset, row) + chunk) << 3), realRows >> row & 1);
        }
        barrierArriveAfterCopies(barriers + QUERY_FULL);
    }

    static INLINE void fetch(const Request& r, const RowTile& tile, int kvHead, u32 keys, u32 values, u32 barriers,
            Ring<STAGES>& turn) {
        constexpr int WARP_ROWS = S::KEYS / 4;
        const int lane = threadIdx.x & 31, warp = (threadIdx.x >> 5) & 3;
        const u16* kv = (const u16*)r.kv + (long long)kvHead * r.blockSize * HEAD;
        const int* table = r.blockTables + (long long)tile.sequence * r.tableStride;
        const int first = r.window > 0 ? max(0, tile.firstPosition - r.window + 1) : 0;
        const int last = tile.lastPosition;
        auto rowOffset = [&](int n, bool& real) {
            int token = n * S::KEYS + warp * WARP_ROWS + lane % WARP_ROWS;
            real = n >= tile.begin && token >= first && token <= last;
            if (!real) return 0u;
            int block = token / r.blockSize;
            return (u32)((table[block] * r.blockStride + (long long)(token - block * r.blockSize) * HEAD) >> 3);
        };
        bool real;
        u32 offset = rowOffset(tile.end - 1, real);
        for (int n = tile.end - 1; n >= tile.begin; n--) {
            bool nextReal;
            u32 nextOffset = rowOffset(n - 1, nextReal);
            u32 realRows = __ballot_sync(~0u, real);
            #pragma unroll
            for (int part = 0; part < 2; part++) {
                u32 barrier = barriers + turn.stage * 8;
                barrierWait(barrier + (part ? VALUES_EMPTY : KEYS_EMPTY), turn.phase ^ 1);
                const u16* from = kv + (part ? r.valueOffset : 0);
                u32 to = (part ? values : keys) + turn.stage * S::STAGE;
                #pragma unroll
                for (int i = 0; i < WARP_ROWS * S::CHUNKS / 32; i++) {
                    int piece = i * 32 + lane;
                    int row = piece / S::CHUNKS, chunk = piece - row * S::CHUNKS;
                    copy16(to + swizzled(warp * WARP_ROWS + row, chunk, S::KEY_COLUMN),
                           from + (((u64)__shfl_sync(~0u, offset, row) + chunk) << 3), realRows >> row & 1);
                }
                barrierArriveAfterCopies(barrier + (part ? VALUES_FULL : KEYS_FULL));
            }
            offset = nextOffset;
            real = nextReal;
            turn.next();
        }
    }
};
}  // namespace

#define ROWS_OF(TYPE, HEAD) Rows<TYPE, HEAD>
#define ATTEND_PREFILL_HEADS(PREFIX, TYPE)    \
    ATTEND_PREFILL(PREFIX##_64, ROWS_OF(TYPE, 64), 384, 1)     \
    ATTEND_PREFILL(PREFIX##_80, ROWS_OF(TYPE, 80), 384, 1)     \
    ATTEND_PREFILL(PREFIX##_96, ROWS_OF(TYPE, 96), 384, 1)     \
    ATTEND_PREFILL(PREFIX##_128, ROWS_OF(TYPE, 128), 384, 1)   \
    ATTEND_PREFILL(PREFIX##_256, ROWS_OF(TYPE, 256), 384, 1)

ATTEND_PREFILL_HEADS(attend_prefill_wgmma_bf16, Bf16)
ATTEND_PREFILL_HEADS(attend_prefill_wgmma_f16, F16)
#endif
