package dev.kvasir.kvstore.transfer;

import io.grpc.ChannelCredentials;
import io.grpc.ServerCredentials;
import io.grpc.TlsChannelCredentials;
import io.grpc.TlsServerCredentials;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Who may exchange blocks: members that show a certificate of one authority, both ways. Files are PEM, and read once.
 *
 * @param certificate of this member, with the addresses that others reach it at, and those between it and the authority
 * @param key of the certificate, PKCS #8, without a password
 * @param ca certificates of the authority
 */
public record TransferTls(Path certificate, Path key, Path ca) {
    public TransferTls {
        for (var file : new Path[] {certificate, key, ca}) {
            if (!Files.isReadable(file)) {
                throw new IllegalArgumentException("kvasir.tls names " + file + ", which cannot be read");
            }
        }
    }

    ServerCredentials ofServer() throws IOException {
        return TlsServerCredentials.newBuilder()
                .keyManager(certificate.toFile(), key.toFile())
                .trustManager(ca.toFile())
                .clientAuth(TlsServerCredentials.ClientAuth.REQUIRE)
                .build();
    }

    ChannelCredentials ofClient() throws IOException {
        return TlsChannelCredentials.newBuilder()
                .keyManager(certificate.toFile(), key.toFile())
                .trustManager(ca.toFile())
                .build();
    }
}
