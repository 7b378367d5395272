// Causal attention of chunks of prompts over keys and values of e4m3 with a scale of each token and head, with Hopper's
// warpgroup products. Arguments: AttendPrefill.cuh, strides and offsets of keys and values in bytes; the rest
// AttendPrefillWgmma.cuh; scales: Fp8.cuh, they begin at 2 * valueOffset of a block. For targets but sm_90a this file has no
// kernels.
//
// The warpgroup that fetches has stored rows copied to a ring of its own, ahead, and turns them into f16 where products read
// them, scales included. Each thread turns what it copied itself.
//
//   shared memory: RAW * KEYS * (HEAD + 4) bytes more, RAW = 3 (HEAD 256: 2)
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#include "AttendPrefillWgmma.cuh"
#include "Fp8Tile.cuh"

namespace {
template <class T, int HEAD_SIZE>
struct RowsFp8 {
    using Out = T;
    using Products = F16;
    static constexpr int HEAD = HEAD_SIZE;
    using S = Shape<HEAD>;
    static constexpr int RAW = HEAD > 128 ? 2 : 3;
    static constexpr int WARP_ROWS = S::KEYS / 4;
    static constexpr int STORED = HEAD / 16;  // chunks of a stored row
    static constexpr int PIECES = WARP_ROWS * STORED;
    static constexpr u32 RAW_SCALES = S::KEYS * HEAD;
    static constexpr u32 RAW_STAGE = RAW_SCALES + S::KEYS * 4;
    static_assert(PIECES % 32 == 0, "all lanes copy as much");

    static INLINE void fetchQuery(const Request& r, const RowTile& tile, int kvHead, int group, u32 query, u32 barriers,
            Ring<1> turn) {
        const int lane = threadIdx.x & 31, warp = (threadIdx.x >> 5) & 3;
        barrierWait(barriers + QUERY_EMPTY, turn.phase ^ 1);
        #pragma unroll 1
        for (int i = 0; i < S::CHUNKS; i++) {
            int piece = i * 32 + lane;
            int row = warp * 32 + piece / S::CHUNKS, chunk = piece % S::CHUNKS;
            int packed = tile.tile * ROWS + row;
            int token = packed / group, head = packed - token * group;
            const u16* from = r.query + (long long)(tile.row + token) * r.queryStride + (kvHead * group + head) * HEAD + chunk * 8;
            storeQuery<T>(query + swizzled(row, chunk, S::QUERY_COLUMN), from, packed < tile.rows * group);
        }
        fenceShared();
        barrierArrive(barriers + QUERY_FULL);
    }

    static constexpr u32 NOWHERE = ~0u;

    // Where the row of this lane's token is, for tiles from the last to the first, looked up one tile ahead.
    struct Source {
        const Request& r;
        const RowTile& tile;
        const int* table;
        const int first, token0;
        int n;
        u32 at, nextAt;  // of the block, in chunks; NOWHERE where there is no token
        int slot, nextSlot;

        INLINE Source(const Request& r, const RowTile& tile)
            : r(r), tile(tile), table(r.blockTables + (long long)tile.sequence * r.tableStride),
              first(r.window > 0 ? max(0, tile.firstPosition - r.window + 1) : 0),
              token0(((threadIdx.x >> 5) & 3) * WARP_ROWS + (threadIdx.x & 31) % WARP_ROWS), n(tile.end - 1) {
            look(n);
            move();
        }
        INLINE void look(int tileNumber) {
            const int token = tileNumber * S::KEYS + token0;
            nextAt = NOWHERE;
            nextSlot = 0;
            if (tileNumber >= tile.begin && token >= first && token <= tile.lastPosition) {
                const int block = token / r.blockSize;
                nextSlot = token - block * r.blockSize;
                nextAt = (u32)(table[block] * r.blockStride >> 4);
            }
        }
        INLINE void move() {
            at = nextAt;
            slot = nextSlot;
            look(n - 1);
        }
        INLINE void next() {
            n--;
            move();
        }
    };

