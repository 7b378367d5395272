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

    public KvSource {
        Limits.require(
                !transferAddress.isEmpty() && transferAddress.length() <= 512,
                "transfer_address",
                transferAddress,
                "host:port");
        Limits.require(blocks >= 0, "blocks", blocks, "at least 0");
    }
}
