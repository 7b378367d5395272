package dev.kvasir.protocol;

import java.util.random.RandomGenerator;

/**
 * Name of a request, unique in a cluster. Always chosen by the server: names given by clients are echoed and logged, but
 * never used as keys.
 */
public record RequestId(String value) {
    public RequestId {
        if (value.isEmpty() || value.length() > 64) {
            throw new IllegalArgumentException("request id must have 1..64 characters, has " + value.length());
        }
    }

    /** 128 random bits in hexadecimal. */
    public static RequestId random(RandomGenerator random) {
        return new RequestId("%016x%016x".formatted(random.nextLong(), random.nextLong()));
    }

    @Override
    public String toString() {
        return value;
    }
}
