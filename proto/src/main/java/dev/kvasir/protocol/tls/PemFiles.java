package dev.kvasir.protocol.tls;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Where certificates are, as PEM. Whether they are any good is for {@link Certificates} to say.
 *
 * @param setting name of the settings that named the files, for messages
 * @param certificate own, with the addresses that others reach it at, then those between it and the authority
 * @param key of the certificate, PKCS #8, without a password
 * @param ca certificates of the authority that the other side's come from; empty where the other side shows none
 */
public record PemFiles(String setting, Path certificate, Path key, Optional<Path> ca) {
    public PemFiles {
        Stream.concat(Stream.of(certificate, key), ca.stream()).forEach(file -> {
            if (!Files.isReadable(file)) {
                throw new IllegalArgumentException(setting + " names " + file + ", which cannot be read");
            }
        });
    }
}
