package dev.kvasir.worker.engine;

import dev.kvasir.kvstore.block.PrefixCache;
import dev.kvasir.worker.runner.ModelRunner;
import dev.kvasir.worker.schedule.Queues;
import dev.kvasir.worker.schedule.SchedulerLimits;
import dev.kvasir.worker.schedule.Sequence;
import org.jspecify.annotations.Nullable;

/**
 * Goes on from a step whose tokens are not known yet, so that a device need not wait for the host: the step after it, in
 * which every sequence computes the token that it is about to get. Only where the scheduler could decide nothing else: all
 * that run are in the step and get one token each, nobody waits who could start, and blocks are plenty.
 *
 * <p>A token may turn out to end its output. What the step after it computes for that output is then dropped; it was written
 * to a block that nobody has been given meanwhile, or will write before the next owner does.
 */
final class Lookahead {
    private final EngineSettings settings;
    private final ModelRunner runner;
    private final Queues queues;
    private final PrefixCache cache;
    private final PlanApplier applier;
    private final LiveRequests requests;
    private final @Nullable Output[] outputs;

    Lookahead(
            EngineSettings settings,
            ModelRunner runner,
            Queues queues,
            PrefixCache cache,
            PlanApplier applier,
            LiveRequests requests) {
        this.settings = settings;
        this.runner = runner;
        this.queues = queues;
        this.cache = cache;
        this.applier = applier;
        this.requests = requests;
        this.outputs = new Output[settings.limits().sequencesMax()];
    }

    /** Fills {@code next} with the step after {@code now}, which was begun; false, and nothing happened, where that is open. */
    boolean follow(Flight now, Flight next) {
        if (!runner.mayBeFollowed(now.step()) || someoneMayStart() || !goOn(now)) {
            return false;
        }
        next.clear();
        for (int i = 0; i < now.size(); i++) {
            var output = outputs[i];
            if (output != null) {
                var work = next.step().add();
                applier.follow(now.sequence(i), now.step().get(i).to(), i, work);
                work.choose(output.sampling(), now.step().get(i).position() + 1);
                next.take(now.sequence(i));
            }
        }
        return true;
    }

    private boolean someoneMayStart() {
        return queues.waitingCount() > 0
                && queues.runningSeats() < settings.limits().sequencesMax();
    }

    /** Notes the outputs that get another token after this step's; false where that is none, or not all that is to be done. */
    private boolean goOn(Flight now) {
        SchedulerLimits limits = settings.limits();
        int alive = 0;
        int going = 0;
        int blocks = 0;
        for (int i = 0; i < now.size(); i++) {
            var sequence = now.sequence(i);
            var output = output(sequence);
            alive += output == null ? 0 : 1;
            boolean goesOn =
                    output != null && !output.isFullAfter(now.step().get(i).position() + 1, settings);
            outputs[i] = goesOn ? output : null;
            if (goesOn) {
                going++;
                blocks += 1
                        + limits.blocks(now.step().get(i).to() + 1)
                        - sequence.table().size();
            }
        }
        return going > 0
                && alive == queues.running().size()
                && blocks <= cache.pool().available();
    }

    private @Nullable Output output(Sequence sequence) {
        var request = requests.ownerOrNull(sequence);
        if (request == null) {
            return null;
        }
        for (var output : request.outputs()) {
            if (output.sequence() == sequence && !output.ended()) {
                return output;
            }
        }
        return null;
    }
}
