package dev.kvasir.router;

import dev.kvasir.protocol.WorkerProtocol.Description;
import dev.kvasir.protocol.WorkerProtocol.LoadReport;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What the router actor knows of the workers, for the doors to read from any thread. */
public final class ClusterStatus {
    private final List<Consumer<ClusterStatus>> listeners = new CopyOnWriteArrayList<>();
    private volatile List<WorkerStatus> workers = List.of();
    private volatile String isolation = "";

    /**
     * One worker.
     *
     * @param load as last reported; null before the first report
     * @param refusal why the worker gets no requests; empty where it does
     */
    public record WorkerStatus(
            Description description, @Nullable LoadReport load, String refusal) {
        public boolean serving() {
            return refusal.isEmpty() && (load == null || !load.draining());
        }
    }

    public List<WorkerStatus> workers() {
        return workers;
    }

    /** Whether some worker takes requests for the model. */
    public boolean serving(ServedModel model) {
        return isolation.isEmpty() && describing(model).isPresent();
    }

    /** Why this router takes nothing new although it could; empty where it does. */
    public String isolation() {
        return isolation;
    }

    void isolated(String why) {
        if (!isolation.equals(why)) {
            isolation = why;
            listeners.forEach(listener -> listener.accept(this));
        }
    }

    /** A worker of the model that takes requests. */
    public Optional<WorkerStatus> describing(ServedModel model) {
        return workers.stream()
                .filter(w -> w.serving() && w.description().model().equals(model.name()))
                .findFirst();
    }

    /** Calls the listener now and after each change, on the router actor's thread; it must not wait for anything. */
    public void onChange(Consumer<ClusterStatus> listener) {
        listeners.add(listener);
        listener.accept(this);
    }

    void publish(List<WorkerStatus> now) {
        workers = List.copyOf(now);
        listeners.forEach(listener -> listener.accept(this));
    }
}
