// Decode attention over keys and values of e4m3 with a scale of each token and head: half the bytes. Arguments:
// AttendDecode.cuh; strides and offsets in bytes. Scales: Fp8.cuh; they begin at 2 * valueOffset of a block.
//
//   attend_decode_fp8_TYPE_HEAD_COLUMNS, TYPE that of queries and output
//
// Products are of f16, which holds every e4m3 number; no element is multiplied by a scale. A token's score is multiplied by
// its key's. With s the score and v the scale of its value, a value counts by p = v * 2^s / 2^m, m the largest s + log2 v, and
// the sum of exponentials gets p / v: then p is at most 1, where it is rounded to f16, and what is summed is as in softmax.
#include "AttendDecode.cuh"
#include "Fp8Tile.cuh"

namespace {
template <class T, int HEAD_SIZE>
struct RowsFp8 {
    using Out = T;
    using Products = F16;
    using Element = unsigned char;
    static constexpr int HEAD = HEAD_SIZE, CHUNK = 4;
    using S = Stage<HEAD, 4 * TOKENS>;

    // In registers a lane has four neighbouring elements of a chunk where products expect two pairs: the elements of a chunk
    // are multiplied in another order, queries' too.
    static constexpr int QUERY_STEP = 4, QUERY_SECOND = 2;
    static INLINE u32 query(u32 pair) { return ToHalf<T>::convert(pair); }

    // Chunks of two steps, of tokens 0 to 7 and 8 to 15.
    struct Loaded {
        u32 r[4];
    };
    static INLINE u32 address(u32 rows, int k, int lane) {
        const int chunk = S::CHUNKS % 2 == 0 || k + 1 < S::CHUNKS ? k + (lane >> 4) : k;
        return rows + S::offset(lane & 15, chunk);
    }
    static INLINE void keys(u32 (&a)[4], Loaded& loaded, u32 keys, int k, int lane) {
        if (k % 2 == 0) loadMatrices(loaded.r, address(keys, k, lane));
        const u32 low = loaded.r[k % 2 * 2], high = loaded.r[k % 2 * 2 + 1];
        a[0] = e4m3_to_f16x2(low);
        a[1] = e4m3_to_f16x2(high);
        a[2] = e4m3_to_f16x2(low >> 16);
        a[3] = e4m3_to_f16x2(high >> 16);
    }
    // A register has elements 2i and 2i + 1 of one token, then of the next: row i of the operand is element 2i, row i + 8 the
    // one after it.
    static INLINE void values(u32 (&a)[4], Loaded& loaded, u32 values, int k, int lane) {
        if (k % 2 == 0) loadMatricesTransposed(loaded.r, address(values, k, lane));
        const u32 low = __byte_perm(loaded.r[k % 2 * 2], 0, 0x3120), high = __byte_perm(loaded.r[k % 2 * 2 + 1], 0, 0x3120);
        a[0] = e4m3_to_f16x2(low);
        a[1] = e4m3_to_f16x2(low >> 16);
        a[2] = e4m3_to_f16x2(high);
        a[3] = e4m3_to_f16x2(high >> 16);
    }
    static constexpr int SUM_STEP = 2, SUM_SECOND = 1;

    static INLINE void issueScales(const Work& work, const Item& item, long long block, int slot, int lane, u32 stage) {
        const unsigned char* from = (const unsigned char*)work.kv + block * work.blockStride + 2 * work.valueOffset
                + 4 * (item.kvHead * work.blockSize + slot);
        if (lane < TOKENS) copy4(stage + 2 * S::KEYS + lane * 4, from, true);
    }
    static INLINE void issueNoScales(const Work& work, int lane, u32 stage) {
        if (lane < TOKENS) copy4(stage + 2 * S::KEYS + lane * 4, work.kv, false);
    }

    // Of a lane's two tokens, lane / 4 and the eighth after it.
    struct Scales {
        float key[2], exponent[2], inverse[2];
        INLINE Scales(u32 stage, int lane) {
            #pragma unroll
            for (int i = 0; i < 2; i++) {
                const u32 word = loadShared(stage + 2 * S::KEYS + (lane / 4 + i * 8) * 4);
                // What is not there has 0 for a scale.
                const float value = fmaxf(value_scale(word), 0x1p-14f);
                key[i] = key_scale(word);
                exponent[i] = log2Fast(value);
                inverse[i] = reciprocalFast(value);
            }
        }
        INLINE float ofKey(float score, int i) const { return score * key[i]; }
        INLINE float weigh(float score, int i) const { return score + exponent[i]; }
        INLINE float unweigh(float probability, int i) const { return probability * inverse[i]; }
    };
};
}  // namespace

#define ROWS(TYPE, HEAD) RowsFp8<TYPE, HEAD>
// Warps and stages by how much shared memory there is: 227 KiB on Hopper, 99 KiB on the smaller of those before.
#if __CUDA_ARCH__ >= 900
#define ATTEND_DECODE_HEADS(PREFIX, TYPE)                        \
    ATTEND_DECODE(PREFIX##_64_8, ROWS(TYPE, 64), 8, 8, 4)        \
    ATTEND_DECODE(PREFIX##_64_16, ROWS(TYPE, 64), 16, 8, 4)      \
    ATTEND_DECODE(PREFIX##_80_8, ROWS(TYPE, 80), 8, 8, 4)        \
    ATTEND_DECODE(PREFIX##_96_8, ROWS(TYPE, 96), 8, 8, 4)        \
    ATTEND_DECODE(PREFIX##_128_4, ROWS(TYPE, 128), 4, 8, 5)      \
    ATTEND_DECODE(PREFIX##_128_8, ROWS(TYPE, 128), 8, 8, 4)      \
    ATTEND_DECODE(PREFIX##_128_16, ROWS(TYPE, 128), 16, 4, 8)    \
    ATTEND_DECODE(PREFIX##_256_4, ROWS(TYPE, 256), 4, 4, 4)      \
    ATTEND_DECODE(PREFIX##_256_8, ROWS(TYPE, 256), 8, 4, 4)
#else
#define ATTEND_DECODE_HEADS(PREFIX, TYPE)                        \
    ATTEND_DECODE(PREFIX##_64_8, ROWS(TYPE, 64), 8, 4, 4)        \
    ATTEND_DECODE(PREFIX##_64_16, ROWS(TYPE, 64), 16, 4, 4)      \
    ATTEND_DECODE(PREFIX##_80_8, ROWS(TYPE, 80), 8, 4, 4)        \
    ATTEND_DECODE(PREFIX##_96_8, ROWS(TYPE, 96), 8, 4, 4)        \
    ATTEND_DECODE(PREFIX##_128_4, ROWS(TYPE, 128), 4, 4, 4)      \
    ATTEND_DECODE(PREFIX##_128_8, ROWS(TYPE, 128), 8, 4, 4)      \
    ATTEND_DECODE(PREFIX##_128_16, ROWS(TYPE, 128), 16, 3, 4)    \
    ATTEND_DECODE(PREFIX##_256_4, ROWS(TYPE, 256), 4, 2, 4)      \
    ATTEND_DECODE(PREFIX##_256_8, ROWS(TYPE, 256), 8, 2, 4)
#endif

ATTEND_DECODE_HEADS(attend_decode_fp8_bf16, Bf16)
ATTEND_DECODE_HEADS(attend_decode_fp8_f16, F16)
