// What the kernels for any GPU since Ampere share: causal attention of chunks of prompts over block tables
// (FlashAttention-2, arXiv:2307.08691), whatever keys and values are stored in. Arguments: AttendPrefill.cuh.
//
// The query heads of a kv head are packed: row i of a sequence's tile sequence is head i % group of token i / group. A
// block has 64 such rows, 16 for each of its four warps, and walks over tiles of KEYS keys from the last to the first,
// fetching the next tile while it computes.
//
//   grid: (kvHeadCount, at least the number of row tiles: sum of ceil(rows * group / 64) over sequences, parts of keys)
//   block: 128 threads
//
// How rows are stored is a class R: types Out and Products, HEAD, and Tiles, which
//   query(..)     copies the tile's queries to shared memory, as Products
//   fetch(n)      begins to fetch tile n of keys and values
//   ready(n)      makes it Products, where it is not; called by all, when what each thread has copied is there
//   keys(n), values(n)   where it is then
#pragma once
#include "AttendPrefill.cuh"

namespace {
constexpr int ROWS = 64;
constexpr int WARPS = 4;

template <int HEAD>
struct Shape {
    static constexpr int KEYS = HEAD > 128 ? 32 : 64;
    static constexpr int CHUNKS = HEAD / 8;
    static constexpr bool SWIZZLED = CHUNKS % 8 == 0;
    static constexpr int ROW = (SWIZZLED ? CHUNKS : CHUNKS | 1) * 16;
    static constexpr int TILE = KEYS * ROW;
    static INLINE u32 offset(int row, int chunk) { return row * ROW + ((SWIZZLED ? chunk ^ (row & 7) : chunk) << 4); }
};

template <class R, bool SPLIT>
INLINE void attend(const Request& r) {
    using T = typename R::Products;
    constexpr int HEAD = R::HEAD;
    using S = Shape<HEAD>;
    constexpr int STEPS = HEAD / 16, COLUMNS = S::KEYS / 8;
    extern __shared__ __align__(128) unsigned char shared[];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int group = r.headCount / r.kvHeadCount;
    const u32 query = sharedAddress(shared);
    awaitPredecessor();
    const RowTile tile = findTile<ROWS, SPLIT>(r, blockIdx.y, group, S::KEYS);
    if (tile.sequence < 0 || (SPLIT && (int)blockIdx.z >= tile.parts)) return;
    const int packedRows = tile.rows * group;
    const int unit = blockIdx.y * gridDim.x + blockIdx.x;

    typename R::Tiles tiles(r, tile, query + ROWS * S::ROW);
    tiles.query(query, group, packedRows);

    const int packed0 = tile.tile * ROWS + warp * 16 + lane / 4;
    const int start = tile.context - tile.rows;
    const int position0 = min(tile.context - 1, start + packed0 / group);
    const int position1 = min(tile.context - 1, start + (packed0 + 8) / group);
    const float exponent = (r.softcap > 0 ? 1.0f : r.scale) * 1.4426950408889634f;
    float sum[HEAD / 8][4] = {};
    float maximum[2] = {NEGATIVE_INFINITY, NEGATIVE_INFINITY}, total[2] = {0, 0};

    tiles.fetch(tile.end - 1);
    for (int n = tile.end - 1; n >= tile.begin; n--) {
        tiles.fetch(n - 1);
        copyWait<1>();
        tiles.ready(n);
        __syncthreads();
        const u32 keys = tiles.keys(n), values = tiles.values(n);

        float score[COLUMNS][4] = {};
        #pragma unroll
        for (int k = 0; k < STEPS; k++) {
            u32 a[4];
            loadMatrices(a, query + S::offset(warp * 16 + (lane & 15), k * 2 + (lane >> 4)));
            #pragma unroll
            for (int j = 0; j < COLUMNS; j += 2) {
                u32 b[4];
                loadMatrices(b, keys + S::offset(j * 8 + (lane & 7) + (lane >> 4) * 8, k * 2 + ((lane >> 3) & 1)));
                T::multiply(score[j], a, b[0], b[1]);
                T::multiply(score[j + 1], a, b[2], b[3]);
            }
        }
        if (r.softcap > 0) {
            const float inside = r.scale / r.softcap;
            #pragma unroll
            for (int j = 0; j < COLUMNS; j++) {
                #pragma unroll
                for (int i = 0; i < 4; i++) score[j][i] = r.softcap * tanhFast(score[j][i] * inside);
            }
        }
        if ((n + 1) * S::KEYS > tile.firstPosition + 1 || (r.window > 0 && n * S::KEYS < tile.lastPosition - r.window + 1)) {
            const int low0 = r.window > 0 ? position0 - r.window : -1, low1 = r.window > 0 ? position1 - r.window : -1;
            #pragma unroll
            for (int j = 0; j < COLUMNS; j++) {
                #pragma unroll
                for (int i = 0; i < 4; i++) {
                    int at = n * S::KEYS + j * 8 + (lane & 3) * 2 + (i & 1);
                    bool seen = i & 2 ? at <= position1 && at > low1 : at <= position0 && at > low0;
                    if (!seen) score[j][i] = NEGATIVE_INFINITY;
                }
            }
        }
        #pragma unroll
        for (int h = 0; h < 2; h++) {
            float m = maximum[h];
            #pragma unroll
            for (int j = 0; j < COLUMNS; j++) m = fmaxf(m, fmaxf(score[j][h * 2], score[j][h * 2 + 1]));
            m = fmaxf(m, __shfl_xor_sync(~0u, m, 1));
            m = fmaxf(m, __shfl_xor_sync(~0u, m, 2));
            const float shift = m == NEGATIVE_INFINITY ? 0.0f : m * exponent;
            const float correction = exp2Fast(maximum[h] * exponent - shift);
            maximum[h] = m;
            float t = 0;
            #pragma unroll
            for (int j = 0; j < COLUMNS; j++) {
                #pragma unroll
                for (int i = h * 2; i < h * 2 + 2; i++) {
                    score[j][i] = exp2Fast(score[j][i] * exponent - shift);
                    t += score[j][i];
                }
            }
            total[h] = total[h] * correction + t;
            #pragma unroll
            for (int d = 0; d < HEAD / 8; d++) {
                sum[d][h * 2] *= correction;
                sum[d][h * 2 + 1] *= correction;
            }
        }
        #pragma unroll
        for (int k = 0; k < S::KEYS / 16; k++) {
            const u32 p[4] = {T::pack(score[2 * k][0], score[2 * k][1]), T::pack(score[2 * k][2], score[2 * k][3]),
                              T::pack(score[2 * k + 1][0], score[2 * k + 1][1]),
                              T::pack(score[2 * k + 1][2], score[2 * k + 1][3])};
            #pragma unroll
            for (int d = 0; d < HEAD / 8; d += 2) {
                u32 b[4];
                loadMatricesTransposed(b, values + S::offset(k * 16 + (lane & 15), d + (lane >> 4)));
                T::multiply(sum[d], p, b[0], b[1]);
                T::multiply(sum[d + 1], p, b[2], b[3]);
            }
        }
        __syncthreads();
    }

    #pragma unroll
    for (int h = 0; h < 2; h++) {
        float l = total[h];
        l += __shfl_xor_sync(~0u, l, 1);
        l += __shfl_xor_sync(~0u, l, 2);
        const int packed = packed0 + h * 8;
        if (packed >= packedRows) continue;
        if (SPLIT && tile.parts > 1) {
            const Part<ROWS, HEAD> left(r, unit, blockIdx.z);
            const int row = packed - tile.tile * ROWS;
            if ((lane & 3) == 0) __stcg(left.ends + row, make_float2(maximum[h] * exponent, l));
            float* to = left.sums + row * HEAD + (lane & 3) * 2;
            #pragma unroll
            for (int d = 0; d < HEAD / 8; d++) {
                __stcg((float2*)(to + d * 8), make_float2(sum[d][h * 2], sum[d][h * 2 + 1]));
            }
            continue;
        }
        const float inverse = 1.0f / l;
        const int token = packed / group, head = packed - token * group;
        u16* to = r.out + (long long)(tile.row + token) * r.outStride + (blockIdx.x * group + head) * HEAD + (lane & 3) * 2;
        #pragma unroll
        for (int d = 0; d < HEAD / 8; d++) {
            *(u32*)(to + d * 8) = R::Out::pack(sum[d][h * 2] * inverse, sum[d][h * 2 + 1] * inverse);
        }
    }
    if (SPLIT && tile.parts > 1) {
        mergeParts<typename R::Out, ROWS, HEAD, WARPS * 32>(r, tile, unit, blockIdx.x, group, [] { __syncthreads(); });
    }
}
}  // namespace
