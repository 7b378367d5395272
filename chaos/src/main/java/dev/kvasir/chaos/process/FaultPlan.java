package dev.kvasir.chaos.process;

import dev.kvasir.chaos.process.Fault.Damage;
import dev.kvasir.chaos.process.Fault.Moment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Which faults strike, in which order, decided by a seed and by nothing that happens: kinds are dealt like cards, so that each
 * comes before one comes again.
 */
final class FaultPlan {
    private static final int REPEATS = 2;

    private final Random random;
    private final Roster roster;
    private final ArrayDeque<Supplier<Fault>> cards = new ArrayDeque<>();
    private final boolean rolling;

    /** @param rolling whether whole rounds of restarts are among them, which take a minute or more */
    FaultPlan(long seed, Roster roster, boolean rolling) {
        this.random = new Random(seed);
        this.roster = roster;
        this.rolling = rolling;
    }

    /** What strikes next. */
    Fault next() {
        if (cards.isEmpty()) {
            var deck = new ArrayList<>(deck());
            Collections.shuffle(deck, random);
            cards.addAll(deck);
        }
        return cards.remove().get();
    }

    /** How long the cluster has peace before it. */
    long pauseMillis() {
        return random.nextLong(500, 3000);
    }

    private List<Supplier<Fault>> deck() {
        var deck = new ArrayList<Supplier<Fault>>();
        for (int i = 0; i < REPEATS; i++) {
            deck.add(() -> new Fault.Kill(worker(), Moment.DECODE, random.nextLong(4000)));
            deck.add(() -> new Fault.Kill(worker(), Moment.PREFILL, random.nextLong(4000)));
            deck.add(() -> new Fault.Kill(router(), Moment.ANY, random.nextLong(4000)));
            deck.add(() -> new Fault.Stop(worker(), random.nextLong(2500, 6000)));
            deck.add(() -> new Fault.Restart(Set.of(worker())));
            deck.add(() -> new Fault.Reset(true));
        }
        deck.add(() -> new Fault.Kill(store(), Moment.ANY, random.nextLong(4000)));
        deck.add(() -> new Fault.Stop(worker(), random.nextLong(14_000, 20_000)));
        deck.add(() -> new Fault.Stop(router(), random.nextLong(500, 4000)));
        deck.add(() -> new Fault.Stop(store(), random.nextLong(3000, 8000)));
        deck.add(() -> new Fault.Restart(Set.of(router())));
        deck.add(() -> new Fault.Restart(Set.of(store())));
        deck.add(() -> new Fault.Reset(false));
        deck.add(() -> new Fault.Delay(random.nextLong(20, 150), random.nextLong(2000, 6000)));
        deck.add(() -> new Fault.Partition(Set.of(worker()), false, random.nextLong(2000, 4000)));
        deck.add(() -> new Fault.Partition(Set.of(worker()), true, random.nextLong(2000, 4000)));
        deck.add(() -> new Fault.Partition(Set.of(worker()), false, random.nextLong(16_000, 22_000)));
        deck.add(() -> new Fault.Partition(Set.of(router()), false, random.nextLong(2000, 4000)));
        deck.add(() -> new Fault.Partition(Set.of(router(), worker()), false, random.nextLong(16_000, 22_000)));
        deck.add(() -> new Fault.Partition(Set.of(store()), false, random.nextLong(3000, 20_000)));
        for (var damage : Damage.values()) {
            deck.add(() -> new Fault.Disk(store(), damage));
        }
        deck.add(() -> new Fault.DiskFull(store()));
        deck.add(() -> new Fault.OutOfMemory(worker()));
        deck.add(() -> new Fault.OutOfMemory(router()));
        deck.add(() -> new Fault.OutOfMemory(store()));
        for (var harm : DataPlane.Harm.values()) {
            for (var pullers : Fault.Pullers.values()) {
                deck.add(() -> new Fault.Transfers(worker(), harm, pullers));
            }
        }
        if (rolling) {
            deck.add(Fault.Rolling::new);
        }
        return deck;
    }

    private String worker() {
        return pick("worker");
    }

    private String router() {
        return pick("router");
    }

    private String store() {
        return pick("kvstore");
    }

    private String pick(String role) {
        var names = roster.with(role);
        return names.get(random.nextInt(names.size()));
    }
}
