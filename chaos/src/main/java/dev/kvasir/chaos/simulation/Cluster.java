package dev.kvasir.chaos.simulation;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/** The processes: which life of each member is the current one, and how another begins. */
final class Cluster {
    /** What is installed on a machine. */
    interface Installed {
        Life.Program program(Life life);
    }

    private static final long RESTART_NANOS = 2 * Timeline.SECOND;

    private final World world;
    private final RandomGenerator random;
    private final Map<String, Installed> members = new LinkedHashMap<>();
    private final Map<String, Life> lives = new LinkedHashMap<>();
    private final List<Life> everyLife = new ArrayList<>();
    private long incarnations;

    Cluster(World world, RandomGenerator random) {
        this.world = world;
        this.random = random;
    }

    void install(String name, Installed program) {
        members.put(name, program);
    }

    void startAll() {
        members.keySet().forEach(this::start);
    }

    /** Begins a life of a member that has none. */
    void start(String name) {
        var before = lives.get(name);
        var installed = members.get(name);
        if (installed == null || (before != null && !before.isDead())) {
            return;
        }
        var life = new Life(world.timeline(), name, ++incarnations, random.nextLong(-1L << 50, 1L << 50));
        lives.put(name, life);
        everyLife.add(life);
        world.trace().note(name, () -> "starts as " + life);
        life.begin(installed.program(life));
        world.membership().join(life);
    }

    /** kill -9. */
    void crash(String name) {
        var life = current(name);
        if (life != null) {
            world.trace().note(name, () -> life + " is killed");
            end(life);
        }
    }

    /** A process ends itself and is started again, as a supervisor does. */
    void exit(Life life) {
        if (!life.isDead()) {
            end(life);
            world.timeline().at(world.timeline().now() + RESTART_NANOS, () -> start(life.name()));
        }
    }

    /** A process ends when it has nothing left to do, and is started again. */
    void leave(Life life) {
        if (!life.isDead()) {
            world.trace().note(life.name(), () -> life + " leaves");
            world.membership().leave(life);
            exit(life);
        }
    }

    private void end(Life life) {
        life.die();
        world.membership().died(life);
        world.client().connectionBroken(life);
        world.wires().ended(life);
    }

    /** The life that a member has now, if it has one. */
    @Nullable
    Life current(String name) {
        var life = lives.get(name);
        return life == null || life.isDead() ? null : life;
    }

    Collection<String> names() {
        return members.keySet();
    }

    /** All there ever were. */
    List<Life> everyLife() {
        return everyLife;
    }

    List<Life> alive() {
        var alive = new ArrayList<Life>();
        for (var life : lives.values()) {
            if (!life.isDead()) {
                alive.add(life);
            }
        }
        return alive;
    }

    boolean isHealthy() {
        return lives.size() == members.size() && lives.values().stream().allMatch(Life::isRunning);
    }
}
