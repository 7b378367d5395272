package dev.kvasir.worker.engine;

/**
 * How fast prompts are computed, measured over steps that compute many tokens of prompts and are followed by another at once.
 */
final class PrefillSpeed {
    private static final int TOKENS_MIN = 64;
    private static final double WEIGHT = 1 / 8.0;

    private double tokensPerSecond;
    private int lastTokens;
    private long lastNanos;

    /** A step has begun; it computes so many tokens of prompts, those that sequences generate apart. */
    void stepped(int tokens, long nowNanos) {
        long nanos = nowNanos - lastNanos;
        if (lastTokens >= TOKENS_MIN && nanos > 0) {
            double rate = lastTokens * 1e9 / nanos;
            tokensPerSecond = tokensPerSecond == 0 ? rate : tokensPerSecond + WEIGHT * (rate - tokensPerSecond);
        }
        lastTokens = tokens;
        lastNanos = nowNanos;
    }

    /** No step follows the last one at once. */
    void paused() {
        lastTokens = 0;
    }

    /** 0 before the first measurement. */
    double tokensPerSecond() {
        return tokensPerSecond;
    }
}
