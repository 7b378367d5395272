package dev.kvasir.chaos.simulation;

import dev.kvasir.router.Members;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;

/**
 * Stands in for Pekko's cluster membership, which is not run here: heartbeats, a failure detector with a fixed delay, and
 * a split brain resolver that keeps the majority. Modelled: members notice each other's silence after {@link #SILENCE};
 * a side that is stable for {@link #STABLE} and holds the majority (of equal halves: the first name) removes the others;
 * members of a minority, and members that find that they were removed, end themselves; a new life at an address removes the
 * old one. Gossip is not modelled: the members of one side agree at once. That watched actors have ended is told by address,
 * up to {@link #TOLD_LATE_MAX} later, as Pekko's death watch does it.
 */
final class Membership {
    static final long TICK = 500 * Timeline.MILLI;
    static final long SILENCE = 4 * Timeline.SECOND;
    static final long STABLE = 7 * Timeline.SECOND;
    private static final long TOLD_LATE_MAX = 3 * Timeline.SECOND;
    private static final long LEAVES_AFTER = 100 * Timeline.MILLI;

    private final World world;
    private final RandomGenerator random;
    private final Map<Life, View> views = new LinkedHashMap<>();

    /** What one member thinks of the others. */
    private static final class View {
        private final Map<Life, Long> heard = new LinkedHashMap<>();
        private final Set<Life> unreachable = new LinkedHashSet<>();
        private long stableSince;
        private boolean leaving;
    }

    Membership(World world, RandomGenerator random) {
        this.world = world;
        this.random = random;
    }

    void start() {
        world.timeline().at(world.timeline().now() + TICK, this::tick);
    }

    private void tick() {
        var members = List.copyOf(views.keySet());
        members.stream().filter(Life::isRunning).forEach(this::look);
        members.stream().filter(Life::isRunning).forEach(this::resolve);
        world.checkNow();
        start();
    }

    /** A process has started: whoever can be reached learns of it, and forgets the life before. */
    void join(Life life) {
        var view = new View();
        long now = world.timeline().now();
        views.put(life, view);
        for (var other : List.copyOf(views.keySet())) {
            if (other == life || other.isDead()) {
                continue;
            }
            if (other.name().equals(life.name())) {
                continue;
            }
            view.heard.put(other, now);
            life.handle(() -> life.program().joined(other));
            other.handle(() -> welcome(other, life));
        }
    }

    private void welcome(Life here, Life other) {
        var view = views.get(here);
        if (view == null) {
            return;
        }
        view.heard.keySet().stream()
                .filter(known -> known.name().equals(other.name()) && known != other)
                .toList()
                .forEach(old -> remove(here, old));
        view.heard.put(other, world.timeline().now());
        here.program().joined(other);
    }

    /** A member says that it takes nothing new. */
    void deregister(Life life) {
        for (var other : List.copyOf(views.keySet())) {
            if (other != life && hears(other, life)) {
                other.handle(() -> other.program().deregistered(life));
            }
        }
    }

    /** A process has ended by its own will, and said so. */
    void leave(Life life) {
        views.remove(life);
        for (var other : List.copyOf(views.keySet())) {
            if (hears(other, life)) {
                other.handle(() -> remove(other, life));
            }
        }
    }

    void died(Life life) {
        views.remove(life);
    }

    /** Members that {@code life} counts, itself not included. */
    Set<Life> others(Life life) {
        var view = views.get(life);
        return view == null ? Set.of() : view.heard.keySet();
    }

    /** Whether no member has removed it. */
    boolean isCountedByAll(Life life) {
        for (var other : views.entrySet()) {
            if (other.getKey() != life && !other.getValue().heard.containsKey(life)) {
                return false;
            }
        }
        return true;
    }

    /** All members as one of them sees them. */
    List<Members.MemberStatus> statuses(Life life) {
        var view = views.get(life);
        if (view == null) {
            return List.of();
        }
        var statuses = new ArrayList<Members.MemberStatus>();
        statuses.add(new Members.MemberStatus(life.name(), life.incarnation(), Set.of(), "Up"));
        for (var other : view.heard.keySet()) {
            var status = view.unreachable.contains(other) ? Members.UNREACHABLE : "Up";
            statuses.add(new Members.MemberStatus(other.name(), other.incarnation(), Set.of(), status));
        }
        return statuses;
    }

    private boolean hears(Life here, Life other) {
        return world.network().isOpen(other.name(), here.name());
    }

    private void look(Life here) {
        var view = views.get(here);
        if (view == null) {
            return;
        }
        long now = world.timeline().now();
        for (var other : List.copyOf(view.heard.keySet())) {
            if (other.isRunning() && hears(here, other)) {
                if (removed(other, here)) {
                    end(here, view, "it was removed by " + other);
                    return;
                }
                view.heard.put(other, now);
                if (view.unreachable.remove(other)) {
                    view.stableSince = now;
                    here.program().reachable(other, true);
                }
            } else if (now - view.heard.getOrDefault(other, now) > SILENCE && view.unreachable.add(other)) {
                view.stableSince = now;
                here.program().reachable(other, false);
            }
        }
    }

    /** Whether {@code there} has declared {@code here} dead: then it refuses to talk and says so. */
    private boolean removed(Life there, Life here) {
        var view = views.get(there);
        return view != null && !view.heard.containsKey(here);
    }

    private void resolve(Life here) {
        var view = views.get(here);
        if (view == null || view.unreachable.isEmpty() || world.timeline().now() - view.stableSince < STABLE) {
            return;
        }
        if (holdsMajority(here, view)) {
            var gone = List.copyOf(view.unreachable);
            var side = new ArrayList<>(view.heard.keySet());
            side.removeAll(gone);
            side.add(here);
            for (var member : side) {
                member.handle(() -> gone.forEach(lost -> remove(member, lost)));
            }
        } else {
            end(here, view, "it is in a minority");
        }
    }

    private static boolean holdsMajority(Life here, View view) {
        int all = view.heard.size() + 1;
        int reachable = all - view.unreachable.size();
        if (2 * reachable != all) {
            return 2 * reachable > all;
        }
        var lost = new HashMap<String, Boolean>();
        view.unreachable.forEach(other -> lost.put(other.name(), true));
        var first = view.heard.keySet().stream()
                .map(Life::name)
                .min(String::compareTo)
                .orElse(here.name());
        return here.name().compareTo(first) < 0 || !lost.containsKey(first);
    }

    private void remove(Life here, Life gone) {
        var view = views.get(here);
        if (view == null || view.heard.remove(gone) == null) {
            return;
        }
        view.unreachable.remove(gone);
        world.trace().note(here.name(), () -> gone + " is no member any more");
        here.program().left(gone);
        here.after(
                random.nextBoolean() ? 0 : random.nextLong(TOLD_LATE_MAX),
                () -> here.program().terminated(gone.name()));
    }

    private void end(Life here, View view, String why) {
        if (!view.leaving) {
            view.leaving = true;
            world.trace().note(here.name(), () -> "ends itself: " + why);
            here.after(LEAVES_AFTER, () -> world.cluster().exit(here));
        }
    }
}
