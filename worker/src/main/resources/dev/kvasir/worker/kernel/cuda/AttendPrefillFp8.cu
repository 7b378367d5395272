// Causal attention of chunks of prompts over keys and values of e4m3 with a scale of each token and head, with the products
// of any GPU since Ampere. Arguments: AttendPrefill.cuh, strides and offsets of keys and values in bytes; the rest
// AttendPrefillMma.cuh; scales: Fp8.cuh, they begin at 2 * valueOffset of a block.
//
// A tile of keys and values is turned into f16 once, scales included: what is stored is in its range. Each thread
// turns what it copied itself. Queries are f16, too.
//
//   shared memory: (64 + 2 * KEYS) * row bytes + 4 * KEYS * HEAD, KEYS = 64 (HEAD 256: 32), row bytes = 2 * HEAD
//   (HEAD not a multiple of 64: an odd number of 16-byte chunks)
#include "AttendPrefillMma.cuh"
#include "Fp8Tile.cuh"

namespace {
template <class T, int HEAD_SIZE>
struct RowsFp8 {
    using Out = T;
    using Products = F16;
    static constexpr int HEAD = HEAD_SIZE;
    using S = Shape<HEAD>;

    struct Tiles {
        static constexpr int WARP_KEYS = S::KEYS / WARPS;
        static constexpr int STORED = HEAD / 16;  // chunks of a stored row
        static constexpr int PIECES = WARP_KEYS * STORED;
        static constexpr u32 STAGE = 2 * S::KEYS * HEAD;

        const Request& r;
        const RowTile& tile;
        const u32 memory;
        const unsigned char* kv;
        const unsigned char* scales;
        const int* table;
        const int firstKey;
        u32 word, nextWord;  // of the token of this lane, in the tile that is there and in the next

        INLINE Tiles(const Request& r, const RowTile& tile, u32 memory)
            : r(r), tile(tile), memory(memory),
              kv((const unsigned char*)r.kv + (long long)blockIdx.x * r.blockSize * HEAD),
              scales((const unsigned char*)r.kv + 2 * r.valueOffset + 4ll * blockIdx.x * r.blockSize),
              table(r.blockTables + (long long)tile.sequence * r.tableStride),
              firstKey(r.window > 0 ? max(0, tile.firstPosition - r.window + 1) : 0), word(0), nextWord(0) {}

        INLINE u32 stored(int n) const { return memory + 2 * S::TILE + (n & 1) * STAGE; }

        INLINE void query(u32 to, int group, int packedRows) {
            for (int piece = threadIdx.x; piece < ROWS * S::CHUNKS; piece += WARPS * 32) {
                int row = piece / S::CHUNKS, chunk = piece - row * S::CHUNKS;
                int packed = tile.tile * ROWS + row;
                int token = packed / group, head = packed - token * group;
                const u16* from = r.query + (long long)(tile.row + token) * r.queryStride
                        + (blockIdx.x * group + head) * HEAD + chunk * 8;
                storeQuery<T>(to + S::offset(row, chunk), from, packed < packedRows);
            }
        }
        INLINE void fetch(int n) {
            const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
            int token = n * S::KEYS + warp * WARP_KEYS + lane % WARP_KEYS;
            bool real = n >= tile.begin && token >= firstKey && token <= tile.lastPosition;
            u32 row = 0;
            word = nextWord;
            nextWord = 0;
            if (real) {
                int block = token / r.blockSize;
                int slot = token - block * r.blockSize;
                long long at = table[block] * r.blockStride;
                row = (u32)((at + (long long)slot * HEAD) >> 4);
                nextWord = *(const u32*)(scales + at + 4 * slot);
            }
            u32 realRows = __ballot_sync(~0u, real);
            if (n >= tile.begin) {
                const u32 to = stored(n) + warp * PIECES * 16;
                #pragma unroll
                for (int i = 0; i < (PIECES + 31) / 32; i++) {
                    int piece = i * 32 + lane;
                    int k = piece / STORED, chunk = piece - k * STORED;
                    const unsigned char* from = kv + (((u64)__shfl_sync(~0u, row, k) + chunk) << 4);
                    if (PIECES % 32 == 0 || piece < PIECES) {
                        copy16(to + piece * 16, from, realRows >> k & 1);
                        copy16(to + piece * 16 + S::KEYS * HEAD, from + r.valueOffset, realRows >> k & 1);
                    }
                }
            }
            copyCommit();
        }
        INLINE void ready(int n) {
            const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
            const u32 from = stored(n) + warp * PIECES * 16;
            #pragma unroll
            for (int i = 0; i < (PIECES + 31) / 32; i++) {
                int piece = i * 32 + lane;
                int k = piece / STORED, chunk = piece - k * STORED;
                const u32 scale = __shfl_sync(~0u, word, k);
                if (PIECES % 32 == 0 || piece < PIECES) {
                    const int row = warp * WARP_KEYS + k;
                    const u32 first = S::offset(row, 2 * chunk), second = S::offset(row, 2 * chunk + 1);
                    storeScaled(keys(n) + first, keys(n) + second, from + piece * 16, __byte_perm(scale, 0, 0x1010));
                    storeScaled(values(n) + first, values(n) + second, from + piece * 16 + S::KEYS * HEAD, __byte_perm(scale, 0, 0x3232));
                }
            }
        }
        INLINE u32 keys(int) const { return memory; }
        INLINE u32 values(int) const { return memory + S::TILE; }
    };
};
}  // namespace

#define ROWS_OF(TYPE, HEAD) RowsFp8<TYPE, HEAD>
#define ATTEND_PREFILL_HEADS(PREFIX, TYPE)            \
    ATTEND_PREFILL(PREFIX##_64, ROWS_OF(TYPE, 64), 128, 3)     \
    ATTEND_PREFILL(PREFIX##_80, ROWS_OF(TYPE, 80), 128, 2)     \
    ATTEND_PREFILL(PREFIX##_96, ROWS_OF(TYPE, 96), 128, 2)     \
    ATTEND_PREFILL(PREFIX##_128, ROWS_OF(TYPE, 128), 128, 2)   \
    ATTEND_PREFILL(PREFIX##_256, ROWS_OF(TYPE, 256), 128, 1)

ATTEND_PREFILL_HEADS(attend_prefill_fp8_bf16, Bf16)
ATTEND_PREFILL_HEADS(attend_prefill_fp8_f16, F16)
