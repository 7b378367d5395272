package dev.kvasir.worker;

import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.worker.kernel.KernelsFactory;
import dev.kvasir.worker.kernel.PreparationProgress;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.concurrent.Callable;
import org.apache.pekko.actor.ExtendedActorSystem;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Adapter;

/** Wires a worker by hand: model folder, settings, kernels, metrics. */
public final class WorkerFactory {
    private WorkerFactory() {}

    /**
     * What makes a model ready to run, for {@link Worker#create}; to be called once, on a thread that may block.
     *
     * @param servedName name that requests ask for
     * @param kernels opened once, on the loading thread, and used by the engine's thread afterwards
     * @param progress told of weights as they are loaded
     * @param preparation told of what is made ready after them
     */
    public static Callable<LoadedModel> loader(
            ActorSystem<?> system,
            ModelFolder folder,
            String servedName,
            WorkerConfig config,
            KernelsFactory kernels,
            LoadProgress progress,
            PreparationProgress preparation) {
        var classic = (ExtendedActorSystem) Adapter.toClassic(system);
        return new ModelLoader(
                folder,
                servedName,
                config,
                kernels,
                classic.uid(),
                classic.provider().getDefaultAddress().toString(),
                AvailableMemory::bytes,
                progress,
                preparation);
    }

    /**
     * A worker to be spawned in {@code system}. It loads the model in the background, registers with the receptionist when
     * it serves, and stops with an exception when it cannot.
     *
     * @param registry gets the worker's metrics; one worker per registry
     */
    public static Behavior<WorkerProtocol.Command> worker(
            ActorSystem<?> system,
            ModelFolder folder,
            String servedName,
            WorkerConfig config,
            KernelsFactory kernels,
            PrometheusRegistry registry,
            LoadProgress progress) {
        return Worker.create(
                loader(system, folder, servedName, config, kernels, progress, PreparationProgress.NONE),
                new WorkerMetrics(registry, servedName));
    }
}
