// Causal attention of chunks of prompts over block tables, with the products of any GPU since Ampere (FlashAttention-2,
// arXiv:2307.08691). Hopper has a faster one in AttendPrefillWgmma.cu; arguments of both: AttendPrefill.cuh.
//
// The query heads of a kv head are packed: row i of a sequence's tile sequence is head i % group of token i / group. A
// block has 64 such rows, 16 for each of its four warps, and walks over tiles of KEYS keys from the last to the first,
// fetching the next tile while it computes.
//
//   grid: (kvHeadCount, at least the number of row tiles: sum of ceil(rows * group / 64) over sequences)
//   block: 128 threads   shared memory: (64 + 4 * KEYS) * row bytes, KEYS = 64 (HEAD 256: 32), row bytes = 2 * HEAD
//   (HEAD not a multiple of 64: an odd number of 16-byte chunks)
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

template <class T, int HEAD>
INLINE void attend(const Request& r) {
    using S = Shape<HEAD>;
    constexpr int STEPS = HEAD / 16, COLUMNS = S::KEYS / 8, WARP_KEYS = S::KEYS / WARPS;
    extern __shared__ __align__(128) unsigned char shared[];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int group = r.headCount / r.kvHeadCount;
    const u32 query = sharedAddress(shared), keys = query + ROWS * S::ROW, values = keys + 2 * S::TILE;
    awaitPredecessor();
    const RowTile tile = findTile<ROWS>(r, blockIdx.y, group, S::KEYS);
    if (tile.sequence < 0) return;
    const int packedRows = tile.rows * group;

    for (int piece = threadIdx.x; piece < ROWS * S::CHUNKS; piece += WARPS * 32) {
        int row = piece / S::CHUNKS, chunk = piece - row * S::CHUNKS;
        int packed = tile.tile * ROWS + row;
        int token = packed / group, head = packed - token * group;
        copy16(query + S::offset(row, chunk),
               r.query + (long long)(tile.row + token) * r.queryStride + (blockIdx.x * group + head) * HEAD + chunk * 8,
               packed < packedRows);
    }

    const u16* kv = r.kv + (long long)blockIdx.x * r.blockSize * HEAD;
    const int* table = r.blockTables + (long long)tile.sequence * r.tableStride;
    const int firstKey = r.window > 0 ? max(0, tile.firstPosition - r.window + 1) : 0;
    auto fetch = [&](int n) {
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
    };

    const int packed0 = tile.tile * ROWS + warp * 16 + lane / 4;
    const int start = tile.context - tile.rows;
    const int position0 = min(tile.context - 1, start + packed0 / group);
    const int position1 = min(tile.context - 1, start + (packed0 + 8) / group);
    const float exponent = (r.softcap > 0 ? 1.0f : r.scale) * 1.4426950408889634f;
    float sum[HEAD / 8][4] = {};
    float maximum[2] = {NEGATIVE_INFINITY, NEGATIVE_INFINITY}, total[2] = {0, 0};

    fetch(tile.end - 1);
    for (int n = tile.end - 1; n >= tile.begin; n--) {
        fetch(n - 1);
        copyWait<1>();
        __syncthreads();
        const u32 stage = (n & 1) * S::TILE;

        float score[COLUMNS][4] = {};
        #pragma unroll
        for (int k = 0; k < STEPS; k++) {
            u32 a[4];
            loadMatrices(a, query + S::offset(warp * 16 + (lane & 15), k * 2 + (lane >> 4)));
            #pragma unroll
            for (int j = 0; j < COLUMNS; j += 2) {
                u32 b[4];
                loadMatrices(b, keys + stage + S::offset(j * 8 + (lane & 7) + (lane >> 4) * 8, k * 2 + ((lane >> 3) & 1)));
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
                loadMatricesTransposed(b, values + stage + S::offset(k * 16 + (lane & 15), d + (lane >> 4)));
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
        const float inverse = 1.0f / l;
        const int packed = packed0 + h * 8;
        if (packed >= packedRows) continue;
        const int token = packed / group, head = packed - token * group;
        u16* to = r.out + (long long)(tile.row + token) * r.outStride + (blockIdx.x * group + head) * HEAD + (lane & 3) * 2;
        #pragma unroll
        for (int d = 0; d < HEAD / 8; d++) {
            *(u32*)(to + d * 8) = T::pack(sum[d][h * 2] * inverse, sum[d][h * 2 + 1] * inverse);
        }
    }
}
}  // namespace

#define ATTEND_PREFILL_HEADS(PREFIX, TYPE)            \
    ATTEND_PREFILL(PREFIX##_64, TYPE, 64, 128, 3)     \
    ATTEND_PREFILL(PREFIX##_80, TYPE, 80, 128, 2)     \
    ATTEND_PREFILL(PREFIX##_96, TYPE, 96, 128, 2)     \
    ATTEND_PREFILL(PREFIX##_128, TYPE, 128, 128, 2)   \
    ATTEND_PREFILL(PREFIX##_256, TYPE, 256, 128, 1)

ATTEND_PREFILL_HEADS(attend_prefill_bf16, Bf16)
ATTEND_PREFILL_HEADS(attend_prefill_f16, F16)
