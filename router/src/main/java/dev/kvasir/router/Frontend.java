package dev.kvasir.router;

import dev.kvasir.kvstore.hash.NameCache;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.Limits;
import dev.kvasir.protocol.RequestId;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.jspecify.annotations.Nullable;

/**
 * What the doors share: every door asks for models, tokens and answers here, and nowhere else. Owns admission: a bounded
 * number of requests is being answered at a time, the others are refused at once. Used by any number of threads.
 */
public final class Frontend {
    private static final int REQUEST_ID_MAX = 64;
    /** Whoever is refused is asked to come back when one in so many places has become free. */
    private static final int PLACES_SHARE = 16;

    private static final Duration FIND_MARGIN = Duration.ofSeconds(2);

    private final RouterConfig config;
    private final MigrationConfig migration;
    private final List<ServedModel> models;
    private final ActorRef<Router.Command> router;
    private final ClusterStatus status;
    private final DecisionLog decisions;
    private final Members members;
    private final Access access;
    private final RandomGenerator random = new SecureRandom();
    private final Semaphore slots;
    private final @Nullable NameCache names;
    private final DrainRate drainRate = new DrainRate();
    private volatile boolean leaving;
    private volatile boolean draining;

    Frontend(
            RouterConfig config,
            MigrationConfig migration,
            List<ServedModel> models,
            ActorRef<Router.Command> router,
            ClusterStatus status,
            DecisionLog decisions,
            Members members) {
        this.config = config;
        this.migration = migration;
        this.models = List.copyOf(models);
        this.router = router;
        this.status = status;
        this.decisions = decisions;
        this.members = members;
        this.access = Access.of(config.access());
        this.slots = new Semaphore(config.concurrentRequestsMax());
        this.names = config.nameCacheBytes() == 0 ? null : new NameCache(config.nameCacheBytes());
    }

    /** Starts a router in this process; it lives as long as the actor system. */
    public static Frontend start(
            ActorSystem<?> system, RouterConfig config, List<ServedModel> models, PrometheusRegistry registry) {
        return start(system, config, MigrationConfig.defaults(), models, registry, Optional.empty());
    }

    /** The same, with settings of migration. */
    public static Frontend start(
            ActorSystem<?> system,
            RouterConfig config,
            MigrationConfig migration,
            List<ServedModel> models,
            PrometheusRegistry registry) {
        return start(system, config, migration, models, registry, Optional.empty());
    }

    /** The same, in a cluster whose members may share KV blocks. */
    public static Frontend start(
            ActorSystem<?> system,
            RouterConfig config,
            MigrationConfig migration,
            List<ServedModel> models,
            PrometheusRegistry registry,
            Optional<SharedIndex> index) {
        var status = new ClusterStatus();
        var decisions = new DecisionLog();
        var members = Members.of(system);
        var setup = new Router.Setup(
                routerId(system),
                config,
                migration,
                models,
                config.placement().create(),
                new SplittableRandom(),
                new RouterMetrics(registry, models),
                status,
                decisions,
                members,
                index);
        var router = system.systemActorOf(Router.create(setup), "kvasir-router", Props.empty());
        return new Frontend(config, migration, models, router, status, decisions, members);
    }

    /** One life of a router. */
    private static String routerId(ActorSystem<?> system) {
        return system.address().hostPort() + "#" + Long.toHexString(new SecureRandom().nextLong());
    }

    public RouterConfig config() {
        return config;
    }

    /** Who may come in by the doors. */
    public Access access() {
        return access;
    }

    public List<ServedModel> models() {
        return models;
    }

    public ClusterStatus status() {
        return status;
    }

    /** Where the last requests went, and why. */
    public DecisionLog decisions() {
        return decisions;
    }

    /** Members of the cluster, as this router sees them; none where there is no cluster. */
    public List<Members.MemberStatus> members() {
        return members.now();
    }

    /** Makes a member drain and leave the cluster; false where there is no such member. */
    public boolean drain(String address) {
        return members.leave(address);
    }

    /**
     * The model of a name.
     *
     * @param name as the client gave it; empty for the only model
     * @throws RequestFailedException where there is no such model
     */
    public ServedModel model(String name) {
        if (name.isEmpty() && models.size() == 1) {
            return models.getFirst();
        }
        return models.stream()
                .filter(m -> m.isNamed(name))
                .findFirst()
                .orElseThrow(() -> new RequestFailedException(new Failure(
                        FailureKind.NOT_FOUND,
                        name.isEmpty()
                                ? "model is empty but must name one of the %d models served".formatted(models.size())
                                : "model %s does not exist".formatted(Limits.shorten(name)),
                        "model",
                        0)));
    }

    /** An id that no request has. */
    public RequestId newRequestId() {
        return RequestId.random(random);
    }

    /**
     * Checks a request and begins to answer it. The caller reads the stream on a thread of its own, and closes it.
     *
     * @param timeout that the client named, from now
     * @throws dev.kvasir.protocol.BadRequestException where the request breaks a rule
     * @throws RequestFailedException where it is refused
     */
    public ResponseStream submit(RequestDraft draft, Optional<Duration> timeout) {
        var model = model(draft.model);
        takeSlot();
        boolean opened = false;
        try {
            var request = RequestRules.validate(draft, model, config.tenantIsolation(), random);
            var response = new ResponseStream(request, this::releaseSlot);
            router.tell(new Router.Open(request, PromptHashes.of(request, status, names), response, deadline(timeout)));
            opened = true;
            return response;
        } finally {
            if (!opened) {
                slots.release();
            }
        }
    }

