package dev.kvasir.kvstore.transfer;

/**
 * Where and how a member's transfer services are reached.
 *
 * @param listenHost address that they listen on
 * @param host address that others reach them at
 */
public record TransferSettings(String listenHost, String host) {
    /** One address for both. */
    public static TransferSettings at(String host) {
        return new TransferSettings(host, host);
    }

    /** host:port for others. */
    public String address(int port) {
        return host + ":" + port;
    }
}
