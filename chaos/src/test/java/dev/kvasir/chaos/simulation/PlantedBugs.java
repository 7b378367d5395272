package dev.kvasir.chaos.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.BiFunction;

/** Bugs put in on purpose, here and nowhere else: a simulation that does not find these would not find others. */
abstract class PlantedBugs {
    private static final int SEEDS = 400;

    interface RouterOf {
        Life.Program of(World world, Life life, long seed);
    }

    /** Runs seeds until one breaks a promise, with faulty programs in all members. */
    static Simulation.Failure found(World.Programs programs) {
        try (var simulation = new Simulation(ClusterSimulation.tokenizerFolder(), programs)) {
            for (long seed = 0; seed < SEEDS; seed++) {
                var failure = simulation.run(seed);
                if (failure.isPresent()) {
                    System.out.printf(
                            "Found after %d seeds: %s%n",
                            seed + 1, failure.get().promise());
                    assertThat(simulation.run(seed).map(Simulation.Failure::log))
                            .as("the same run again")
                            .hasValue(failure.get().log());
                    return failure.get();
                }
            }
        }
        throw new AssertionError("not found within " + SEEDS + " seeds");
    }

    static World.Programs workers(BiFunction<World, Life, Life.Program> worker) {
        return new World.Programs() {
            @Override
            Life.Program worker(World world, Life life) {
                return worker.apply(world, life);
            }
        };
    }

    static World.Programs routers(RouterOf router) {
        return new World.Programs() {
            @Override
            Life.Program router(World world, Life life, long seed) {
                return router.of(world, life, seed);
            }
        };
    }

    static World.Programs kvstores(RouterOf kvstore) {
        return new World.Programs() {
            @Override
            Life.Program kvstore(World world, Life life, long seed) {
                return kvstore.of(world, life, seed);
            }
        };
    }

    /** A kvstore with one thing wrong. */
    static class FaultyStore extends KvStoreShell {
        FaultyStore(World world, Life life, long seed) {
            super(world, life, Randoms.of(seed, life.toString()));
        }
    }

    /** A router with one thing wrong. */
    static class FaultyRouter extends RouterShell {
        FaultyRouter(World world, Life life, long seed) {
            super(world, life, Randoms.of(seed, "router"));
        }
    }
}
