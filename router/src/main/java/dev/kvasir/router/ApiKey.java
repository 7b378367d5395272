package dev.kvasir.router;

import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.protocol.Tenant;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;

/** A key that clients may show, kept as its digest, so that it is in no log and no dump; and whose it is. */
public final class ApiKey {
    private static final int LENGTH_MAX = 512;

    private final byte[] digest;
    private final String tenant;

    private ApiKey(byte[] digest, String tenant) {
        this.digest = digest;
        this.tenant = tenant;
    }

    /**
     * Reads {@code KEY} or {@code KEY TENANT}.
     *
     * @param where the entry stands, for messages, which never repeat what it says
     */
    static ApiKey parse(String entry, String where) {
        var words = entry.strip().split("\\s+", -1);
        if (words.length > 2) {
            throw new IllegalArgumentException(
                    where + " has " + words.length + " words but must be a key, or a key and a tenant");
        }
        var key = words[0];
        if (key.isEmpty() || key.length() > LENGTH_MAX || !key.chars().allMatch(c -> c > 0x20 && c < 0x7f)) {
            throw new IllegalArgumentException("%s is a key of %d characters but must have 1..%d, of printable ASCII"
                    .formatted(where, key.length(), LENGTH_MAX));
        }
        try {
            var tenant = words.length == 2 ? words[1] : "";
            return new ApiKey(digest(key), Tenant.of(tenant, false).name());
        } catch (BadRequestException e) {
            throw new IllegalArgumentException(where + ": " + e.getMessage(), e);
        }
    }

    static byte[] digest(String key) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Whether this is the key of a digest; takes as long whether it is or not. */
    boolean is(byte[] other) {
        return MessageDigest.isEqual(digest, other);
    }

    /** Whose it is; empty for a key of nobody in particular. */
    String tenant() {
        return tenant;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ApiKey key && is(key.digest) && tenant.equals(key.tenant);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(digest);
    }

    @Override
    public String toString() {
        return tenant.isEmpty() ? "a key" : "a key of " + tenant;
    }
}
