package dev.kvasir.chaos.simulation;

import dev.kvasir.router.placement.Policy;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.random.RandomGenerator;

/** Draws a scenario from a seed: one run in ten without any fault, the others with up to four. */
final class FaultMenu {
    private static final long WINDOW = 8 * Timeline.SECOND;

    private final RandomGenerator random;
    private final Geometry geometry;

    private FaultMenu(RandomGenerator random, Geometry geometry) {
        this.random = random;
        this.geometry = geometry;
    }

    static Scenario scenario(long seed) {
        var random = Randoms.of(seed, "scenario");
        boolean dying = random.nextInt(16) == 0;
        int promptMax = random.nextInt(8, 40);
        int outputMax = random.nextInt(dying ? 16 : 6, 24);
        var ofDisks = Randoms.of(seed, "disks");
        var geometry = Geometry.random(random, ofDisks, promptMax + outputMax);
        var workload = new Workload(
                random.nextInt(8, 25),
                random.nextLong(Timeline.SECOND / 2, dying ? 2 * Timeline.SECOND : WINDOW),
                promptMax,
                outputMax,
                random.nextInt(4) != 0);
        var menu = new FaultMenu(random, geometry);
        var faults = new ArrayList<>(dying ? menu.routerDiesDuringDrain(workload.spreadNanos()) : menu.some());
        if (geometry.storeDiskBlocks() > 0 && geometry.storeBlocks() > 0 && ofDisks.nextBoolean()) {
            faults.add(disk(geometry, ofDisks));
        }
        var policies = Policy.values();
        var policy = random.nextBoolean() ? Policy.COST : policies[random.nextInt(policies.length)];
        return new Scenario("seed " + seed, geometry, policy, workload, faults);
    }

    private List<Fault> some() {
        var faults = new ArrayList<Fault>();
        for (int i = random.nextInt(10) == 0 ? 0 : random.nextInt(1, 5); i > 0; i--) {
            faults.add(draw());
        }
        return faults;
    }

    private static Fault disk(Geometry geometry, RandomGenerator random) {
        var troubles = SimulatedDisk.Trouble.values();
        return new Fault.Disk(
                World.kvstore(random.nextInt(geometry.kvstores())),
                troubles[random.nextInt(1, troubles.length)],
                random.nextLong(WINDOW),
                random.nextLong(Timeline.SECOND / 10, WINDOW));
    }

    /** Two things that each are harmless; by chance they would seldom meet. */
    private List<Fault> routerDiesDuringDrain(long withinNanos) {
        long at = random.nextLong(Timeline.SECOND / 4, withinNanos);
        long moveAfterMillis = random.nextLong(1000);
        long dies = at + random.nextLong(-300 * Timeline.MILLI, (moveAfterMillis + 100) * Timeline.MILLI);
        return List.of(new Fault.Drain(worker(), at, moveAfterMillis), new Fault.Crash(router(), dies, time(0, 8)));
    }

    private Fault draw() {
        long at = random.nextLong(WINDOW);
        return switch (random.nextInt(19)) {
            case 0, 1, 2 -> new Fault.Crash(worker(), at, time(1, 8));
            case 3 -> new Fault.Crash(router(), at, time(1, 8));
            case 4, 5 -> new Fault.Pause(worker(), at, time(0, 20));
            case 6 -> new Fault.Pause(router(), at, time(0, 20));
            case 7 -> new Fault.Partition(side(), at, time(0, 20), random.nextInt(3) != 0, random.nextBoolean());
            case 8 -> new Fault.Flapping(side(), at, time(0, 3), random.nextInt(2, 6), random.nextBoolean());
            case 9 -> new Fault.PoorNetwork(quality(), at, time(1, 10));
            case 10 -> new Fault.Slow(worker(), 2 + 10 * random.nextDouble(), at, time(1, 10));
            case 11, 12 -> new Fault.Drain(worker(), at, random.nextLong(3000));
            case 13 -> new Fault.Crash(member(), at, random.nextLong(Timeline.MILLI, Timeline.SECOND));
            case 14 -> new Fault.Crash(kvstore(), at, time(0, 8));
            case 15 -> new Fault.Pause(kvstore(), at, time(0, 20));
            case 16 -> new Fault.MoveShard(random.nextInt(8), kvstore(), at);
            case 17 -> new Fault.Drain(kvstore(), at, 0);
            default -> new Fault.ClockJump(member(), at, random.nextLong(-7_200_000, 7_200_000));
        };
    }

    private long time(int fromSeconds, int toSeconds) {
        return random.nextLong(fromSeconds * Timeline.SECOND + Timeline.SECOND / 10, toSeconds * Timeline.SECOND);
    }

    private Network.Quality quality() {
        return new Network.Quality(
                random.nextBoolean() ? 0 : random.nextDouble(0.1),
                random.nextBoolean() ? 0 : random.nextDouble(0.1),
                random.nextBoolean() ? 0 : random.nextDouble(0.1),
                random.nextLong(Timeline.MILLI, 200 * Timeline.MILLI),
                random.nextLong(Timeline.MILLI, 50 * Timeline.MILLI));
    }

    private String worker() {
        return World.worker(random.nextInt(geometry.workers()));
    }

    private String router() {
        return World.router(random.nextInt(geometry.routers()));
    }

    private String kvstore() {
        return World.kvstore(random.nextInt(geometry.kvstores()));
    }

    private String member() {
        return switch (random.nextInt(3)) {
            case 0 -> worker();
            case 1 -> router();
            default -> kvstore();
        };
    }

    private Set<String> side() {
        var side = new TreeSet<String>();
        for (int i = random.nextInt(1, 4); i > 0; i--) {
            side.add(member());
        }
        return side;
    }
}
