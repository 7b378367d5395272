package dev.kvasir.bench.simulate;

import dev.kvasir.bench.Distribution;
import dev.kvasir.bench.simulate.SimulatedWorker.Job;
import dev.kvasir.bench.simulate.Trace.Request;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.kvstore.index.Match;
import dev.kvasir.kvstore.index.Tier;
import dev.kvasir.router.placement.ClusterState;
import dev.kvasir.router.placement.LoadLedger;
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
 * One router, its workers and kvstores in virtual time. The router's side is the code that serves: cluster state, ledger,
 * index replica and policy; workers tell it of blocks after each step and of their load as often as real ones do, and
 * decide by the code that serves whether to pull.
 */
final class SimulatedCluster {
    private static final String MODEL = "simulated";
    private static final double REPORT_SECONDS = 0.05;

    private final Settings settings;
    private final Placement placement;
    private final SplittableRandom random;
    private final IndexReplica replica;
    private final IndexReplica storeReplica;
    private final BitSet offering = new BitSet();
    private final Match match = new Match();
    private final ClusterState state;
    private final Chains chains;
    private final SimulatedStores stores;
    private final Member[] members;
    private final PriorityQueue<StepEnd> agenda = new PriorityQueue<>();
    private final double[] ttftMillis;
    private final double[] tpotMillis;
    private final double[] firstToken;
    private long localBlocks;
    private long pulledBlocks;
    private double lastEnd;

    /**
     * What is simulated.
     *
     * @param speed how many times faster than in the trace requests arrive
     */
    record Settings(
            Trace trace, int workers, Capacity capacity, StepCosts costs, Network network, double speed, long seed) {}

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
        this.chains = new Chains(settings.trace);
        var capacity = settings.capacity;
        long held = Math.min((long) capacity.deviceBlocks() + capacity.hostBlocks(), settings.trace.uniqueBlocks());
        this.replica = replica(settings, settings.workers * held);
        this.storeReplica = replica(settings, settings.network.pulls() ? capacity.storeBlocks() : 0);
        this.stores = new SimulatedStores(
                Math.ceilDiv(settings.workers, settings.network.workersPerStore()),
                capacity.storeBlocks(),
                settings.trace.blockSize(),
                storeReplica);
        var known = new Prefixes(replica, offering, storeReplica, stores.segmentBlocks(), _ -> true);
        this.state = new ClusterState(_ -> known);
        this.members = new Member[settings.workers];
        for (int i = 0; i < members.length; i++) {
            members[i] = new Member(i);
        }
        this.ttftMillis = new double[settings.trace.requests().size()];
        this.tpotMillis = new double[ttftMillis.length];
        this.firstToken = new double[ttftMillis.length];
    }

    private static IndexReplica replica(Settings settings, long pairs) {
        return new IndexReplica(new IndexReplica.Limits(
                settings.trace.uniqueBlocks() + 2,
                (int) Math.min(2 * pairs + 2, 1L << 28),
                Integer.MAX_VALUE,
                Long.MAX_VALUE));
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
        double blocks = settings.trace.blocks();
        double blockBytes = settings.trace.blockSize() * settings.network.tokenBytes();
        long pulled =
                Arrays.stream(members).mapToLong(m -> m.pulls.pulledBlocks()).sum();
        return new Outcome(
                localBlocks / blocks,
                pulledBlocks / blocks,
                pulled * blockBytes,
                stores.takenBlocks() * blockBytes,
                Distribution.of(Arrays.stream(members)
                        .mapToDouble(m -> m.worker.computedTokens())
                        .toArray()),
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
        members[(int) chosen.incarnation()].arrived(index, request, now);
    }

    private static long nanos(double seconds) {
        return (long) (seconds * 1e9);
    }

    /** A worker, and what its member of the cluster tells the router. */
    private final class Member implements SimulatedWorker.Listener {
        private final int number;
        private final WorkerId id;
        private final SimulatedWorker worker;
        private final SimulatedPulls pulls;
        private final Link link = new Link();
        private final HolderNews news;
        private long epoch;
        private double reportedAt = Double.NEGATIVE_INFINITY;
        private long version;

        Member(int number) {
            this.number = number;
            int blockSize = settings.trace.blockSize();
            int blocks = settings.capacity.deviceBlocks();
            id = new WorkerId("worker-" + number, number);
            worker = new SimulatedWorker(settings.costs, settings.capacity, settings.network, blockSize, this);
            pulls = new SimulatedPulls(settings.network, blockSize, settings.costs.prefillTokensPerSecond(), link);
            state.ledger().join(id, new LoadLedger.Capacity(MODEL, Integer.MAX_VALUE, blockSize, blocks));
            news = new HolderNews(replica, id.holder());
            offering.set(news.slot(), settings.network.pulls());
        }

        void arrived(int index, Request request, double now) {
            worker.accept(job(index, request, now));
            state.ledger().acknowledged(id, Integer.toString(index));
            if (worker.running()) {
                schedule(worker.cut(now));
            } else {
                begin(now);
            }
        }

        private Job job(int index, Request request, double now) {
            var prompt = request.prompt();
            int have = worker.localBlocks(prompt);
            var legs = settings.network.pulls() ? legs(prompt, have) : List.<Leg>of();
            var pull = legs.isEmpty() ? null : pulls.begin(prompt, legs, worker.queuedTokens(), now);
            return pull == null
                    ? new Job(index, request, now, 0, 0)
                    : new Job(
                            index,
                            request,
                            pull.readySeconds(),
                            have,
                            legs.getLast().end());
        }

        /** Who has what follows the first {@code have} blocks: kvstores, and the worker that has most. */
        private List<Leg> legs(HashChain chain, int have) {
            replica.index().match(chain, chain.size(), match);
            var leader = leader();
            int leading = leader == this ? have : leader.worker.localBlocks(chain);
            var legs = new ArrayList<Leg>();
            int end = have;
            while (end < chain.size()) {
                var leg = stores.leg(chain, end);
                if (leg == null && leading <= end) {
                    break;
                }
                legs.add(leg == null ? new Leg(leader.link, end, leading) : leg);
                end = legs.getLast().end();
            }
            return legs;
        }

        private Member leader() {
            var best = this;
            for (var member : members) {
                best = match.blocks(member.news.slot()) > match.blocks(best.news.slot()) ? member : best;
            }
            return best;
        }

        void stepped(double now) {
            worker.end(now);
            news.flush();
            stores.flush();
            begin(now);
            lastEnd = Math.max(lastEnd, now);
        }

        private void begin(double now) {
            schedule(worker.begin(now));
            if (now - reportedAt >= REPORT_SECONDS || worker.requests() == 0) {
                reportedAt = now;
                var report = new LoadLedger.Reported(
                        ++epoch, worker.queuedTokens(), worker.requests(), Integer.MAX_VALUE, false, pulls.price(now));
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
            news.stored(hash, parent, Tier.DEVICE);
        }

        @Override
        public void evicted(BlockHash hash) {
            news.evicted(hash, Tier.DEVICE);
        }

        @Override
        public void storedInHost(BlockHash hash) {
            news.stored(hash, chains.of(hash).parent(), Tier.HOST);
        }

        @Override
        public void evictedFromHost(BlockHash hash) {
            news.evicted(hash, Tier.HOST);
        }

        @Override
        public void released(BlockHash hash) {
            if (settings.capacity.storeBlocks() > 0) {
                stores.offer(chains.of(hash));
            }
        }

        @Override
        public void firstToken(Job job, double now) {
            localBlocks += job.localBlocks;
            pulledBlocks += job.pulledBlocks;
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
