package dev.kvasir.kvstore.transfer;

import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ServerCredentials;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Optional;

/**
 * Where and how a member's transfer services are reached.
 *
 * @param listenHost address that they listen on
 * @param host address that others reach them at
 * @param tls certificates, where blocks are exchanged among those alone who have some
 */
public record TransferSettings(String listenHost, String host, Optional<TransferTls> tls) {
    /** One address for both, in plain text. */
    public static TransferSettings at(String host) {
        return new TransferSettings(host, host, Optional.empty());
    }

    /** A channel to the service of another member, host:port. */
    public ManagedChannel connect(String to) {
        try {
            return TransferServer.connect(
                    to, tls.isPresent() ? tls.get().ofClient() : InsecureChannelCredentials.create());
        } catch (IOException e) {
            throw new UncheckedIOException("kvasir.tls is of no use: " + e.getMessage(), e);
        }
    }

    ServerCredentials serverCredentials() throws IOException {
        return tls.isPresent() ? tls.get().ofServer() : InsecureServerCredentials.create();
    }

    /** host:port for others; an IPv6 address is put into brackets. */
    public String address(int port) {
        return (host.contains(":") && !host.startsWith("[") ? "[" + host + "]" : host) + ":" + port;
    }
}
