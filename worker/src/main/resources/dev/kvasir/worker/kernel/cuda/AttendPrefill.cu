// Causal attention of chunks of prompts over keys and values of the activations' type, with the products of any GPU since
// Ampere. Hopper has a faster one in AttendPrefillWgmma.cu; arguments of both: AttendPrefill.cuh, the rest AttendPrefillMma.cuh.
//
//   shared memory: (64 + 4 * KEYS) * row bytes, KEYS = 64 (HEAD 256: 32), row bytes = 2 * HEAD
//   (HEAD not a multiple of 64: an odd number of 16-byte chunks)
#include "AttendPrefillMma.cuh"

namespace {
template <class T, int HEAD_SIZE>
struct Rows {
    using Out = T;
    using Products = T;
    static constexpr int HEAD = HEAD_SIZE;
    using S = Shape<HEAD>;

    struct Tiles {
        const Request& r;
        const RowTile& tile;
        const u32 memory;
        const u16* kv;
        const int* table;
        const int firstKey;

        INLINE Tiles(const Request& r, const RowTile& tile, u32 memory)
            : r(r), tile(tile), memory(memory), kv((const u16*)r.kv + (long long)blockIdx.x * r.blockSize * HEAD),
              table(r.blockTables + (long long)tile.sequence * r.tableStride),
              firstKey(r.window > 0 ? max(0, tile.firstPosition - r.window + 1) : 0) {}

        INLINE void query(u32 to, int group, int packedRows) {
            for (int piece = threadIdx.x; piece < ROWS * S::CHUNKS; piece += WARPS * 32) {
                int row = piece / S::CHUNKS, chunk = piece - row * S::CHUNKS;
                int packed = tile.tile * ROWS + row;
                int token = packed / group, head = packed - token * group;
                copy16(to + S::offset(row, chunk),
                       r.query + (long long)(tile.row + token) * r.queryStride + (blockIdx.x * group + head) * HEAD + chunk * 8,
                       packed < packedRows);
            }
        }
        INLINE void fetch(int n) {
            constexpr int WARP_KEYS = S::KEYS / WARPS;
            const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
            const u32 keys = memory, values = memory + 2 * S::TILE;
            int token = n * S::KEYS + warp * WARP_KEYS + lane % WARP_KEYS;
            bool real = n >= tile.begin && token >= firstKey && token <= tile.lastPosition;
            u32 row = 0;
            if (real) {
                int block = token / r.blockSize;
                row = (u32)((table[block] * r.blockStride + (long long)(token - block * r.blockSize) * HEAD) >> 3);
            }
            u32 realRows = __ballot_sync(~0u, real);
            const u32 stage = (n & 1) * S::TILE;
            if (n >= tile.begin) {
                #pragma unroll
                for (int i = 0; i < WARP_KEYS * S::CHUNKS / 32; i++) {
                    int piece = i * 32 + lane;
                    int k = piece / S::CHUNKS, chunk = piece - k * S::CHUNKS;
                    const u16* from = kv + (((u64)__shfl_sync(~0u, row, k) + chunk) << 3);
                    u32 to = stage + S::offset(warp * WARP_KEYS + k, chunk);
                    copy16(keys + to, from, realRows >> k & 1);
                    copy16(values + to, from + r.valueOffset, realRows >> k & 1);
                }
            }
            copyCommit();
        }
        INLINE void ready(int) {}
        INLINE u32 keys(int n) const { return memory + (n & 1) * S::TILE; }
        INLINE u32 values(int n) const { return memory + 2 * S::TILE + (n & 1) * S::TILE; }
    };
};
}  // namespace

#define ROWS_OF(TYPE, HEAD) Rows<TYPE, HEAD>
#define ATTEND_PREFILL_HEADS(PREFIX, TYPE)            \
    ATTEND_PREFILL(PREFIX##_64, ROWS_OF(TYPE, 64), 128, 3)     \
    ATTEND_PREFILL(PREFIX##_80, ROWS_OF(TYPE, 80), 128, 2)     \
    ATTEND_PREFILL(PREFIX##_96, ROWS_OF(TYPE, 96), 128, 2)     \
    ATTEND_PREFILL(PREFIX##_128, ROWS_OF(TYPE, 128), 128, 2)   \
    ATTEND_PREFILL(PREFIX##_256, ROWS_OF(TYPE, 256), 128, 1)

ATTEND_PREFILL_HEADS(attend_prefill_bf16, Bf16)
ATTEND_PREFILL_HEADS(attend_prefill_f16, F16)
