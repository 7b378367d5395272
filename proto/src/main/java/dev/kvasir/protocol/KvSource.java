package dev.kvasir.protocol;

/**
 * A member that a worker may pull KV blocks from.
 *
 * @param transferAddress host:port of its KV transfer service
 * @param incarnation the life of the member that has the blocks
 * @param from first block of the prompt that it is believed to have
 * @param blocks one past the last of them
 */
public record KvSource(String transferAddress, long incarnation, int from, int blocks) {
    /**
     * Most sources of a request; a member may be named for several stretches of its prompt. Kvstores keep 128 blocks of a chain
     * together, so this is enough for a million tokens.
     */
    public static final int SOURCES_MAX = 512;

    /** Longest address, in characters. */
    public static final int ADDRESS_MAX = 512;

    /** One that has the prompt's beginning. */
    public KvSource(String transferAddress, long incarnation, int blocks) {
        this(transferAddress, incarnation, 0, blocks);
    }

    public KvSource {
        Limits.require(
                !transferAddress.isEmpty() && transferAddress.length() <= ADDRESS_MAX,
                "transfer_address",
                transferAddress,
                "host:port of at most " + ADDRESS_MAX + " characters");
        Limits.require(from >= 0, "from", from, "at least 0");
        Limits.require(blocks >= from, "blocks", blocks, "at least %d, where it begins".formatted(from));
    }
}
