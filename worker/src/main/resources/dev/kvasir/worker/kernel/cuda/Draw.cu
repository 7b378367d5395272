// Tokens drawn by chance, by the rules of the CPU's sampler: logit bias, no end before its time, penalties, temperature, top-k,
// min-p, top-p, then the inverse of the cumulative distribution over token ids at a number the host gives. Equal logits are
// ordered by token id, lower first.
//
//   draw(logits, stride, vocabulary, requests, ids, values, choices)
//     logits    [rows, stride] floats; they are changed, and put back
//     requests  [grid.x][16] words, one row each: see Request
//     ids       token ids whose logits are changed, each at most once in each of a request's three lists
//     values    biases, or how often a token occurs in the output (as an int's bits); overwritten with the logits as they were
//     choices   [rows][2] words: token id, largest logit; of drawn rows they are overwritten
//
//   grid: one block of 1024 threads per request   no dynamic shared memory
#include "Logits.cuh"

namespace {
constexpr int THREADS = 1024;
// Classes of equal weight but for 1/16 in the exponent; weights below exp(-88.1) are 0.
constexpr int CLASSES = 1412;
constexpr float CLASSES_PER_UNIT = 16.0f;
constexpr int CANDIDATES = 1024;
// Weights, at most 1, are summed as integers: any order gives the same sum.
constexpr double UNIT = 17592186044416.0;  // 2^44

struct Request {
    int row;
    float inverseTemperature;
    int topK;
    float topP;
    float minP;
    int greedy;
    uint32 uniformLow, uniformHigh;
    int biasFrom, endingFrom, penaltyFrom, end;
    float repetition, frequency, presence;
    int unused;
};

struct Shared {
    uint64 masses[CLASSES];
    uint32 counts[CLASSES];
    uint64 keys[CANDIDATES];
    uint64 candidateMasses[CANDIDATES];
    double partial[THREADS];
    float warpMax[32];
    uint64 warpSums[32];
    float max;
    int token;
    int class_;
    uint32 candidates;
    uint64 before;
    uint64 threshold;
    double target;
    double inside;
    int stretch;
};

__device__ __forceinline__ int classOf(float logit, float max, float inverseTemperature) {
    const float x = __fmul_rn(__fsub_rn(max, logit), inverseTemperature);
    return x < 88.1f ? static_cast<int>(x * CLASSES_PER_UNIT) : CLASSES - 1;
}

__device__ __forceinline__ uint64 massOf(float weight) { return static_cast<uint64>(weight * UNIT); }

// Sum over the block, known to all.
__device__ uint64 blockSum(uint64 x, Shared& s) {
    for (int offset = 16; offset > 0; offset /= 2) {
        x += __shfl_xor_sync(0xffffffffu, x, offset);
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
        s.warpSums[threadIdx.x / 32] = x;
    }
    __syncthreads();
    x = s.warpSums[threadIdx.x % 32];
    for (int offset = 16; offset > 0; offset /= 2) {
        x += __shfl_xor_sync(0xffffffffu, x, offset);
    }
    return x;
}

struct Row {
    float* logits;
    int size;
    float max;
    float inverseTemperature;
    float minP;
    uint64 threshold;  // keys up to it are kept

