package dev.kvasir.kvstore.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.Blocks;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.protocol.tls.Certificates;
import dev.kvasir.protocol.tls.PemFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Blocks between members with certificates, which are made for the test. */
final class TransferTlsTest {
    private static final BlockFormat FORMAT = new BlockFormat("print", "F32", 16, 1, 10_000);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final String PASSWORD = "changeit";

    @TempDir
    private static Path folder;

    private final MemoryTier there = new MemoryTier(FORMAT, 1 << 20);
    private final MemoryTier here = new MemoryTier(FORMAT, 1 << 20);

    @BeforeAll
    static void makeCertificates() throws Exception {
        make("members", "san=ip:127.0.0.1");
        make("stranger", "san=ip:127.0.0.1");
        make("elsewhere", "san=ip:10.9.8.7");
    }

    /** A key, and a certificate that is its own authority. */
    private static void make(String name, String addresses) throws IOException, InterruptedException {
        var store = folder.resolve(name + ".p12");
        var keytool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-alias",
                        name,
                        "-keyalg",
                        "EC",
                        "-dname",
                        "CN=" + name,
                        "-ext",
                        addresses,
                        "-storetype",
                        "PKCS12",
                        "-keystore",
                        store.toString(),
                        "-storepass",
                        PASSWORD)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve(name + ".log").toFile())
                .start();
        assertThat(keytool.waitFor(5, TimeUnit.MINUTES)).isTrue();
        assertThat(keytool.exitValue()).as(() -> "keytool for " + name).isZero();
        try {
            var keys = KeyStore.getInstance(store.toFile(), PASSWORD.toCharArray());
            write(
                    name + ".key",
                    "PRIVATE KEY",
                    keys.getKey(name, PASSWORD.toCharArray()).getEncoded());
            write(name + ".crt", "CERTIFICATE", keys.getCertificate(name).getEncoded());
        } catch (GeneralSecurityException e) {
            throw new IOException(e);
        }
    }

    private static void write(String file, String what, byte[] bytes) throws IOException {
        var text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(bytes);
        Files.writeString(
                folder.resolve(file), "-----BEGIN %s-----%n%s%n-----END %s-----%n".formatted(what, text, what));
    }

    private static TransferSettings settings(String own, String authority) {
        return new TransferSettings(
                "127.0.0.1",
                "127.0.0.1",
                Optional.of(Certificates.open(new PemFiles(
                        "kvasir.tls",
                        folder.resolve(own + ".crt"),
                        folder.resolve(own + ".key"),
                        Optional.of(folder.resolve(authority + ".crt"))))));
    }

    @AfterEach
    void close() {
        there.close();
        here.close();
    }

    private final class Host implements BlockHost {
        @Override
        public long incarnation() {
            return 7;
        }

        @Override
        public MemoryTier tier(BlockFormat format) {
            return there;
        }

        @Override
        public void bring(BlockFormat format, List<BlockHash> hashes) {}
    }

    /** Pulls a block from one to another; tells how that ended, and why. */
    private String pull(TransferSettings server, TransferSettings client) throws Exception {
        Blocks.put(there, 1, 0);
        var service = new TransferService(new Host(), Optional.empty(), 4, SOON);
        try (var serving = TransferServer.start(server, 0, service);
                var pulling = new TransferClient(client::connect, 2)) {
            var transfer = Objects.requireNonNull(pulling.pull(
                    server.address(serving.port()), 7, FORMAT, List.of(Blocks.hash(1, 0)), false, here, SOON));
            return transfer.end().get(2, TimeUnit.MINUTES) + " " + transfer.reason();
        }
    }

    @Test
    void membersOfOneAuthorityExchangeBlocks() throws Exception {
        assertThat(pull(settings("members", "members"), settings("members", "members")))
                .startsWith("DONE");
        assertThat(here.contains(Blocks.hash(1, 0))).isTrue();
    }

    @Test
    void whoHasNoCertificateOfTheAuthorityGetsNothing() throws Exception {
        assertThat(pull(settings("members", "members"), settings("stranger", "members")))
                .startsWith("FAILED");
        assertThat(here.size()).isZero();
    }

    @Test
    void whoSpeaksPlainTextGetsNothing() throws Exception {
        assertThat(pull(settings("members", "members"), TransferSettings.at("127.0.0.1")))
                .startsWith("FAILED");
        assertThat(here.size()).isZero();
    }

    @Test
    void aServerOfAnotherAuthorityOrAddressIsNotBelieved() throws Exception {
        assertThat(pull(settings("stranger", "members"), settings("members", "members")))
                .startsWith("FAILED");
        assertThat(pull(settings("elsewhere", "members"), settings("members", "elsewhere")))
                .startsWith("FAILED");
        assertThat(here.size()).isZero();
    }

    @Test
    void aFileThatIsNotThereIsNamed() {
        assertThatThrownBy(() -> settings("nobody", "members")).hasMessageContaining("nobody.crt");
    }
}
