package dev.kvasir.worker;

import dev.kvasir.protocol.WorkerProtocol.LoadReport;
import dev.kvasir.worker.engine.Engine;
import dev.kvasir.worker.engine.EngineLoad;
import dev.kvasir.worker.engine.Puller;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * Tells subscribers how loaded the worker is, and what pulling costs it: at once when they subscribe or draining begins, then whenever it is asked
 * whether something has changed, and once a second in any case since messages can be lost. Epochs rise with every report.
 */
final class LoadReports {
    private static final long REPEAT_NANOS = 1_000_000_000;

    private final long incarnation;
    private final Engine engine;
    private final Puller puller;
    private final Set<ActorRef<LoadReport>> subscribers = new LinkedHashSet<>();
    private EngineLoad reported;
    private long reportedAtNanos = System.nanoTime();
    private long epoch;
    private boolean draining;

    LoadReports(long incarnation, Engine engine, Puller puller) {
        this.incarnation = incarnation;
        this.engine = engine;
        this.puller = puller;
        this.reported = engine.load();
    }

    void subscribe(ActorRef<LoadReport> subscriber) {
        subscribers.add(subscriber);
        subscriber.tell(report(engine.load()));
    }

    void gone(ActorRef<?> subscriber) {
        subscribers.remove(subscriber);
    }

    void drain() {
        draining = true;
        reportToAll(engine.load());
    }

    void reportIfDue(long nowNanos) {
        var load = engine.load();
        if (!subscribers.isEmpty() && (!load.equals(reported) || nowNanos - reportedAtNanos >= REPEAT_NANOS)) {
            reportToAll(load);
            reportedAtNanos = nowNanos;
        }
    }

    private void reportToAll(EngineLoad load) {
        reported = load;
        var report = report(load);
        subscribers.forEach(subscriber -> subscriber.tell(report));
    }

    private LoadReport report(EngineLoad load) {
        var pull = puller.price(load.promptTokensPerSecond());
        return new LoadReport(
                incarnation,
                ++epoch,
                load.running(),
                load.waiting(),
                load.tokensInFlight(),
                load.freeBlocks(),
                load.totalBlocks(),
                draining,
                pull.setupTokens(),
                pull.perToken());
    }
}
