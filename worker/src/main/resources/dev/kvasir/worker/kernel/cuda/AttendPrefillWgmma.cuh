// What the kernels with Hopper's warpgroup products share: causal attention of chunks of prompts over block tables
// (FlashAttention-3, arXiv:2407.08608), whatever keys and values are stored in. For sm_90a alone.
//
// Arguments: AttendPrefill.cuh.
//
// The query heads of a kv head are packed: row i of a sequence's tile sequence is head i % group of token i / group. A
// block computes tiles of 128 such rows, 64 in each of two warpgroups, which take turns at the tensor cores; a third fetches
// queries, and keys and values row by row through the block table, and runs ahead into the block's next tile. Tiles of keys
// are walked from the last to the first, the long tiles of rows come first.
//
//   grid: (kvHeadCount, at least the number of row tiles: sum of ceil(rows * group / 128) over sequences), a tile for each
//   block; or (blocks, 1): these take all tiles of all kv heads in rounds. As many blocks as multiprocessors are best for
//   one sequence; several are balanced better by the device than by rounds. Where keys are split, (kvHeadCount, number of
//   row tiles, parts)
//   block: 384 threads
//   shared memory: 1024 + (128 + 4 * KEYS) * COLUMNS * 128 bytes, KEYS = 128 (HEAD 256: 64), COLUMNS = ceil(HEAD / 64)
//
// How rows are stored is a class R: types Out and Products, HEAD, and what the third warpgroup does, fetchQuery and fetch
#pragma once
#include "AttendPrefill.cuh"
#include "Warpgroup.cuh"

