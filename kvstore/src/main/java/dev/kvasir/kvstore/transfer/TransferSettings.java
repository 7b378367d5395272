package dev.kvasir.kvstore.transfer;

import dev.kvasir.protocol.tls.Certificates;
import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ServerCredentials;
import io.grpc.TlsChannelCredentials;
import io.grpc.TlsServerCredentials;
import java.util.Optional;

/**
 * Where and how a member's transfer services are reached.
 *
 * @param listenHost address that they listen on
 * @param host address that others reach them at
 * @param tls certificates, where blocks are exchanged among those alone who show one of the same authority, both ways
 */
public record TransferSettings(String listenHost, String host, Optional<Certificates> tls) {
    /** One address for both, in plain text. */
    public static TransferSettings at(String host) {
        return new TransferSettings(host, host, Optional.empty());
    }

    /** A channel to the service of another member, host:port. */
    public ManagedChannel connect(String to) {
        return TransferServer.connect(
                to, tls.map(TransferSettings::ofClient).orElseGet(InsecureChannelCredentials::create));
    }

    private static ChannelCredentials ofClient(Certificates tls) {
        return TlsChannelCredentials.newBuilder()
                .keyManager(tls.keyManager())
                .trustManager(tls.trustManager())
                .build();
    }

    ServerCredentials serverCredentials() {
        return tls.map(TransferSettings::ofServer).orElseGet(InsecureServerCredentials::create);
    }

    private static ServerCredentials ofServer(Certificates tls) {
        return TlsServerCredentials.newBuilder()
                .keyManager(tls.keyManager())
                .trustManager(tls.trustManager())
                .clientAuth(TlsServerCredentials.ClientAuth.REQUIRE)
                .build();
    }

    /** host:port for others; an IPv6 address is put into brackets. */
    public String address(int port) {
        return (host.contains(":") && !host.startsWith("[") ? "[" + host + "]" : host) + ":" + port;
    }
}
