package dev.kvasir.chaos.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Objects;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Whole clusters under seeded faults. {@code -Dseed=S} runs one seed, {@code -Dseeds=N} the first N. */
class ClusterSimulation {
    private static final int SEEDS = 10_000;
    private static final int FAILURES_SHOWN = 3;
    private static final int LINES_SHOWN = 40;
    private static Simulation simulation;

    @BeforeAll
    static void open() {
        simulation = new Simulation(tokenizerFolder());
    }

    static Path tokenizerFolder() {
        return Path.of(Objects.requireNonNull(System.getenv("KVASIR_HOME"), "KVASIR_HOME"), "model", "demo");
    }

    @AfterAll
    static void close() {
        simulation.close();
    }

    private static LongStream seeds() {
        var one = System.getProperty("seed");
        return one != null
                ? LongStream.of(Long.parseLong(one))
                : LongStream.range(0, Integer.getInteger("seeds", SEEDS));
    }

    @Test
    void everyPromiseIsKeptWhateverGoesWrong() {
        long began = System.nanoTime();
        var failures = seeds().boxed()
                .flatMap(seed -> simulation.run(seed).stream())
                .limit(FAILURES_SHOWN)
                .toList();
        failures.forEach(failure -> {
            System.out.println(failure);
            var log = failure.log();
            log.subList(Math.max(0, log.size() - LINES_SHOWN), log.size()).forEach(System.out::println);
        });
        System.out.printf("Simulated in %d s: %s%n", (System.nanoTime() - began) / 1_000_000_000, simulation.summary());
        assertThat(failures).isEmpty();
        if (System.getProperty("seed") == null && System.getProperty("seeds") == null) {
            reachesWhatItIsMeantToReach(simulation.stats());
        }
    }

    /** A simulation in which nothing happens would find nothing. */
    private static void reachesWhatItIsMeantToReach(World.Stats stats) {
        assertThat(stats.completed).isGreaterThan(stats.requests / 2);
        assertThat(stats.failed).isGreaterThan(50);
        assertThat(stats.cachedTokens).isGreaterThan(10_000);
        assertThat(stats.preemptions).isGreaterThan(50);
        assertThat(stats.pulledBlocks).isGreaterThan(300);
        assertThat(stats.keptBlocks).isGreaterThan(1_000);
        assertThat(stats.diskReads).isGreaterThan(100);
        assertThat(stats.disksOff).isGreaterThan(10);
    }

    @Test
    void aSeedGivesTheSameRunAgain() {
        for (long seed = 0; seed < 50; seed++) {
            assertThat(simulation.digest(seed)).as("seed %d", seed).isEqualTo(simulation.digest(seed));
        }
    }
}