    __device__ __forceinline__ float weightOf(int id) const {
        const float logit = logits[id];
        if (keyOf(logit, id) > threshold) {
            return 0;
        }
        const float w = weight(logit, max, inverseTemperature);
        return w >= minP ? w : 0;
    }
};

// The key up to which the best tokens reach the target: so many tokens (BY_COUNT), or such a share of the mass.
template <bool BY_COUNT>
__device__ uint64 cut(const Row& row, double target, Shared& s) {
    for (int c = threadIdx.x; c < CLASSES; c += THREADS) {
        s.masses[c] = 0;
        s.counts[c] = 0;
    }
    __syncthreads();
    for (int id = threadIdx.x; id < row.size; id += THREADS) {
        if (BY_COUNT) {
            atomicAdd(&s.counts[classOf(row.logits[id], row.max, row.inverseTemperature)], 1u);
        } else {
            const float w = row.weightOf(id);
            if (w > 0) {
                const int c = classOf(row.logits[id], row.max, row.inverseTemperature);
                atomicAdd(&s.masses[c], massOf(w));
                atomicAdd(&s.counts[c], 1u);
            }
        }
    }
    __syncthreads();
    if (threadIdx.x < 32) {
        // Each lane has some classes in a row.
        constexpr int EACH = (CLASSES + 31) / 32;
        const int from = min(static_cast<int>(threadIdx.x) * EACH, CLASSES);
        const int to = min(from + EACH, CLASSES);
        uint64 own = 0;
#pragma unroll 4
        for (int c = from; c < to; c++) {
            own += BY_COUNT ? s.counts[c] : s.masses[c];
        }
        uint64 upTo = own;
        for (int offset = 1; offset < 32; offset *= 2) {
            const uint64 other = __shfl_up_sync(0xffffffffu, upTo, offset);
            upTo += static_cast<int>(threadIdx.x) >= offset ? other : 0;
        }
        const uint64 total = __shfl_sync(0xffffffffu, upTo, 31);
        target = BY_COUNT ? target : target * static_cast<double>(total);
        uint64 before = upTo - own;
        const bool here = static_cast<double>(before) < target && static_cast<double>(upTo) >= target;
        if (threadIdx.x == 0) {
            s.class_ = -1;
            s.candidates = 0;
            s.threshold = ~0ull;
            s.target = target;
        }
        __syncwarp();
        if (here) {
            int c = from;
            while (static_cast<double>(before + (BY_COUNT ? s.counts[c] : s.masses[c])) < target) {
                before += BY_COUNT ? s.counts[c] : s.masses[c];
                c++;
            }
            s.class_ = c;
            s.before = before;
        }
    }
    __syncthreads();
    if (s.class_ < 0) {
        return ~0ull;
    }
    target = s.target;
    const int wanted = s.class_;
    const uint64 before = s.before;
    if (s.counts[wanted] <= CANDIDATES) {
        for (int id = threadIdx.x; id < row.size; id += THREADS) {
            const float logit = row.logits[id];
            if (classOf(logit, row.max, row.inverseTemperature) == wanted) {
                const float w = BY_COUNT ? 1 : row.weightOf(id);
                if (w > 0) {
                    const uint32 at = atomicAdd(&s.candidates, 1u);
                    s.keys[at] = keyOf(logit, id);
                    s.candidateMasses[at] = BY_COUNT ? 1 : massOf(w);
                }
            }
        }
        __syncthreads();
        const int count = s.candidates;
        if (static_cast<int>(threadIdx.x) < count) {
            const uint64 own = s.keys[threadIdx.x];
            uint64 better = before;
#pragma unroll 4
            for (int i = 0; i < count; i++) {
                better += s.keys[i] < own ? s.candidateMasses[i] : 0;
            }
            // The last one that is kept: without it the target is not reached, with it it is.
            if (static_cast<double>(better) < target &&
                static_cast<double>(better + s.candidateMasses[threadIdx.x]) >= target) {
                s.threshold = own;
            }
        }
        __syncthreads();
        const uint64 threshold = s.threshold;
        __syncthreads();
        return threshold;
    }
    // Too many of nearly one weight: the key is found by halving.
    uint64 low = 0;
    uint64 high = ~0ull;
    while (low < high) {
        const uint64 middle = low + (high - low) / 2;
        uint64 sum = 0;
        for (int id = threadIdx.x; id < row.size; id += THREADS) {
            if (keyOf(row.logits[id], id) <= middle) {
                sum += BY_COUNT ? 1 : massOf(row.weightOf(id));
            }
        }
        if (static_cast<double>(blockSum(sum, s)) >= target) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

// Changes logits, a list after the other. What a logit was takes the place of its value.
__device__ void adjust(float* logits, const Request& q, const int* ids, int* values) {
    for (int i = q.biasFrom + threadIdx.x; i < q.endingFrom; i += THREADS) {
        const float logit = logits[ids[i]];
        logits[ids[i]] = __fadd_rn(logit, __int_as_float(values[i]));
        values[i] = __float_as_int(logit);
    }
    __syncthreads();
    for (int i = q.endingFrom + threadIdx.x; i < q.penaltyFrom; i += THREADS) {
        const float logit = logits[ids[i]];
        logits[ids[i]] = logit != logit ? logit : -INFINITE;
        values[i] = __float_as_int(logit);
    }
    __syncthreads();
    for (int i = q.penaltyFrom + threadIdx.x; i < q.end; i += THREADS) {
        const float was = logits[ids[i]];
        float logit = was > 0 ? __fdiv_rn(was, q.repetition) : __fmul_rn(was, q.repetition);
        if (values[i] > 0) {
            logit = __fsub_rn(logit, __fmul_rn(q.frequency, static_cast<float>(values[i])));
            logit = __fsub_rn(logit, q.presence);
        }
        logits[ids[i]] = logit;
        values[i] = __float_as_int(was);
    }
    __syncthreads();
}

__device__ void put_back(float* logits, const int* ids, const int* values, int from, int to) {
    __syncthreads();
    for (int i = from + threadIdx.x; i < to; i += THREADS) {
        logits[ids[i]] = __int_as_float(values[i]);
    }
}

// A token may be in several lists: the last list comes first. Each thread reads the values that it wrote.
__device__ void restore(float* logits, const Request& q, const int* ids, const int* values) {
    put_back(logits, ids, values, q.penaltyFrom, q.end);
    put_back(logits, ids, values, q.endingFrom, q.penaltyFrom);
    put_back(logits, ids, values, q.biasFrom, q.endingFrom);
}

// The largest logit, NaN if there is one.
__device__ float largest(const float* logits, int size, Shared& s) {
    float value = -INFINITE;
    bool broken = false;
    for (int id = threadIdx.x; id < size; id += THREADS) {
        broken |= logits[id] != logits[id];
        value = fmaxf(value, logits[id]);
    }
    for (int offset = 16; offset > 0; offset /= 2) {
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
    }
    if (threadIdx.x % 32 == 0) {
        s.warpMax[threadIdx.x / 32] = value;
    }
    const bool anyBroken = __syncthreads_or(broken);
    value = s.warpMax[threadIdx.x % 32];
    for (int offset = 16; offset > 0; offset /= 2) {
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
    }
    return anyBroken ? __int_as_float(0x7fffffff) : value;
}

__device__ int first(const Row& row, Shared& s) {
    if (threadIdx.x == 0) {
        s.token = row.size;
    }
    __syncthreads();
    for (int id = threadIdx.x; id < row.size; id += THREADS) {
        if (row.logits[id] == row.max) {
            atomicMin(&s.token, id);
        }
    }
    __syncthreads();
    return s.token;
}

// In the order of ids, a stretch of them per thread.
__device__ int drawn(const Row& row, double uniform, Shared& s) {
    const int stretch = (row.size + THREADS - 1) / THREADS;
    const int from = min(static_cast<int>(threadIdx.x) * stretch, row.size);
    const int to = min(from + stretch, row.size);
    double sum = 0;
    for (int id = from; id < to; id++) {
        sum += row.weightOf(id);
    }
    s.partial[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        // The stretch in which the sum passes the target; the last one that weighs anything where rounding hides it.
        const double* own = s.partial + 32 * threadIdx.x;
        double ownSum = 0;
#pragma unroll 4
        for (int i = 0; i < 32; i++) {
            ownSum += own[i];
        }
        double upTo = ownSum;
        for (int offset = 1; offset < 32; offset *= 2) {
            const double other = __shfl_up_sync(0xffffffffu, upTo, offset);
            upTo += static_cast<int>(threadIdx.x) >= offset ? other : 0;
        }
        const double target = uniform * __shfl_sync(0xffffffffu, upTo, 31);
        double before = upTo - ownSum;
        const uint32 passing = __ballot_sync(0xffffffffu, upTo > target && ownSum > 0);
        const uint32 weighing = __ballot_sync(0xffffffffu, ownSum > 0);
        const int lane = passing != 0 ? __ffs(passing) - 1 : 31 - __clz(weighing);
        if (static_cast<int>(threadIdx.x) == lane) {
            int last = 0;
            int i = 0;
            double inside = before;
#pragma unroll 1
            for (; i < 32; i++) {
                if (own[i] > 0) {
                    last = i;
                    inside = before;
                    if (before + own[i] > target) {
                        break;
                    }
                    before += own[i];
                }
            }
            s.stretch = 32 * lane + last;
            s.inside = inside;
            s.target = target;
        }
    }
    __syncthreads();
    const int first = s.stretch * stretch;
    const int end = min(first + stretch, row.size);
    __syncthreads();
    for (int begin = first; begin < end; begin += THREADS) {
        const int id = begin + threadIdx.x;
        s.partial[threadIdx.x] = id < end ? row.weightOf(id) : 0;
        __syncthreads();
        if (threadIdx.x == 0) {
            s.token = begin == first ? -1 : s.token;
            for (int i = 0; i < THREADS && begin + i < end && (s.token < 0 || s.inside <= s.target); i++) {
                if (s.partial[i] > 0) {
                    s.inside += s.partial[i];
                    s.token = begin + i;
                }
            }
        }
        __syncthreads();
    }
    return s.token;
}
}  // namespace

extern "C" __global__ void __launch_bounds__(THREADS) draw(
    float* logits, int stride, int vocabulary, const int* requests, const int* ids, int* values, int* choices) {
    __shared__ Shared s;
    const Request q = reinterpret_cast<const Request*>(requests)[blockIdx.x];
    Row row;
    row.logits = logits + static_cast<long>(q.row) * stride;
    row.size = vocabulary;
    row.inverseTemperature = q.inverseTemperature;
    row.minP = q.minP;
    row.threshold = ~0ull;
    adjust(row.logits, q, ids, values);
    row.max = largest(row.logits, vocabulary, s);
    int token = 0;
    if (row.max - row.max == 0) {
        if (q.greedy) {
            token = first(row, s);
        } else {
            if (q.topK > 0 && q.topK < vocabulary) {
                row.threshold = cut<true>(row, q.topK, s);
            }
            if (q.topP < 1) {
                const uint64 other = cut<false>(row, q.topP, s);
                row.threshold = other < row.threshold ? other : row.threshold;
            }
            const double uniform = __hiloint2double(static_cast<int>(q.uniformHigh), static_cast<int>(q.uniformLow));
            token = drawn(row, uniform, s);
        }
    }
    restore(row.logits, q, ids, values);
    if (threadIdx.x == 0) {
        choices[2 * q.row] = token;
        choices[2 * q.row + 1] = __float_as_int(row.max);
    }
}
