package dev.kvasir.chaos.simulation;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;

/**
 * Carries messages between members, one way at a time. As it is, it keeps the order of each pair and loses nothing; faults
 * make it lose, double, delay and reorder messages, and cut links. What meets a cut link is lost, or kept until the link is
 * whole again, as TCP does.
 */
final class Network {
    /** Behaviour of all links, or of one. */
    record Quality(double loss, double doubled, double reordered, long delayNanos, long jitterNanos) {
        static final Quality GOOD = new Quality(0, 0, 0, 200_000, 300_000);
    }

    private record Link(String from, String to) {}

    private record Held(Life from, Life to, Object message, Runnable receive) {}

    private static final long SENT_AGAIN = 200 * Timeline.MILLI;

    private final Timeline timeline;
    private final RandomGenerator random;
    private final Trace trace;
    private final Map<Link, Quality> qualities = new HashMap<>();
    private final Map<Link, Integer> cuts = new HashMap<>();
    private final Set<Link> losing = new HashSet<>();
    private final Map<Link, Long> lastArrival = new HashMap<>();
    private final Map<Link, List<Held>> held = new HashMap<>();
    private Quality usual = Quality.GOOD;
    private long changedNanos;

    Network(Timeline timeline, RandomGenerator random, Trace trace) {
        this.timeline = timeline;
        this.random = random;
        this.trace = trace;
    }

    /** Whether all links are whole and good, and have been for so long. */
    boolean isGoodSince(long nanos) {
        return cuts.isEmpty() && usual.equals(Quality.GOOD) && changedNanos <= nanos;
    }

    void usually(Quality quality) {
        changedNanos = timeline.now();
        usual = quality;
    }

    void quality(String from, String to, Quality quality) {
        qualities.put(new Link(from, to), quality);
    }

    void usualQuality(String from, String to) {
        qualities.remove(new Link(from, to));
    }

    /** Cuts may overlap; a link is whole when each has been mended. */
    void cut(String from, String to, boolean losesMessages) {
        changedNanos = timeline.now();
        var link = new Link(from, to);
        cuts.merge(link, 1, Integer::sum);
        if (losesMessages) {
            losing.add(link);
        }
    }

    void mend(String from, String to) {
        changedNanos = timeline.now();
        var link = new Link(from, to);
        if (cuts.merge(link, -1, Integer::sum) > 0) {
            return;
        }
        cuts.remove(link);
        losing.remove(link);
        var waiting = held.remove(link);
        if (waiting != null) {
            // What a process has not got rid of dies with it.
            waiting.stream().filter(one -> !one.from.isDead()).forEach(one -> carry(link, one, Quality.GOOD));
        }
    }

    boolean isOpen(String from, String to) {
        return !cuts.containsKey(new Link(from, to));
    }

    /** To the program that runs there. */
    void send(Life from, Life to, Object message) {
        send(from, to, message, () -> to.program().receive(from, message));
    }

    /** @param receive what becomes of the message there */
    void send(Life from, Life to, Object message, Runnable receive) {
        var link = new Link(from.name(), to.name());
        var one = new Held(from, to, message, receive);
        if (cuts.containsKey(link)) {
            boolean lost = losing.contains(link);
            trace.note(from.name(), () -> (lost ? "lost to " : "held to ") + to + ": " + Words.of(message));
            if (!lost) {
                held.computeIfAbsent(link, _ -> new ArrayList<>()).add(one);
            }
            return;
        }
        var quality = quality(link);
        if (Randoms.chance(random, quality.loss)) {
            trace.note(from.name(), () -> "lost to " + to + ": " + Words.of(message));
            return;
        }
        carry(link, one, quality);
        if (Randoms.chance(random, quality.doubled)) {
            carry(link, one, quality);
        }
    }

    /** As TCP does it: in order, nothing lost or doubled; what is cut waits, and what would be lost comes later. */
    void stream(Life from, Life to, String what, Runnable receive) {
        var link = new Link(from.name(), to.name());
        var one = new Held(from, to, what, receive);
        if (cuts.containsKey(link)) {
            held.computeIfAbsent(link, _ -> new ArrayList<>()).add(one);
            return;
        }
        var quality = quality(link);
        long again = Randoms.chance(random, quality.loss) ? SENT_AGAIN : 0;
        carry(link, one, new Quality(0, 0, 0, quality.delayNanos + again, quality.jitterNanos));
    }

    /** Faults are among members: a client's connection loses nothing as long as its router lives. */
    private Quality quality(Link link) {
        boolean outside = link.from.equals(World.CLIENT) || link.to.equals(World.CLIENT);
        return outside ? Quality.GOOD : qualities.getOrDefault(link, usual);
    }

    private void carry(Link link, Held one, Quality quality) {
        long arrival = timeline.now()
                + quality.delayNanos
                + (quality.jitterNanos == 0 ? 0 : random.nextLong(quality.jitterNanos));
        if (!Randoms.chance(random, quality.reordered)) {
            arrival = Math.max(arrival, lastArrival.getOrDefault(link, 0L));
            lastArrival.put(link, arrival);
        } else {
            arrival += random.nextLong(20 * Timeline.MILLI);
        }
        timeline.at(arrival, () -> one.to.handle(() -> deliver(one)));
    }

    private void deliver(Held one) {
        trace.note(one.to.name(), () -> "from " + one.from + ": " + Words.of(one.message));
        one.receive.run();
    }
}