    /**
     * Goes on with an answer whose stream broke off, here or at another router. The response replays to its door what the
     * client has, and brings what it does not have.
     *
     * @param requestId as the responses named it
     * @param received what the client has
     * @param timeout that the client named, from now
     * @throws RequestFailedException where no worker knows the request
     */
    public ResponseStream resume(String requestId, ResumePoint received, Optional<Duration> timeout)
            throws InterruptedException {
        return resume(requestId, received, timeout, Optional.empty());
    }

    /**
     * The same for a client that may go on with the answers of one tenant.
     *
     * @param tenant whose request it has to be; empty for anybody's
     */
    public ResponseStream resume(
            String requestId, ResumePoint received, Optional<Duration> timeout, Optional<String> tenant)
            throws InterruptedException {
        Limits.require(
                !requestId.isEmpty() && requestId.length() <= REQUEST_ID_MAX,
                "request_id",
                requestId.length() + " characters",
                "1..64 characters");
        takeSlot();
        var answer = new CompletableFuture<ResponseStream>();
        var released = new AtomicBoolean();
        Runnable release = () -> {
            if (released.compareAndSet(false, true)) {
                releaseSlot();
            }
        };
        router.tell(new Router.Resume(new RequestId(requestId), tenant, received, deadline(timeout), release, answer));
        try {
            return answer.get(migration.findTimeout().plus(FIND_MARGIN).toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            release.run();
            throw e.getCause() instanceof RuntimeException known ? known : new IllegalStateException(e.getCause());
        } catch (TimeoutException | InterruptedException e) {
            var _ = answer.thenAccept(ResponseStream::close);
            release.run();
            if (e instanceof InterruptedException interrupted) {
                throw interrupted;
            }
            throw new RequestFailedException(Failure.retryable(
                    FailureKind.UNAVAILABLE, "the workers could not be asked in time", Router.RETRY_AFTER_MILLIS));
        }
    }

    private void takeSlot() {
        if (draining) {
            throw new RequestFailedException(
                    Failure.retryable(FailureKind.UNAVAILABLE, "this router is draining", Router.RETRY_AFTER_MILLIS));
        }
        if (!status.isolation().isEmpty()) {
            throw new RequestFailedException(
                    Failure.retryable(FailureKind.UNAVAILABLE, status.isolation(), Router.RETRY_AFTER_MILLIS));
        }
        if (!slots.tryAcquire()) {
            throw new RequestFailedException(Failure.retryable(
                    FailureKind.RESOURCE_EXHAUSTED,
                    "%d requests are being answered, which is the limit".formatted(config.concurrentRequestsMax()),
                    drainRate.millisFor(
                            Math.ceilDiv(config.concurrentRequestsMax(), PLACES_SHARE),
                            System.nanoTime(),
                            Router.RETRY_AFTER_MILLIS)));
        }
    }

    private void releaseSlot() {
        slots.release();
        drainRate.ended(System.nanoTime());
    }

    private Duration deadline(Optional<Duration> timeout) {
        return timeout.filter(t -> t.compareTo(config.requestTimeoutMax()) < 0).orElse(config.requestTimeoutMax());
    }

    /** Tokens of a prompt as {@link #submit} would see them; the context length is not a limit here. */
    public int[] tokenize(ServedModel model, Prompt prompt) {
        return admitted(() -> prompt instanceof Prompt.Text text && text.text().isEmpty()
                ? model.text().encode("", text.addSpecialTokens(), null)
                : RequestRules.promptTokens(prompt, model, null));
    }

    /**
     * Text of tokens, special ones included.
     *
     * @param field that the client named them in
     */
    public String detokenize(ServedModel model, String field, long[] tokens) {
        return admitted(() -> model.text().decode(RequestRules.checkedTokens(field, tokens, model), false));
    }

    /** Work that a client waits for and that takes a while, bounded as answers are. */
    private <T> T admitted(Supplier<T> work) {
        takeSlot();
        try {
            return work.get();
        } finally {
            slots.release();
        }
    }

    /** Requests being answered now. */
    public int open() {
        return config.concurrentRequestsMax() - slots.availablePermits();
    }

    /** Says from now on that it does not serve, so that load balancers look elsewhere; requests are still taken. */
    public void announceDrain() {
        leaving = true;
    }

    /**
     * The worker of this process has stopped, and the process begins anew as soon as nothing is at hand any more. Requests go
     * on at workers of other members; where there are none they fail at once, with the reason, since nobody could take them
     * before this process does.
     */
    public void workerBroke() {
        router.tell(new Router.Ends());
    }

    /** Takes no new requests. */
    public void drain() {
        leaving = true;
        draining = true;
    }

    /** Whether it is about to take no more requests, or takes none any more. */
    public boolean draining() {
        return leaving;
    }
}
