package dev.kvasir.chaos.simulation;

import dev.kvasir.model.tokenizer.Tokenizer;
import dev.kvasir.router.ServedModel;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Runs scenarios, and tells what was broken. One object may run any number of them, one after the other. */
public final class Simulation implements AutoCloseable {
    private final Tokenizer tokenizer;
    private final ServedModel model;
    private final World.Programs programs;
    private final World.Stats stats = new World.Stats();

    /** @param tokenizerFolder of the model whose texts stand for the stand-in model's tokens */
    public Simulation(Path tokenizerFolder) {
        this(tokenizerFolder, new World.Programs());
    }

    Simulation(Path tokenizerFolder, World.Programs programs) {
        this.tokenizer = Tokenizer.open(tokenizerFolder);
        this.model = World.model(tokenizer);
        this.programs = programs;
    }

    /**
     * A run that broke a promise.
     *
     * @param scenario readable, with only those faults that are needed
     * @param log what happened, newest last
     */
    public record Failure(long seed, String promise, String scenario, List<String> log) {
        public Failure {
            log = List.copyOf(log);
        }

        @Override
        public String toString() {
            return "seed %d: %s%n%s%nReplay: ./kvasir chaos --seed %d --trace".formatted(seed, promise, scenario, seed);
        }
    }

    /** Runs the scenario that the seed stands for. */
    public Optional<Failure> run(long seed) {
        return run(FaultMenu.scenario(seed), seed);
    }

    Optional<Failure> run(Scenario scenario, long seed) {
        if (broken(scenario, seed) == null) {
            return Optional.empty();
        }
        var smallest = shrink(scenario, seed);
        return Optional.of(failure(smallest, seed));
    }

    /** The log of a run that breaks nothing, or of one that does. */
    public List<String> trace(long seed) {
        var world = world(FaultMenu.scenario(seed), seed, true);
        broken(world);
        return world.trace().lines();
    }

    private World world(Scenario scenario, long seed, boolean traced) {
        return new World(scenario, seed, model, programs, traced);
    }

    private @Nullable RuntimeException broken(Scenario scenario, long seed) {
        var world = world(scenario, seed, false);
        var broken = broken(world);
        stats.add(world.stats());
        return broken;
    }

    private static @Nullable RuntimeException broken(World world) {
        try {
            world.run();
            return null;
        } catch (RuntimeException e) {
            return e;
        } finally {
            world.close();
        }
    }

    /** Drops faults one at a time, as long as some promise is still broken without them. */
    private Scenario shrink(Scenario scenario, long seed) {
        var smallest = scenario;
        for (int i = smallest.faults().size() - 1; i >= 0; i--) {
            var fewer = smallest.without(i);
            if (broken(fewer, seed) != null) {
                smallest = fewer;
            }
        }
        return smallest;
    }

    private Failure failure(Scenario scenario, long seed) {
        var world = world(scenario, seed, true);
        var broken = broken(world);
        if (broken == null) {
            throw new IllegalStateException(
                    "seed " + seed + " fails in one run and not in the next: the simulation is not deterministic");
        }
        return new Failure(
                seed, String.valueOf(broken), scenario.toString(), world.trace().lines());
    }

    /** Digest of everything that happened in a run: equal for equal runs. */
    public long digest(long seed) {
        var world = world(FaultMenu.scenario(seed), seed, false);
        broken(world);
        return world.trace().digest();
    }

    /** Sums over all runs so far. */
    public String summary() {
        return stats.toString();
    }

    World.Stats stats() {
        return stats;
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
