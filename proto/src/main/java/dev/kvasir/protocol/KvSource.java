package dev.kvasir.protocol;

/**
 * A member that a worker may pull KV blocks from.
 *
 * @param transferAddress host:port of its KV transfer service
 * @param incarnation the life of the member that has the blocks
 * @param blocks leading blocks of the prompt that it is believed to have
 */
public record KvSource(String transferAddress, long incarnation, int blocks) {
    /** Most sources of a request. */
    public static final int SOURCES_MAX = 8;

    /** Longest address, in characters. */
    public static final int ADDRESS_MAX = 512;

    public KvSource {
        Limits.require(
                !transferAddress.isEmpty() && transferAddress.length() <= ADDRESS_MAX,
                "transfer_address",
                transferAddress,
                "host:port of at most " + ADDRESS_MAX + " characters");
        Limits.require(blocks >= 0, "blocks", blocks, "at least 0");
    }
}
