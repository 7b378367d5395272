package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.protocol.tls.Certificates;
import dev.kvasir.protocol.tls.PemFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files with certificates, good ones and others. */
final class CertificatesTest {
    @TempDir
    private static Path folder;

    private static TestCertificates made;

    @BeforeAll
    static void makeCertificates() throws Exception {
        made = new TestCertificates(folder);
        made.make("one", "san=ip:127.0.0.1");
        made.make("other", "san=ip:127.0.0.1", "-keyalg", "RSA");
        made.make("expired", "san=ip:127.0.0.1", "-startdate", "-10d", "-validity", "5");
    }

    private static Certificates open(Path certificate, Path key) {
        return Certificates.open(
                new PemFiles("kvasir.tls", certificate, key, Optional.of(made.certificate("one"))), Duration.ZERO);
    }

    private static Path file(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text);
    }

    @Test
    void whatIsOfNoUseIsRefusedWithFileAndReason() throws IOException {
        assertThatThrownBy(() -> open(made.certificate("one"), made.key("other")))
                .hasMessageContaining("other.key is not the key of the first certificate in");
        assertThatThrownBy(() -> open(made.certificate("expired"), made.key("expired")))
                .hasMessageContaining("expired.crt is valid from");
        assertThatThrownBy(() -> open(made.key("one"), made.key("one"))).hasMessageContaining("one.key");
        assertThatThrownBy(() -> open(file("empty.crt", ""), made.key("one"))).hasMessageContaining("empty.crt");
        assertThatThrownBy(() -> open(made.certificate("one"), file("old.key", "-----BEGIN RSA PRIVATE KEY-----\n")))
                .hasMessageContaining("old.key")
                .hasMessageContaining("openssl pkcs8");
        assertThatThrownBy(() -> open(
                        made.certificate("one"),
                        file("torn.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")))
                .hasMessageContaining("torn.key");
    }

    @Test
    void keysOfTheUsualKindsAreTaken() {
        assertThat(open(made.certificate("one"), made.key("one")).keyManager().getClientAliases("EC", null))
                .hasSize(1);
        assertThat(open(made.certificate("other"), made.key("other"))
                        .keyManager()
                        .getClientAliases("RSA", null))
                .hasSize(1);
    }

    @Test
    void filesThatAreHalfExchangedChangeNothingUntilTheOtherHalfIsThere() throws Exception {
        var certificate = Files.copy(made.certificate("one"), folder.resolve("current.crt"));
        var key = Files.copy(made.key("one"), folder.resolve("current.key"));
        var certificates = open(certificate, key);
        var before = certificates.context();
        assertThat(certificates.context()).isSameAs(before);
        exchange(made.certificate("other"), certificate, 1);
        assertThat(certificates.context()).isSameAs(before);
        exchange(made.key("other"), key, 2);
        assertThat(certificates.context()).isNotSameAs(before);
        assertThat(certificates.keyManager().getClientAliases("RSA", null)).hasSize(1);
    }

    @Test
    void filesThatWereOfNoUseAreTriedAgainThoughTheyLookTheSame() throws Exception {
        var certificate = Files.copy(made.certificate("one"), folder.resolve("late.crt"));
        var key = Files.copy(made.key("one"), folder.resolve("late.key"));
        var certificates = open(certificate, key);
        var before = certificates.context();
        exchange(made.certificate("other"), certificate, 1);
        var time = Files.getLastModifiedTime(key);
        assertThat(certificates.context()).isSameAs(before);
        Files.copy(made.key("other"), key, StandardCopyOption.REPLACE_EXISTING);
        Files.setLastModifiedTime(key, time);
        assertThat(certificates.context()).isNotSameAs(before);
    }

    private static void exchange(Path from, Path to, int seconds) throws IOException {
        Files.copy(from, to, StandardCopyOption.REPLACE_EXISTING);
        Files.setLastModifiedTime(to, FileTime.fromMillis(System.currentTimeMillis() + seconds * 1000L));
    }
}
