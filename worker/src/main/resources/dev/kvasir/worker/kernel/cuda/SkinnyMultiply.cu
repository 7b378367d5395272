// Matrix products of few rows, bound by reading the weight once: out[rows, n] = in[rows, k] . weight[n, k]^T.
//
//   skinny_multiply_TYPE_ROWS[_f32 | _gated]: at most ROWS rows (8 or 16). Arguments in order:
//   out             [rows, outStride], TYPE or float (_f32)
//   in              [rows, inStride]
//   weight          [n, k], dense; _gated has 2 * n rows, gates first: out = activation(gate) * up
//   bias            [n] or null; [2 * n] for _gated
//   outStride, inStride, rows, n, k     int; inStride and k multiples of 8
//   accumulate      int: whether the product is added to what `out` holds
//   activation      int, of _gated: Activation.cuh
//
// A block computes 16 columns of out (of gate and of up) for all rows. Its warps take stretches of k in turn; lane l reads
// 16 bytes of weight rows l / 4 and l / 4 + 8 straight into the registers of a 16 x 16 by 16 x 8 product, in which the
// weight's rows are the rows and the input's rows the columns: any order of k will do as long as both operands use it. Sums
// are float, the warps' results are added in their order: a row's result depends on no other row.
//
// The first weights are asked for before the predecessor of the stream has ended (they are nobody's output).
//
//   grid: ceil(n / 16)   block: 256 threads   no dynamic shared memory
#include "Activation.cuh"
#include "Primitives.cuh"

