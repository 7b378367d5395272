// Numbers of e4m3 and queries as f16 in shared memory.
#pragma once
#include "Fp8.cuh"
#include "Primitives.cuh"

// A pair of query elements as f16. bf16 numbers beyond its range, which no query has, become the largest; NaN stays.
template <class T>
struct ToHalf;
template <>
struct ToHalf<F16> {
    static INLINE u32 convert(u32 pair) { return pair; }
};
template <>
struct ToHalf<Bf16> {
    static INLINE float clamped(float x) { return x != x ? x : fminf(fmaxf(x, -65504.0f), 65504.0f); }
    static INLINE u32 convert(u32 pair) { return F16::pack(clamped(Bf16::low(pair)), clamped(Bf16::high(pair))); }
};

INLINE uint4 loadShared16(u32 address) {
    uint4 r;
    asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "r"(address) : "memory");
    return r;
}
INLINE void storeShared16(u32 address, uint4 x) {
    asm volatile("st.shared.v4.u32 [%0], {%1,%2,%3,%4};" ::"r"(address), "r"(x.x), "r"(x.y), "r"(x.z), "r"(x.w) : "memory");
}

// Eight elements of a query; zeros where `real` is false.
template <class T>
INLINE void storeQuery(u32 to, const u16* from, bool real) {
    uint4 x = make_uint4(0, 0, 0, 0);
    if (real) x = *(const uint4*)from;
    storeShared16(to, make_uint4(ToHalf<T>::convert(x.x), ToHalf<T>::convert(x.y), ToHalf<T>::convert(x.z), ToHalf<T>::convert(x.w)));
}

INLINE u32 multiplyHalves(u32 a, u32 b) {
    u32 r;
    asm("mul.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));
    return r;
}

// Sixteen stored numbers, times their scale in both halves of a word, to two chunks of eight.
INLINE void storeScaled(u32 first, u32 second, u32 from, u32 scale) {
    const uint4 x = loadShared16(from);
    auto low = [&](u32 four) { return multiplyHalves(e4m3_to_f16x2(four), scale); };
    auto high = [&](u32 four) { return multiplyHalves(e4m3_to_f16x2(four >> 16), scale); };
    storeShared16(first, make_uint4(low(x.x), high(x.x), low(x.y), high(x.y)));
    storeShared16(second, make_uint4(low(x.z), high(x.z), low(x.w), high(x.w)));
}
