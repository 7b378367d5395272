package dev.kvasir.bench.simulate;

import dev.kvasir.bench.Distribution;
import dev.kvasir.bench.simulate.SimulatedWorker.Job;
import dev.kvasir.bench.simulate.Trace.Request;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.index.BlockEvent;
import dev.kvasir.kvstore.index.EventBatch;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.kvstore.index.SnapshotPart;
import dev.kvasir.kvstore.index.Tier;
import dev.kvasir.router.placement.ClusterState;
import dev.kvasir.router.placement.LoadLedger.Capacity;
import dev.kvasir.router.placement.LoadLedger.Reported;
import dev.kvasir.router.placement.Placement;
import dev.kvasir.router.placement.PrefixSource.Prefixes;
import dev.kvasir.router.placement.Query;
import dev.kvasir.router.placement.WorkerId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * One router and its workers in virtual time. The router's side is the code that serves: cluster state, ledger, index replica
 * and policy; workers tell it of blocks after each step and of their load as often as real ones do.
 */
final class SimulatedCluster {
    private static final String MODEL = "simulated";
    private static final double REPORT_SECONDS = 0.05;

    private final Settings settings;
    private final Placement placement;
    private final SplittableRandom random;
    private final IndexReplica replica;
    private final ClusterState state;
    private final Member[] members;
    private final PriorityQueue<StepEnd> agenda = new PriorityQueue<>();
    private final double[] ttftMillis;
    private final double[] tpotMillis;
    private final double[] firstToken;
    private long hitBlocks;
    private double lastEnd;

    /**
     * What is simulated.
     *
     * @param cacheBlocks of each worker
     * @param speed how many times faster than in the trace requests arrive
     */
    record Settings(Trace trace, int workers, int cacheBlocks, StepCosts costs, double speed, long seed) {}

    private record StepEnd(double seconds, int member, long version) implements Comparable<StepEnd> {
        @Override
        public int compareTo(StepEnd other) {
            int byTime = Double.compare(seconds, other.seconds);
            return byTime != 0 ? byTime : Integer.compare(member, other.member);
        }
    }

    private SimulatedCluster(Settings settings, Placement placement) {
        this.settings = settings;
        this.placement = placement;
        this.random = new SplittableRandom(settings.seed);
        int unique = settings.trace.uniqueBlocks();
        long pairs = Math.min((long) settings.workers * Math.min(settings.cacheBlocks, unique), 1L << 28);
        replica = new IndexReplica(new IndexReplica.Limits(
                unique + 2, (int) Math.min(pairs + 2, Integer.MAX_VALUE - 8), Integer.MAX_VALUE, Long.MAX_VALUE));
        state = new ClusterState(_ -> new Prefixes(replica, new BitSet(), _ -> false));
        members = new Member[settings.workers];
        for (int i = 0; i < members.length; i++) {
            members[i] = new Member(i);
        }
        ttftMillis = new double[settings.trace.requests().size()];
        tpotMillis = new double[ttftMillis.length];
        firstToken = new double[ttftMillis.length];
    }

    /** Runs a whole trace. */
    static Outcome run(Settings settings, Placement placement) {
        return new SimulatedCluster(settings, placement).run();
    }

    private Outcome run() {
        var requests = settings.trace.requests();
        for (int i = 0; i < requests.size(); i++) {
            double arrival = requests.get(i).arrivalSeconds() / settings.speed;
            runUntil(arrival);
            dispatch(i, requests.get(i), arrival);
        }
        runUntil(Double.POSITIVE_INFINITY);
        var work = Arrays.stream(members).mapToDouble(m -> m.worker.computedTokens());
        return new Outcome(
                (double) hitBlocks / settings.trace.blocks(),
                Distribution.of(work.toArray()),
                IntStream.range(0, ttftMillis.length)
                        .mapToObj(i -> new Outcome.Served(ttftMillis[i], tpotMillis[i]))
                        .toList(),
                lastEnd);
    }

    private void runUntil(double seconds) {
        while (!agenda.isEmpty() && agenda.peek().seconds <= seconds) {
            var end = agenda.remove();
            var member = members[end.member];
            if (end.version == member.version) {
                member.stepped(end.seconds);
            }
        }
    }

    private void dispatch(int index, Request request, double now) {
        var query = new Query(
                MODEL,
                request.promptTokens(),
                request.outputTokens(),
                request.promptTokens() + request.outputTokens(),
                request.prompt());
        long nanos = nanos(now);
        var decision = placement.place(state.view(query, nanos), query, random);
        var chosen = decision.chosen().orElseThrow();
        state.dispatched(chosen, Integer.toString(index), query, decision, nanos);
        members[(int) chosen.incarnation()].arrived(new Job(index, request), now);
    }

    private static long nanos(double seconds) {
        return (long) (seconds * 1e9);
    }

    /** A worker, and what its member of the cluster tells the router. */
    private final class Member implements SimulatedWorker.Listener {
        private final int number;
        private final WorkerId id;
        private final SimulatedWorker worker;
        private final List<BlockEvent> events = new ArrayList<>();
        private long nextSequence = 1;
        private long epoch;
        private double reportedAt = Double.NEGATIVE_INFINITY;
        private long version;

        Member(int number) {
            this.number = number;
            id = new WorkerId("worker-" + number, number);
            worker = new SimulatedWorker(settings.costs, settings.cacheBlocks, settings.trace.blockSize(), this);
            state.ledger()
                    .join(id, new Capacity(MODEL, Integer.MAX_VALUE, settings.trace.blockSize(), settings.cacheBlocks));
            replica.join(id.holder());
            replica.apply(new SnapshotPart(id.holder(), 0, 0, 1, List.of()), 0);
        }

        void arrived(Job job, double now) {
            worker.accept(job);
            state.ledger().acknowledged(id, Integer.toString(job.index));
            if (worker.running()) {
                schedule(worker.cut(now));
            } else {
                begin(now);
            }
        }

        void stepped(double now) {
            worker.end(now);
            if (!events.isEmpty()) {
                replica.apply(new EventBatch(id.holder(), nextSequence, events));
                nextSequence += events.size();
                events.clear();
            }
            begin(now);
            lastEnd = Math.max(lastEnd, now);
        }

        private void begin(double now) {
            schedule(worker.begin(now));
            if (now - reportedAt >= REPORT_SECONDS || worker.requests() == 0) {
                reportedAt = now;
                var report = new Reported(++epoch, worker.queuedTokens(), worker.requests(), Integer.MAX_VALUE, false);
                state.ledger().reported(id, report);
            }
        }

        private void schedule(double end) {
            version++;
            if (end != Double.POSITIVE_INFINITY) {
                agenda.add(new StepEnd(end, number, version));
            }
        }

        @Override
        public void stored(BlockHash hash, @Nullable BlockHash parent) {
            events.add(new BlockEvent.Stored(hash, parent, Tier.DEVICE));
        }

        @Override
        public void evicted(BlockHash hash) {
            events.add(new BlockEvent.Evicted(hash, Tier.DEVICE));
        }

        @Override
        public void firstToken(Job job, double now) {
            hitBlocks += job.hitBlocks;
            firstToken[job.index] = now;
            ttftMillis[job.index] = (now - job.request.arrivalSeconds() / settings.speed) * 1000;
        }

        @Override
        public void finished(Job job, double now) {
            int gaps = job.request.outputTokens() - 1;
            tpotMillis[job.index] = gaps == 0 ? Double.NaN : (now - firstToken[job.index]) * 1000 / gaps;
            state.ended(Integer.toString(job.index));
        }
    }
}
