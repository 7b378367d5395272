package dev.kvasir.kvstore.hash;

/**
 * Identity of a full KV block: digest of the block's tokens and of all that its content depends on, every block before it
 * included. 128 bits of SHA-256, so that nobody can forge or stumble upon another block's name.
 */
public record BlockHash(long high, long low) {
    /** Good enough for a hash table: the bits are a digest already. */
    @Override
    public int hashCode() {
        return (int) low;
    }

    @Override
    public String toString() {
        return "%016x%016x".formatted(high, low);
    }
}