namespace {
constexpr int ROWS = 128;
constexpr int STAGES = 2;

INLINE u32 swizzled(int row, int chunk, u32 columnBytes) {
    return (chunk >> 3) * columnBytes + row * 128 + (((chunk & 7) ^ (row & 7)) << 4);
}

template <int HEAD>
struct Shape {
    static constexpr int KEYS = HEAD > 128 ? 64 : 128;
    static constexpr int CHUNKS = HEAD / 8;
    static constexpr int COLUMNS = (HEAD + 63) / 64;
    static constexpr u32 QUERY_COLUMN = ROWS * 128;
    static constexpr u32 KEY_COLUMN = KEYS * 128;
    static constexpr u32 STAGE = COLUMNS * KEY_COLUMN;
    // Output columns are computed in PARTS products of WIDTH each.
    static constexpr int PARTS = HEAD > 128 ? 2 : 1;
    static constexpr int WIDTH = HEAD / PARTS;
};

// Barriers, 8 bytes each: two of a kind for keys and values, one for queries.
enum { KEYS_FULL = 0, KEYS_EMPTY = 16, VALUES_FULL = 32, VALUES_EMPTY = 48, QUERY_FULL = 64, QUERY_EMPTY = 72, BARRIERS = 10 };

template <class T, class Out, int HEAD, bool SPLIT>
INLINE void compute(const Request& r, const RowTile& tile, int unit, int kvHead, int group, u32 query, u32 keys, u32 values,
        u32 barriers, Ring<1>& queryTurn, Ring<STAGES>& keyTurn) {
    using S = Shape<HEAD>;
    constexpr int SCORES = S::KEYS / 2;
    const int lane = threadIdx.x & 31, warp = (threadIdx.x >> 5) & 3;
    const int warpgroup = __shfl_sync(~0u, threadIdx.x >> 7, 0);  // known to be uniform

    // The two rows of a thread: packed index, position.
    const int packed0 = tile.tile * ROWS + warpgroup * 64 + warp * 16 + lane / 4;
    const int start = tile.context - tile.rows;
    const int position0 = min(tile.context - 1, start + packed0 / group);
    const int position1 = min(tile.context - 1, start + (packed0 + 8) / group);
    const float exponent = (r.softcap > 0 ? 1.0f : r.scale) * 1.4426950408889634f;
    const u64 queryMatrix = matrix(query + warpgroup * 64 * 128, S::QUERY_COLUMN);

    float score[SCORES];
    float sum[S::PARTS][S::WIDTH / 2];
    u32 p[S::KEYS / 16][4];
    float maximum[2] = {NEGATIVE_INFINITY, NEGATIVE_INFINITY}, total[2] = {0, 0};

    auto multiplyKeys = [&](int stage) {
        fenceProducts();
        const u64 keyMatrix = matrix(keys + stage * S::STAGE, S::KEY_COLUMN);
        #pragma unroll
        for (int k = 0; k < HEAD / 16; k++) {
            multiply(T(), score, queryMatrix + (((k >> 2) * S::QUERY_COLUMN + (k & 3) * 32) >> 4),
                     keyMatrix + (((k >> 2) * S::KEY_COLUMN + (k & 3) * 32) >> 4), k > 0);
        }
        commitProducts();
    };
    auto multiplyValues = [&](int stage) {
        fenceProducts();
        #pragma unroll
        for (int k = 0; k < S::KEYS / 16; k++) {
            #pragma unroll
            for (int part = 0; part < S::PARTS; part++) {
                multiplyTransposed(T(), sum[part], p[k],
                        matrix(values + stage * S::STAGE + part * (S::WIDTH / 64) * S::KEY_COLUMN + k * 2048, S::KEY_COLUMN));
            }
        }
        commitProducts();
    };
    // Scores to exponentials; returns the factors of what was summed before.
    auto exponentials = [&](int n, float (&correction)[2]) {
        if (r.softcap > 0) {
            const float inside = r.scale / r.softcap;
            #pragma unroll
            for (int i = 0; i < SCORES; i++) score[i] = r.softcap * tanhFast(score[i] * inside);
        }
        if ((n + 1) * S::KEYS > tile.firstPosition + 1 || (r.window > 0 && n * S::KEYS < tile.lastPosition - r.window + 1)) {
            const int key = n * S::KEYS + (lane & 3) * 2;
            const int low0 = r.window > 0 ? position0 - r.window : -1, low1 = r.window > 0 ? position1 - r.window : -1;
            #pragma unroll
            for (int i = 0; i < SCORES; i++) {
                int at = key + (i / 4) * 8 + (i & 1);
                bool seen = i & 2 ? at <= position1 && at > low1 : at <= position0 && at > low0;
                if (!seen) score[i] = NEGATIVE_INFINITY;
            }
        }
        #pragma unroll
        for (int h = 0; h < 2; h++) {
            float m = maximum[h];
            #pragma unroll
            for (int i = 0; i < SCORES / 2; i++) m = fmaxf(m, score[(i / 2) * 4 + h * 2 + (i & 1)]);
            m = fmaxf(m, __shfl_xor_sync(~0u, m, 1));
            m = fmaxf(m, __shfl_xor_sync(~0u, m, 2));
            float shift = m == NEGATIVE_INFINITY ? 0.0f : m * exponent;
            correction[h] = exp2Fast(maximum[h] * exponent - shift);
            maximum[h] = m;
            float t = 0;
            #pragma unroll
            for (int i = 0; i < SCORES / 2; i++) {
                float& x = score[(i / 2) * 4 + h * 2 + (i & 1)];
                x = exp2Fast(x * exponent - shift);
                t += x;
            }
            total[h] = total[h] * correction[h] + t;
        }
    };
    // The warpgroups issue products in turns: while one multiplies, the other takes exponentials.
    auto awaitTurn = [&]() {
        asm volatile("bar.sync %0, 256;" ::"r"(warpgroup + 3) : "memory");
    };
    auto passTurn = [&]() {
        asm volatile("bar.arrive %0, 256;" ::"r"(4 - warpgroup) : "memory");
    };
    auto packScores = [&]() {
        #pragma unroll
        for (int i = 0; i < SCORES / 2; i++) p[i / 4][i & 3] = T::pack(score[2 * i], score[2 * i + 1]);
    };

    #pragma unroll
    for (int part = 0; part < S::PARTS; part++) {
        #pragma unroll
        for (int i = 0; i < S::WIDTH / 2; i++) sum[part][i] = 0;
    }
    float correction[2];
    barrierWait(barriers + QUERY_FULL, queryTurn.phase);
    barrierWait(barriers + KEYS_FULL + keyTurn.stage * 8, keyTurn.phase);
    fenceShared();
    awaitTurn();
    multiplyKeys(keyTurn.stage);
    passTurn();
    waitProducts<0>();
    if (lane == 0) barrierArrive(barriers + KEYS_EMPTY + keyTurn.stage * 8);
    exponentials(tile.end - 1, correction);
    packScores();
    for (int n = tile.end - 2; n >= tile.begin; n--) {
        const Ring<STAGES> valueTurn = keyTurn;
        keyTurn.next();
        barrierWait(barriers + KEYS_FULL + keyTurn.stage * 8, keyTurn.phase);
        fenceShared();
        awaitTurn();
        multiplyKeys(keyTurn.stage);
        barrierWait(barriers + VALUES_FULL + valueTurn.stage * 8, valueTurn.phase);
        fenceShared();
        multiplyValues(valueTurn.stage);
        passTurn();
        waitProducts<1>();
        if (lane == 0) barrierArrive(barriers + KEYS_EMPTY + keyTurn.stage * 8);
        exponentials(n, correction);
        waitProducts<0>();
        if (lane == 0) barrierArrive(barriers + VALUES_EMPTY + valueTurn.stage * 8);
        packScores();
        if (__any_sync(~0u, correction[0] != 1 || correction[1] != 1)) {
            #pragma unroll
            for (int part = 0; part < S::PARTS; part++) {
                #pragma unroll
                for (int i = 0; i < S::WIDTH / 2; i++) sum[part][i] *= correction[i >> 1 & 1];
            }
        }
    }
    if (lane == 0) barrierArrive(barriers + QUERY_EMPTY);
    barrierWait(barriers + VALUES_FULL + keyTurn.stage * 8, keyTurn.phase);
    fenceShared();
    multiplyValues(keyTurn.stage);
    waitProducts<0>();
    if (lane == 0) barrierArrive(barriers + VALUES_EMPTY + keyTurn.stage * 8);
    queryTurn.next();
    keyTurn.next();

    #pragma unroll
    for (int h = 0; h < 2; h++) {
        float l = total[h];
        l += __shfl_xor_sync(~0u, l, 1);
        l += __shfl_xor_sync(~0u, l, 2);
        const int packed = packed0 + h * 8;
        if (packed >= tile.rows * group) continue;
        if (SPLIT && tile.parts > 1) {
            const Part<ROWS, HEAD> left(r, unit, blockIdx.z);
            const int row = packed - tile.tile * ROWS;
            if ((lane & 3) == 0) __stcg(left.ends + row, make_float2(maximum[h] * exponent, l));
            float* to = left.sums + row * HEAD + (lane & 3) * 2;
            #pragma unroll
            for (int part = 0; part < S::PARTS; part++) {
                #pragma unroll
                for (int i = 0; i < S::WIDTH / 8; i++) {
                    __stcg((float2*)(to + part * S::WIDTH + i * 8), make_float2(sum[part][i * 4 + h * 2], sum[part][i * 4 + h * 2 + 1]));
                }
            }
            continue;
        }
        const float inverse = 1.0f / l;
        const int token = packed / group, head = packed - token * group;
        u16* to = r.out + (long long)(tile.row + token) * r.outStride + (kvHead * group + head) * HEAD + (lane & 3) * 2;
        #pragma unroll
        for (int part = 0; part < S::PARTS; part++) {
            #pragma unroll
            for (int i = 0; i < S::WIDTH / 8; i++) {
                *(u32*)(to + part * S::WIDTH + i * 8) =
                        Out::pack(sum[part][i * 4 + h * 2] * inverse, sum[part][i * 4 + h * 2 + 1] * inverse);
            }
        }
    }
}

// Rounds go over the row tiles of all kv heads, every other one backwards: the first have the longest work.
template <bool SPLIT>
INLINE RowTile tileOfRound(const Request& r, int round, int group, int keysPerTile, int& unit, int& kvHead) {
    const int blocks = gridDim.x * gridDim.y, block = blockIdx.y * gridDim.x + blockIdx.x;
    unit = round * blocks + (round & 1 ? blocks - 1 - block : block);
    const int number = unit / r.kvHeadCount;
    kvHead = unit - number * r.kvHeadCount;
    return findTile<ROWS, SPLIT>(r, number, group, keysPerTile);
}

template <class R, bool SPLIT>
INLINE void attend(const Request& r) {
    using T = typename R::Products;
    constexpr int HEAD = R::HEAD;
    using S = Shape<HEAD>;
    extern __shared__ unsigned char shared[];
    __shared__ __align__(8) u64 barrierMemory[BARRIERS];
    const u32 query = (sharedAddress(shared) + 1023) & ~1023u;
    const u32 keys = query + S::COLUMNS * S::QUERY_COLUMN;
    const u32 values = keys + STAGES * S::STAGE;
    const u32 barriers = sharedAddress(barrierMemory);
    const int group = r.headCount / r.kvHeadCount;
    if (threadIdx.x == 0) {
        for (int s = 0; s < 16; s += 8) {
            barrierInit(barriers + KEYS_FULL + s, 128);
            barrierInit(barriers + VALUES_FULL + s, 128);
            barrierInit(barriers + KEYS_EMPTY + s, 8);
            barrierInit(barriers + VALUES_EMPTY + s, 8);
        }
        barrierInit(barriers + QUERY_FULL, 128);
        barrierInit(barriers + QUERY_EMPTY, 8);
        fenceShared();
    }
    __syncthreads();
    awaitPredecessor();
    const int rounds = gridDim.y == 1 ? 0x7fffffff : 1;
    Ring<1> queryTurn;
    Ring<STAGES> keyTurn;
    const int warpgroup = __shfl_sync(~0u, threadIdx.x >> 7, 0);
    if (warpgroup == 2) {
        shrinkRegisters<56>();
        for (int round = 0; round < rounds; round++) {
            int unit, kvHead;
            const RowTile tile = tileOfRound<SPLIT>(r, round, group, S::KEYS, unit, kvHead);
            if (tile.sequence < 0) break;
            if (SPLIT && (int)blockIdx.z >= tile.parts) continue;
            R::fetchQuery(r, tile, kvHead, group, query, barriers, queryTurn);
            queryTurn.next();
            R::fetch(r, tile, kvHead, keys, values, barriers, keyTurn);
        }
        copyCommit();
        copyWait<0>();
    } else {
        growRegisters<224>();
        if (warpgroup == 1) asm volatile("bar.arrive 3, 256;" ::: "memory");
        for (int round = 0; round < rounds; round++) {
            int unit, kvHead;
            const RowTile tile = tileOfRound<SPLIT>(r, round, group, S::KEYS, unit, kvHead);
            if (tile.sequence < 0) break;
            if (SPLIT && (int)blockIdx.z >= tile.parts) continue;
            compute<T, typename R::Out, HEAD, SPLIT>(r, tile, unit, kvHead, group, query, keys, values, barriers, queryTurn, keyTurn);
            if (SPLIT && tile.parts > 1) {
                mergeParts<typename R::Out, ROWS, HEAD, 256>(
                        r, tile, unit, kvHead, group, [] { asm volatile("bar.sync 5, 256;" ::: "memory"); });
            }
        }
    }
}
}  // namespace
