package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.transfer.TransferSettings;
import dev.kvasir.protocol.tls.Certificates;
import dev.kvasir.protocol.tls.PemFiles;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TransfersWarmUpTest {
    @Test
    void blocksArePulled() throws InterruptedException {
        assertThat(TransfersWarmUp.run(TransferSettings.at("127.0.0.1"))).isPositive();
    }

    @Test
    void blocksArePulledWithTls(@TempDir Path folder) throws Exception {
        var made = new TestCertificates(folder);
        made.make("members", "san=ip:127.0.0.1");
        var files = new PemFiles(
                "kvasir.tls",
                made.certificate("members"),
                made.key("members"),
                Optional.of(made.certificate("members")));
        var settings =
                new TransferSettings("127.0.0.1", "127.0.0.1", Optional.of(Certificates.open(files, Duration.ZERO)));
        assertThat(TransfersWarmUp.run(settings)).isPositive();
    }
}