    // Copies keys (part 0) or values of the source's tile.
    static INLINE void issue(const Request& r, const Source& source, int kvHead, int part, u32 raw) {
        const int lane = threadIdx.x & 31, warp = (threadIdx.x >> 5) & 3;
        if (source.n >= source.tile.begin) {
            const unsigned char* kv = (const unsigned char*)r.kv;
            const bool real = source.at != NOWHERE;
            const int slots = kvHead * r.blockSize + source.slot;
            const u32 row = real ? source.at + (part ? (u32)(r.valueOffset >> 4) : 0) + slots * STORED : 0;
            const u32 realRows = __ballot_sync(~0u, real);
            #pragma unroll 2
            for (int i = 0; i < PIECES / 32; i++) {
                int piece = i * 32 + lane;
                int k = piece / STORED, chunk = piece - k * STORED;
                copy16(raw + (warp * PIECES + piece) * 16, kv + (((u64)__shfl_sync(~0u, row, k) + chunk) << 4), realRows >> k & 1);
            }
            if (lane < WARP_ROWS) {
                copy4(raw + RAW_SCALES + (warp * WARP_ROWS + lane) * 4,
                      kv + (real ? ((u64)source.at << 4) + 2 * r.valueOffset + 4 * slots : 0), real);
            }
        }
        copyCommit();
    }

    // Turns what this thread copied.
    static INLINE void turnInto(u32 to, u32 raw, u32 half) {
        const int lane = threadIdx.x & 31, warp = (threadIdx.x >> 5) & 3;
        #pragma unroll 1
        for (int i = 0; i < PIECES / 32; i++) {
            int piece = i * 32 + lane;
            int k = piece / STORED, chunk = piece - k * STORED;
            int row = warp * WARP_ROWS + k;
            const u32 word = loadShared(raw + RAW_SCALES + row * 4);
            storeScaled(to + swizzled(row, 2 * chunk, S::KEY_COLUMN), to + swizzled(row, 2 * chunk + 1, S::KEY_COLUMN),
                        raw + (warp * PIECES + piece) * 16, __byte_perm(word, 0, half));
        }
    }

    static INLINE void fetch(const Request& r, const RowTile& tile, int kvHead, u32 keys, u32 values, u32 barriers,
            Ring<STAGES>& turn) {
        const u32 rawMemory = values + STAGES * S::STAGE;
        const int parts = 2 * (tile.end - tile.begin);
        Source source(r, tile);
        int issued = 0;
        u32 toIssue = 0, toTurn = 0;  // offsets in the ring
        auto issueNext = [&]() {
            issue(r, source, kvHead, issued & 1, rawMemory + toIssue);
            toIssue = toIssue == (RAW - 1) * RAW_STAGE ? 0 : toIssue + RAW_STAGE;
            if (issued & 1) source.next();
            issued++;
        };
        #pragma unroll 1
        for (int i = 0; i < RAW - 1; i++) issueNext();
        #pragma unroll 1
        for (int i = 0; i < parts; i++) {
            issueNext();
            copyWait<RAW - 1>();
            __syncwarp();
            const int part = i & 1;
            const u32 barrier = barriers + turn.stage * 8;
            barrierWait(barrier + (part ? VALUES_EMPTY : KEYS_EMPTY), turn.phase ^ 1);
            turnInto((part ? values : keys) + turn.stage * S::STAGE, rawMemory + toTurn, part ? 0x3232 : 0x1010);
            fenceShared();
            barrierArrive(barrier + (part ? VALUES_FULL : KEYS_FULL));
            toTurn = toTurn == (RAW - 1) * RAW_STAGE ? 0 : toTurn + RAW_STAGE;
            if (part) turn.next();
            __syncwarp();
        }
    }
};
}  // namespace

#define ROWS_OF(TYPE, HEAD) RowsFp8<TYPE, HEAD>
#define ATTEND_PREFILL_HEADS(PREFIX, TYPE)    \
    ATTEND_PREFILL(PREFIX##_64, ROWS_OF(TYPE, 64), 384, 1)     \
    ATTEND_PREFILL(PREFIX##_80, ROWS_OF(TYPE, 80), 384, 1)     \
    ATTEND_PREFILL(PREFIX##_96, ROWS_OF(TYPE, 96), 384, 1)     \
    ATTEND_PREFILL(PREFIX##_128, ROWS_OF(TYPE, 128), 384, 1)   \
    ATTEND_PREFILL(PREFIX##_256, ROWS_OF(TYPE, 256), 384, 1)

ATTEND_PREFILL_HEADS(attend_prefill_wgmma_fp8_bf16, Bf16)
ATTEND_PREFILL_HEADS(attend_prefill_wgmma_fp8_f16, F16)
#endif
