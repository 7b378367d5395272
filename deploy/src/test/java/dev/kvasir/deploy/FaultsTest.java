package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.chaos.process.ProcessChaos;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Routers and workers in processes of their own, and what happens to processes, under load. */
final class FaultsTest {
    private static final long SEED = Long.getLong("seed", 1L);

    @TempDir
    private Path folder;

    @Test
    void clientsSeeNothingOfLostPausedCutOffAndRestartedMembers() throws Exception {
        var report = new StringWriter();
        boolean held = new ProcessChaos(SEED, folder, new PrintWriter(report)).runShort();
        assertThat(held).as("seed %d%n%s", SEED, report).isTrue();
    }
}
