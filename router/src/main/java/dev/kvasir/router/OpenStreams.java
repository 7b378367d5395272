package dev.kvasir.router;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.protocol.Leases;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.StreamOrigin;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.router.placement.Query;
import dev.kvasir.router.placement.WorkerId;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The streams of a router: starts one for each request, new or taken over, tells it its worker, and gives the response of one
 * that fails its last event. Of the router's actor.
 */
final class OpenStreams {
    private static final Logger LOG = LoggerFactory.getLogger(OpenStreams.class);

    private final Router.Setup setup;
    private final ActorContext<Router.Command> context;
    private final Workers<ActorRef<WorkerProtocol.Command>> workers;
    private final Oversight<ActorRef<WorkerProtocol.Command>, ActorRef<TokenStream.Command>> oversight;
    private final Dispatch dispatch;
    private final Map<ActorRef<TokenStream.Command>, OpenStream> streams = new HashMap<>();
    private long takeovers;
    private boolean ends;

    /** What is answered into {@code response}. */
    private record OpenStream(ValidRequest request, HashChain prompt, ResponseStream response) {
        RequestId id() {
            return request.generation().id();
        }
    }

    OpenStreams(
            Router.Setup setup,
            ActorContext<Router.Command> context,
            Workers<ActorRef<WorkerProtocol.Command>> workers,
            Oversight<ActorRef<WorkerProtocol.Command>, ActorRef<TokenStream.Command>> oversight) {
        this.setup = setup;
        this.context = context;
        this.workers = workers;
        this.oversight = oversight;
        this.dispatch = new Dispatch(setup.placement(), setup.random());
    }

    /** A new request. */
    void begin(
            ValidRequest request,
            HashChain prompt,
            ResponseStream response,
            Duration deadline,
            TokenStream.Placer placer) {
        var session = Session.begin(request, bounds());
        var task = new TokenStream.Task(request, response, session, deadline, setup.routerId(), placer);
        var stream = context.spawn(
                TokenStream.create(task, setup.config(), setup.metrics(), tick()),
                "stream-" + request.generation().id());
        opened(stream, new OpenStream(request, prompt, response));
    }

    /** The request that a worker knows. */
    ValidRequest request(Findings.Finding finding) {
        var known = finding.knowledge();
        var model = setup.models().stream()
                .filter(candidate -> candidate.name().equals(known.request().model()))
                .findFirst()
                .orElseThrow(() -> new RequestFailedException(Failure.of(
                        FailureKind.NOT_FOUND,
                        "this router does not serve model " + known.request().model())));
        return ValidRequest.of(known.request(), model, StreamOrigin.of(known.origin()), System.nanoTime());
    }

    /** Goes on with a request that a worker knows. */
    void takeOver(
            Findings.Finding finding,
            ValidRequest request,
            ResumePoint received,
            ResponseStream response,
            Duration deadline,
            TokenStream.Placer placer) {
        var id = request.generation().id();
        var ref = oversight.met().get(finding.worker());
        var takeover = Takeover.of(finding.knowledge(), ref != null);
        if (takeover.fenceFirst() && ref != null) {
            fence(ref, id, takeover.attempt());
        }
        var session = Session.resume(request, received, bounds(), takeover.attempt());
        var task = new TokenStream.Task(request, response, session, deadline, setup.routerId(), placer);
        var held = takeover.again() || ref == null ? null : new TokenStream.Held(finding.worker(), ref);
        var stream = context.spawn(
                TokenStream.create(task, setup.config(), setup.metrics(), tick(), held),
                "stream-%s-%d".formatted(id, ++takeovers));
        opened(stream, new OpenStream(request, PromptHashes.of(request, setup.status(), null), response));
        if (held != null) {
            oversight.given(stream, held.worker(), held.ref());
        }
        LOG.info("Request {} is resumed from {}", id, finding.worker());
    }

    /** Ends what runs of a request at a worker, and the stream that hears of it. */
    private void fence(ActorRef<WorkerProtocol.Command> worker, RequestId id, long attempt) {
        worker.tell(new WorkerProtocol.Claim(
                id, attempt, setup.routerId(), 0, context.getSystem().ignoreRef()));
        worker.tell(new WorkerProtocol.Cancel(id, attempt, OptionalInt.empty()));
    }

    private void opened(ActorRef<TokenStream.Command> stream, OpenStream opened) {
        streams.put(stream, opened);
        oversight.opened(stream, opened.id());
        context.watch(stream);
    }

    private Duration tick() {
        return setup.migration().lease().dividedBy(2);
    }

    private Session.Bounds bounds() {
        long lease = setup.migration().lease().toNanos();
        return new Session.Bounds(
                lease,
                setup.config().acceptTimeout().toNanos(),
                setup.migration().workerWait().toNanos(),
                lease / Leases.LOOKS_PER_LEASE,
                setup.migration().withoutProgressMax());
    }

    /** @param index of blocks that members share, where they do */
    void place(
            ActorRef<TokenStream.Command> stream,
            Set<WorkerId> without,
            int tokensSoFar,
            @Nullable IndexFollower index) {
        var open = streams.get(stream);
        if (open == null) {
            return;
        }
        long now = System.nanoTime();
        var id = open.id().value();
        var query = Dispatch.query(open.request(), open.prompt(), tokensSoFar);
        var decision = dispatch.place(workers.state(), id, query, without, now);
        LOG.debug("Request {} ({}): {}", id, open.request().userRequestId(), decision);
        setup.decisions().add(id, query, decision, System.currentTimeMillis());
        var chosen = decision.chosen().orElse(null);
        var worker = chosen == null ? null : workers.ref(chosen);
        oversight.given(stream, chosen, worker);
        if (chosen == null || worker == null) {
            stream.tell(new TokenStream.NotPlaced(
                    decision.reason(), prospect(open.request().model())));
            return;
        }
        workers.state().dispatched(chosen, id, query, decision, now);
        stream.tell(new TokenStream.Placed(chosen, worker, sources(index, query, chosen)));
    }

    private Session.Prospect prospect(ServedModel model) {
        if (workers.silent(model)) {
            return Session.Prospect.SILENT;
        }
        return ends && !workers.known(model) ? Session.Prospect.NONE : Session.Prospect.ABSENT;
    }

    /** Those that wait for a worker look again at once. */
    void lookAgain() {
        streams.keySet().forEach(stream -> stream.tell(new TokenStream.LookAgain()));
    }

    /** This process ends soon, whatever its streams do: only another member's worker is worth waiting for. */
    void end() {
        ends = true;
        lookAgain();
    }

    /** Members that the chosen worker could pull blocks of the prompt from. */
    private static List<KvSource> sources(@Nullable IndexFollower index, Query query, WorkerId chosen) {
        return index == null
                ? List.of()
                : index.sources(query.model(), query.prompt(), chosen.address(), chosen.incarnation());
    }

    /** A stream has stopped; what it did not say is said here. */
    void ended(ActorRef<TokenStream.Command> stream) {
        var open = streams.remove(stream);
        if (open != null) {
            oversight.closed(stream);
            open.response()
                    .publish(new OutputEvent.Failed(
                            Failure.of(FailureKind.INTERNAL, "the token stream of this request failed")));
        }
    }
}
