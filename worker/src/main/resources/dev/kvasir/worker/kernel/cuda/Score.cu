// Log-probabilities of tokens, by the rules of the CPU's sampler: of the logits as they are, without temperature. Equal logits
// are ordered by token id, lower first. Weights are the CPU's to the bit; they are summed in doubles, in one order whatever
// the row and the batch.
//
//   score(logits, stride, vocabulary, requests, choices, scores)
//     logits    [rows, stride] floats
//     requests  [grid.x][4] words, one row each: row, token or -1 for the row's choice, number of likeliest tokens, not used
//     choices   [rows][2] words: token id, largest logit
//     scores    [rows][44] words: largest logit (NaN if any is NaN), token, its log-probability, its rank from 1, the likeliest
//               tokens' ids (20), their log-probabilities (20); where the largest is not a finite number, only the first two
//
//   grid: one block of 1024 threads per request   no dynamic shared memory
#include "Logits.cuh"

namespace {
constexpr int THREADS = 1024;
constexpr int WARPS = THREADS / 32;
constexpr int TOP_MAX = 20;
constexpr int WORDS = 4 + 2 * TOP_MAX;
// Loads of a thread that are under way at once.
constexpr int AHEAD = 8;
constexpr uint64 NOBODY = ~0ull;

struct Request {
    int row;
    int token;
    int topCount;
    int unused;
};

struct Shared {
    uint64 best[WARPS];
    double sums[WARPS];
    int larger[WARPS];
};

// Calls f(id, logit) for each token of this thread: ids are THREADS apart and ascend.
template <typename F>
__device__ __forceinline__ void each(const float* logits, int size, F f) {
    int id = threadIdx.x;
    for (; id + (AHEAD - 1) * THREADS < size; id += AHEAD * THREADS) {
        float values[AHEAD];
#pragma unroll
        for (int j = 0; j < AHEAD; j++) {
            values[j] = logits[id + j * THREADS];
        }
#pragma unroll
        for (int j = 0; j < AHEAD; j++) {
            f(id + j * THREADS, values[j]);
        }
    }
    for (; id < size; id += THREADS) {
        f(id, logits[id]);
    }
}

// The best key of a warp, known to all its lanes.
__device__ __forceinline__ uint64 best_of_warp(uint64 key) {
    for (int offset = 16; offset > 0; offset /= 2) {
        const uint64 other = __shfl_xor_sync(0xffffffffu, key, offset);
        key = other < key ? other : key;
    }
    return key;
}

template <typename T>
__device__ __forceinline__ T sum_of_warp(T x) {
    for (int offset = 16; offset > 0; offset /= 2) {
        x += __shfl_xor_sync(0xffffffffu, x, offset);
    }
    return x;
}

// The best of this thread's tokens; says whether one of its logits is NaN.
__device__ __forceinline__ uint64 best_of_thread(const float* logits, int size, bool& broken) {
    float value = -INFINITE;
    int best = threadIdx.x;
    bool nan = false;
    each(logits, size, [&](int id, float logit) {
        nan |= logit != logit;
        best = logit > value ? id : best;
        value = logit > value ? logit : value;
    });
    broken = nan;
    return static_cast<int>(threadIdx.x) < size ? keyOf(value, best) : NOBODY;
}
}  // namespace

extern "C" __global__ void __launch_bounds__(THREADS) score(
    const float* logits, int stride, int vocabulary, const int* requests, const int* choices, int* scores) {
    __shared__ Shared s;
    const Request q = reinterpret_cast<const Request*>(requests)[blockIdx.x];
    const float* row = logits + static_cast<long>(q.row) * stride;
    int* out = scores + static_cast<long>(q.row) * WORDS;
    const int lane = threadIdx.x % 32;
    const int warp = threadIdx.x / 32;

    bool broken;
    uint64 own = best_of_thread(row, vocabulary, broken);
    const uint64 warpBest = best_of_warp(own);
    if (lane == 0) {
        s.best[warp] = warpBest;
    }
    const bool anyBroken = __syncthreads_or(broken);
    const int first = static_cast<int>(static_cast<uint32>(best_of_warp(s.best[lane])));
    const float max = anyBroken ? __int_as_float(0x7fffffff) : row[first];
    const int token = q.token >= 0 ? q.token : choices[2 * q.row];
    if (threadIdx.x == 0) {
        out[0] = __float_as_int(max);
        out[1] = token;
    }
    if (max - max != 0 || token < 0 || token >= vocabulary) {
        return;
    }

    const float tokenLogit = row[token];
    double sum = 0;
    int larger = 0;
    each(row, vocabulary, [&](int id, float logit) {
        sum += weight(logit, max, 1.0f);
        larger += logit > tokenLogit || (logit == tokenLogit && id < token) ? 1 : 0;
    });
    sum = sum_of_warp(sum);
    larger = sum_of_warp(larger);
    if (lane == 0) {
        s.sums[warp] = sum;
        s.larger[warp] = larger;
    }
    __syncthreads();
    double logSum = 0;
    if (warp == 0) {
        logSum = log(sum_of_warp(s.sums[lane]));
        larger = sum_of_warp(s.larger[lane]);
        if (lane == 0) {
            out[2] = __float_as_int(static_cast<float>(static_cast<double>(tokenLogit) - max - logSum));
            out[3] = 1 + larger;
        }
    }

    // Each thread has the best of its tokens that was not taken yet. The one that gives it looks for its next, with its warp.
    const int count = min(min(q.topCount, TOP_MAX), vocabulary);
    for (int i = 0; i < count; i++) {
        const uint64 best = best_of_warp(s.best[lane]);
        const int id = static_cast<int>(static_cast<uint32>(best));
        if (threadIdx.x == 0) {
            out[4 + i] = id;
            out[4 + TOP_MAX + i] = __float_as_int(static_cast<float>(static_cast<double>(row[id]) - max - logSum));
        }
        __syncthreads();
        const int giver = id % THREADS;
        if (giver / 32 == warp) {
            uint64 next = NOBODY;
            for (int at = giver + lane * THREADS; at < vocabulary; at += 32 * THREADS) {
                const uint64 key = keyOf(row[at], at);
                next = key > best && key < next ? key : next;
            }
            next = best_of_warp(next);
            own = lane == giver % 32 ? next : own;
            const uint64 nextOfWarp = best_of_warp(own);
            if (lane == 0) {
                s.best[warp] = nextOfWarp;
            }
        }
        __syncthreads();
    }
}
