package dev.kvasir.chaos.sharing;

import dev.kvasir.chaos.process.Settings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;

/**
 * Two clusters that differ in one thing, whether they share KV blocks. What is measured is asked of them in turns, so that
 * whatever else the machine does concerns both.
 */
final class Pair implements AutoCloseable {
    private final Arm with;
    private final Arm without;

    private Pair(Arm with, Arm without) {
        this.with = with;
        this.without = without;
    }

    /**
     * Starts both.
     *
     * @param settings of both
     * @param sharing of the first alone
     */
    static Pair start(Path folder, String settings, String sharing) throws IOException, InterruptedException {
        var none = Settings.usual(settings + "\nkvasir.worker.sharing.memory = 0 MiB")
                .onProcessorsOfItsOwn(Arm.MEMBERS);
        var all = Settings.usual(settings + "\n" + sharing).onProcessorsOfItsOwn(Arm.MEMBERS);
        var with = Arm.start(folder.resolve("with"), all);
        try {
            return new Pair(with, Arm.start(folder.resolve("without"), none));
        } catch (IOException e) {
            with.close();
            throw e;
        }
    }

    /** Something that is done to a cluster. */
    interface Step {
        void take(Arm arm) throws IOException, InterruptedException;
    }

    /** Does it to both at the same time. */
    void both(Step step) throws InterruptedException {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var steps = List.of(with, without).stream()
                    .map(arm -> threads.submit(() -> {
                        step.take(arm);
                        return arm;
                    }))
                    .toList();
            for (var one : steps) {
                one.get();
            }
        } catch (ExecutionException e) {
            throw new IllegalStateException("a cluster does not do what it should: " + e.getCause(), e);
        }
    }

    /** Something that is asked of a cluster. */
    interface Question {
        Sample ask(Arm arm, int index) throws InterruptedException;
    }

    /** Asks both {@code count} times, in turns. */
    Scenario.Samples measure(int count, Question question) throws InterruptedException {
        var samples = new Scenario.Samples();
        for (int i = 0; i < count; i++) {
            if (i % 2 == 0) {
                samples.with().add(question.ask(with, i));
                samples.without().add(question.ask(without, i));
            } else {
                samples.without().add(question.ask(without, i));
                samples.with().add(question.ask(with, i));
            }
        }
        return samples;
    }

    void end() {
        with.end();
        without.end();
    }

    @Override
    public void close() throws IOException {
        try (with) {
            without.close();
        }
    }
}
