package dev.kvasir.router;

import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.protocol.WorkerProtocol.Found;
import dev.kvasir.router.placement.WorkerId;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** Asks workers for a request, for a bounded time, and tells what came of it. */
final class Finder {
    sealed interface Command {}

    private record Answered(WorkerId worker, Found found) implements Command {}

    private record TimeUp() implements Command {}

    private Finder() {}

    static Behavior<Command> create(
            RequestId id,
            Map<WorkerId, ActorRef<WorkerProtocol.Command>> workers,
            Duration timeout,
            Consumer<Optional<Findings.Finding>> told) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            var findings = new Findings(workers.keySet());
            if (findings.complete()) {
                told.accept(Optional.empty());
                return Behaviors.stopped();
            }
            timers.startSingleTimer(new TimeUp(), timeout);
            workers.forEach((worker, ref) -> {
                ActorRef<Found> answers = context.spawnAnonymous(Behaviors.receiveMessage(found -> {
                    context.getSelf().tell(new Answered(worker, found));
                    return Behaviors.stopped();
                }));
                ref.tell(new WorkerProtocol.Find(id, answers));
            });
            return Behaviors.receiveMessage(message -> {
                if (message instanceof Answered(var worker, var found)) {
                    findings.answered(worker, found.known());
                    if (!findings.complete()) {
                        return Behaviors.same();
                    }
                }
                told.accept(findings.best());
                return Behaviors.stopped();
            });
        }));
    }
}
