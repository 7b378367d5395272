package dev.kvasir.router.placement;

import java.util.Optional;

/**
 * Whether a worker may serve beside the others of its model. Workers that differ in weights or block layout would give
 * different answers, or share KV that does not fit.
 */
public final class Compatibility {
    private Compatibility() {}

    /** What must be equal among the workers of one model. */
    public record Traits(
            int protocolVersion, String fingerprint, int blockSize, int vocabularySize, String kvCacheDtype) {}

    /** Why {@code candidate} is refused, both values named; empty where it fits. */
    public static Optional<String> refusal(Traits expected, Traits candidate) {
        if (expected.protocolVersion() != candidate.protocolVersion()) {
            return differs("protocol version", expected.protocolVersion(), candidate.protocolVersion());
        }
        if (!expected.fingerprint().equals(candidate.fingerprint())) {
            return differs("model fingerprint", expected.fingerprint(), candidate.fingerprint());
        }
        if (expected.blockSize() != candidate.blockSize()) {
            return differs("block size", expected.blockSize(), candidate.blockSize());
        }
        if (expected.vocabularySize() != candidate.vocabularySize()) {
            return differs("vocabulary size", expected.vocabularySize(), candidate.vocabularySize());
        }
        return expected.kvCacheDtype().equals(candidate.kvCacheDtype())
                ? Optional.empty()
                : differs("KV cache dtype", expected.kvCacheDtype(), candidate.kvCacheDtype());
    }

    private static Optional<String> differs(String what, Object expected, Object candidate) {
        return Optional.of("its %s is %s, but %s is expected here".formatted(what, candidate, expected));
    }
}
