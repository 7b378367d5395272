package dev.kvasir.deploy;

import com.typesafe.config.ConfigFactory;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.router.Frontend;
import dev.kvasir.router.MigrationConfig;
import dev.kvasir.router.ServedModel;
import dev.kvasir.worker.LoadedModel;
import dev.kvasir.worker.Worker;
import dev.kvasir.worker.WorkerMetrics;
import dev.kvasir.worker.engine.EngineSettings;
import dev.kvasir.worker.schedule.SchedulerLimits;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.BootstrapSetup;
import org.apache.pekko.actor.setup.ActorSystemSetup;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** Who takes part in the doors' warm-up: an actor system without a cluster, a router, and a worker that computes nothing. */
record WarmUpCast(KvasirConfig config, ServedModel model) {
    /** Threads of the system begin with it; {@link WarmUpSilence} knows them by that. */
    static final String SYSTEM = "kvasir-warm-up";

    private static final int LONG_PROMPT_TOKENS = 4000;
    private static final int BLOCKS_FOR_TOKENS = 65_536;
    private static final String WORDS = "Seventeen and twenty-five make forty-two, as anybody can count.";
    /** Nobody is lost here, however busy the machine is. */
    private static final Duration LEASE = Duration.ofMinutes(1);

    ActorSystem<Void> system() {
        var settings = ConfigFactory.parseString("""
                pekko {
                  daemonic = on
                  loggers = ["org.apache.pekko.event.slf4j.Slf4jLogger"]
                  logging-filter = "org.apache.pekko.event.slf4j.Slf4jLoggingFilter"
                  stdout-loglevel = OFF
                  log-dead-letters = off
                  log-dead-letters-during-shutdown = off
                  actor.provider = local
                  coordinated-shutdown { run-by-jvm-shutdown-hook = off, exit-jvm = off }
                }
                """)
                .withFallback(ConfigFactory.defaultReference())
                .resolve();
        return ActorSystem.create(Behaviors.empty(), SYSTEM, ActorSystemSetup.create(BootstrapSetup.create(settings)));
    }

    Frontend frontend(ActorSystem<Void> system, PrometheusRegistry registry) {
        var usual = MigrationConfig.defaults();
        var patient = new MigrationConfig(LEASE, usual.workerWait(), usual.withoutProgressMax(), usual.findTimeout());
        return Frontend.start(system, config.router().onLoopback(), patient, List.of(model), registry);
    }

    Behavior<WorkerProtocol.Command> worker() {
        return Worker.create(this::loaded, new WorkerMetrics(new PrometheusRegistry(), model.name()));
    }

    /** Ids of a long prompt, all of them ordinary. */
    int[] longPrompt() {
        var words = words();
        var ids = new int[Math.clamp(model.maxModelLength() - WarmUpClient.OUTPUT_TOKENS - 1, 1, LONG_PROMPT_TOKENS)];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = words[i % words.length];
        }
        return ids;
    }

    private int[] words() {
        var words = model.text().tokenizer().encode(WORDS, false);
        return words.length == 0 ? new int[1] : words;
    }

    private LoadedModel loaded() {
        int blockSize = config.worker().blockSize();
        int blocks = Math.ceilDiv(Math.max(BLOCKS_FOR_TOKENS, model.maxModelLength()), blockSize);
        var description = new WorkerProtocol.Description(
                WorkerProtocol.VERSION,
                SYSTEM,
                1,
                model.name(),
                SYSTEM,
                SYSTEM,
                blockSize,
                blocks,
                model.maxModelLength(),
                model.vocabularySize(),
                1,
                "f32",
                "cpu",
                SYSTEM);
        var limits = new SchedulerLimits(
                config.worker().batchedTokensMax(),
                config.worker().sequencesMax(),
                config.worker().batchedTokensMax(),
                blockSize);
        var settings = new EngineSettings(
                model.name(),
                1,
                description.kvOrigin(),
                description.kvCacheDtype(),
                model.maxModelLength(),
                limits,
                config.worker().waitingMax(),
                new int[0],
                true,
                config.worker().priorityAging().toNanos());
        return new LoadedModel(description, settings, new AtOnceRunner(model.vocabularySize(), blocks, words()));
    }
}
