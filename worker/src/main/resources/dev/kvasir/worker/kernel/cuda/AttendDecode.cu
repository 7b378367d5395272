// Decode attention over keys and values of the activations' type. Arguments: AttendDecode.cuh.
//
//   attend_decode_TYPE_HEAD_COLUMNS
#include "AttendDecode.cuh"

namespace {
template <class T, int HEAD_SIZE>
struct Rows {
    using Out = T;
    using Products = T;
    using Element = u16;
    static constexpr int HEAD = HEAD_SIZE, CHUNK = 3;
    using S = Stage<2 * HEAD, 0>;

    static constexpr int QUERY_STEP = 2, QUERY_SECOND = 8;
    static INLINE u32 query(u32 pair) { return pair; }

    struct Loaded {};
    static INLINE void keys(u32 (&a)[4], Loaded&, u32 keys, int k, int lane) {
        loadMatrices(a, keys + S::offset(lane & 15, k * 2 + (lane >> 4)));
    }
    static INLINE void values(u32 (&a)[4], Loaded&, u32 values, int k, int lane) {
        loadMatricesTransposed(a, values + S::offset((lane & 7) + (lane >> 4) * 8, k * 2 + ((lane >> 3) & 1)));
    }
    static constexpr int SUM_STEP = 1, SUM_SECOND = 8;

    static INLINE void issueScales(const Work&, const Item&, long long, int, int, u32) {}
    static INLINE void issueNoScales(const Work&, int, u32) {}
    struct Scales {
        INLINE Scales(u32, int) {}
        INLINE float ofKey(float score, int) const { return score; }
        INLINE float weigh(float score, int) const { return score; }
        INLINE float unweigh(float probability, int) const { return probability; }
    };
};
}  // namespace

#define ROWS(TYPE, HEAD) Rows<TYPE, HEAD>
// Warps and stages by how much shared memory there is: 227 KiB on Hopper, 99 KiB on the smaller of those before.
#if __CUDA_ARCH__ >= 900
#define ATTEND_DECODE_HEADS(PREFIX, TYPE)                \
    ATTEND_DECODE(PREFIX##_64_8, ROWS(TYPE, 64), 8, 8, 4)      \
    ATTEND_DECODE(PREFIX##_64_16, ROWS(TYPE, 64), 16, 8, 4)    \
    ATTEND_DECODE(PREFIX##_80_8, ROWS(TYPE, 80), 8, 8, 4)      \
    ATTEND_DECODE(PREFIX##_96_8, ROWS(TYPE, 96), 8, 8, 3)      \
    ATTEND_DECODE(PREFIX##_128_4, ROWS(TYPE, 128), 4, 8, 3)    \
    ATTEND_DECODE(PREFIX##_128_8, ROWS(TYPE, 128), 8, 6, 4)    \
    ATTEND_DECODE(PREFIX##_128_16, ROWS(TYPE, 128), 16, 4, 4)  \
    ATTEND_DECODE(PREFIX##_256_4, ROWS(TYPE, 256), 4, 4, 3)    \
    ATTEND_DECODE(PREFIX##_256_8, ROWS(TYPE, 256), 8, 3, 4)
#else
#define ATTEND_DECODE_HEADS(PREFIX, TYPE)                \
    ATTEND_DECODE(PREFIX##_64_8, ROWS(TYPE, 64), 8, 4, 4)      \
    ATTEND_DECODE(PREFIX##_64_16, ROWS(TYPE, 64), 16, 4, 4)    \
    ATTEND_DECODE(PREFIX##_80_8, ROWS(TYPE, 80), 8, 4, 3)      \
    ATTEND_DECODE(PREFIX##_96_8, ROWS(TYPE, 96), 8, 4, 2)      \
    ATTEND_DECODE(PREFIX##_128_4, ROWS(TYPE, 128), 4, 4, 2)    \
    ATTEND_DECODE(PREFIX##_128_8, ROWS(TYPE, 128), 8, 4, 2)    \
    ATTEND_DECODE(PREFIX##_128_16, ROWS(TYPE, 128), 16, 3, 2)  \
    ATTEND_DECODE(PREFIX##_256_4, ROWS(TYPE, 256), 4, 2, 2)    \
    ATTEND_DECODE(PREFIX##_256_8, ROWS(TYPE, 256), 8, 2, 2)
#endif

ATTEND_DECODE_HEADS(attend_decode_bf16, Bf16)
ATTEND_DECODE_HEADS(attend_decode_f16, F16)
