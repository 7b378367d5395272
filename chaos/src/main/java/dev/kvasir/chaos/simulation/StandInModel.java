package dev.kvasir.chaos.simulation;

/**
 * A model whose right answer anyone can compute. The KV of a token is a digest of the KV before it, the token and its
 * position, begun from the root of its hash chain: tenant and fingerprint are in it. Logits are a digest of all KV that is
 * attended to, so that one wrong, stale or foreign block gives another token.
 */
final class StandInModel {
    static final int VOCABULARY = 128;
    static final int END = 2;
    static final String NAME = "stand-in";
    static final String FINGERPRINT = "stand-in-1";
    static final String NUMERICS = "exact";
    static final String KV_ORIGIN = FINGERPRINT + "/" + NUMERICS;
    static final String KV_DTYPE = "digest";

    private StandInModel() {}

    static long mix(long before, long next) {
        long mixed = (before ^ (next + 0x9E3779B97F4A7C15L)) * 0xBF58476D1CE4E5B9L;
        mixed = (mixed ^ (mixed >>> 29)) * 0x94D049BB133111EBL;
        return mixed ^ (mixed >>> 32);
    }

    static long kv(long before, int token, int position) {
        return mix(before, (long) position << 32 | token);
    }

    static long attend(long soFar, long kv) {
        return mix(soFar, kv);
    }

    static void logits(long attended, float[] logits) {
        for (int token = 0; token < VOCABULARY; token++) {
            logits[token] = (mix(attended, token) >>> 40) * (6f / (1 << 24));
        }
    }
}