namespace {
constexpr int WARPS = 8;
constexpr int THREADS = WARPS * 32;

INLINE uint4 loadOnce(const u16* from) {
    uint4 r;
    asm volatile("ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "l"(from));
    return r;
}
INLINE uint4 load(const u16* from) {
    uint4 r;
    asm volatile("ld.global.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "l"(from));
    return r;
}

template <class T>
struct Stored {
    static INLINE float read(const u16* from) { return T::low(*from); }
    static INLINE void write(u16* to, float x) { *to = (u16)T::pack(x, 0); }
    static INLINE float read(const float* from) { return *from; }
    static INLINE void write(float* to, float x) { *to = x; }
};

// What a warp takes at a time: 32 * UNROLL elements of k, of 16 * PARTS weight rows.
template <int PARTS>
struct Weights {
    static constexpr int UNROLL = 4 / PARTS;
    static constexpr int STRETCH = 32 * UNROLL;
    uint4 w[UNROLL][PARTS][2];

    INLINE void read(const u16* (&rows)[PARTS][2], int column, int k) {
        #pragma unroll
        for (int u = 0; u < UNROLL; u++) {
            #pragma unroll
            for (int p = 0; p < PARTS; p++) {
                #pragma unroll
                for (int h = 0; h < 2; h++) {
                    w[u][p][h] = column + u * 32 < k ? loadOnce(rows[p][h] + column + u * 32) : make_uint4(0, 0, 0, 0);
                }
            }
        }
    }
};

template <class T, class Out, int TILES, int PARTS>
INLINE void multiply(
        Out* out, const u16* in, const u16* weight, const u16* bias, int outStride, int inStride, int rows, int n, int k,
        int accumulate, int activation) {
    constexpr int UNROLL = Weights<PARTS>::UNROLL, STRETCH = Weights<PARTS>::STRETCH;
    __shared__ float results[WARPS][PARTS][16][8 * TILES + 1];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const u16* weightRows[PARTS][2];
    #pragma unroll
    for (int p = 0; p < PARTS; p++) {
        #pragma unroll
        for (int h = 0; h < 2; h++) {
            int row = min((int)blockIdx.x * 16 + h * 8 + lane / 4, n - 1) + p * n;
            weightRows[p][h] = weight + (long long)row * k;
        }
    }
    const int own = (lane & 3) * 8;
    int column = warp * STRETCH + own;
    Weights<PARTS> weights, next;
    weights.read(weightRows, column, k);
    allowSuccessor();
    awaitPredecessor();

    float sum[PARTS][TILES][4] = {};
    auto compute = [&](const Weights<PARTS>& ready) {
        uint4 x[UNROLL][TILES];
        #pragma unroll
        for (int u = 0; u < UNROLL; u++) {
            #pragma unroll
            for (int t = 0; t < TILES; t++) {
                int row = t * 8 + lane / 4;
                x[u][t] = row < rows && column + u * 32 < k ? load(in + (long long)row * inStride + column + u * 32)
                                                            : make_uint4(0, 0, 0, 0);
            }
        }
        #pragma unroll
        for (int u = 0; u < UNROLL; u++) {
            #pragma unroll
            for (int p = 0; p < PARTS; p++) {
                const uint4 &a = ready.w[u][p][0], &b = ready.w[u][p][1];
                const u32 first[4] = {a.x, b.x, a.y, b.y}, second[4] = {a.z, b.z, a.w, b.w};
                #pragma unroll
                for (int t = 0; t < TILES; t++) {
                    T::multiply(sum[p][t], first, x[u][t].x, x[u][t].y);
                    T::multiply(sum[p][t], second, x[u][t].z, x[u][t].w);
                }
            }
        }
        column += WARPS * STRETCH;
    };
    while (column - own < k) {
        next.read(weightRows, column + WARPS * STRETCH, k);
        compute(weights);
        if (column - own >= k) break;
        weights.read(weightRows, column + WARPS * STRETCH, k);
        compute(next);
    }

    #pragma unroll
    for (int p = 0; p < PARTS; p++) {
        #pragma unroll
        for (int t = 0; t < TILES; t++) {
            #pragma unroll
            for (int i = 0; i < 4; i++) {
                results[warp][p][lane / 4 + (i / 2) * 8][t * 8 + (lane & 3) * 2 + (i & 1)] = sum[p][t][i];
            }
        }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < 16 * rows; i += THREADS) {
        int row = i / 16, c = i & 15, outColumn = blockIdx.x * 16 + c;
        if (outColumn >= n) continue;
        float x[PARTS];
        #pragma unroll
        for (int p = 0; p < PARTS; p++) {
            x[p] = 0;
            #pragma unroll
            for (int w = 0; w < WARPS; w++) x[p] += results[w][p][c][row];
            if (bias) x[p] += T::low(bias[p * n + outColumn]);
        }
        float y = PARTS == 1 ? x[0] : activate(x[0], activation) * x[PARTS - 1];
        Out* to = out + (long long)row * outStride + outColumn;
        if (accumulate) y += Stored<T>::read(to);
        Stored<T>::write(to, y);
    }
}
}  // namespace

#define SKINNY(NAME, TYPE, OUT, TILES, PARTS)                                                                          \
    extern "C" __global__ void __launch_bounds__(THREADS, 2) NAME(                                         \
            OUT* out, const u16* in, const u16* weight, const u16* bias, int outStride, int inStride, int rows, int n, \
            int k, int accumulate, int activation) {                                                                   \
        multiply<TYPE, OUT, TILES, PARTS>(                                                                             \
                out, in, weight, bias, outStride, inStride, rows, n, k, accumulate, activation);                       \
    }

#define SKINNY_OUTPUTS(PREFIX, TYPE)                        \
    SKINNY(PREFIX##_8, TYPE, u16, 1, 1)                     \
    SKINNY(PREFIX##_16, TYPE, u16, 2, 1)                    \
    SKINNY(PREFIX##_8_f32, TYPE, float, 1, 1)               \
    SKINNY(PREFIX##_16_f32, TYPE, float, 2, 1)              \
    SKINNY(PREFIX##_8_gated, TYPE, u16, 1, 2)               \
    SKINNY(PREFIX##_16_gated, TYPE, u16, 2, 2)

SKINNY_OUTPUTS(skinny_multiply_bf16, Bf16)
SKINNY_OUTPUTS(skinny_multiply_f16, F16)
