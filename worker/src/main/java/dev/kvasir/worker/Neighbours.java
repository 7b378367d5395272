package dev.kvasir.worker;

import dev.kvasir.kvstore.transfer.NearCalls;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.worker.kernel.NearKv;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Workers whose device memory is open here: asked for once in the life of a worker, closed when its call ends, since memory of a
 * process that is gone stays taken until all who opened it close it. Nobody waits for the answer. Who cannot be a neighbour is
 * remembered, and asked again after a while. Thread-safe; bounded.
 */
final class Neighbours implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Neighbours.class);
    private static final int KNOWN_MAX = 256;
    private static final long ASK_AGAIN_NANOS = Duration.ofMinutes(1).toNanos();

    private final NearCalls calls;
    private final NearKv kv;
    private final NearThread thread;
    private final Duration timeout;
    private final Executor asking;
    private final LongSupplier clock;
    private final Map<Who, Standing> known = new LinkedHashMap<>(16, 0.75f, true);

    private record Who(String address, long incarnation) {}

    /** What a worker is to this one. */
    sealed interface Standing {}

    /**
     * Its memory is open.
     *
     * @param window into its pool; used by the thread for neighbours alone
     */
    record Near(NearCalls.Attachment attachment, NearKv.Window window) implements Standing {}

    /** It is being asked for its memory, or that is being opened. Both together take longer than computing a prompt. */
    record Meeting() implements Standing {}

    /** Its memory cannot be read from here. */
    record Far(long sinceNanos, String reason) implements Standing {}

    /**
     * Nobody is known yet.
     *
     * @param timeout of an answer
     * @param asking runs what waits for answers
     * @param clock nanoseconds, monotonic
     */
    Neighbours(NearCalls calls, NearKv kv, NearThread thread, Duration timeout, Executor asking, LongSupplier clock) {
        this.calls = calls;
        this.kv = kv;
        this.thread = thread;
        this.timeout = timeout;
        this.asking = asking;
        this.clock = clock;
    }

    private static Who who(KvSource source) {
        return new Who(source.transferAddress(), source.incarnation());
    }

    /**
     * What a worker is, as far as that is known. Where nothing is, or nothing new, it is asked for its memory, which nobody
     * waits for.
     */
    Standing standing(KvSource source) {
        var who = who(source);
        Standing standing;
        synchronized (known) {
            var before = known.get(who);
            if (before != null && !isOld(before)) {
                return before;
            }
            standing = before instanceof Far(var _, var reason) ? new Far(clock.getAsLong(), reason) : new Meeting();
            put(who, standing);
        }
        asking.execute(() -> ask(who, standing));
        return standing;
    }

    private boolean isOld(Standing standing) {
        return standing instanceof Far far && clock.getAsLong() - far.sinceNanos() >= ASK_AGAIN_NANOS;
    }

    private void ask(Who who, Standing before) {
        try {
            var attachment = calls.attach(who.address(), who.incarnation(), timeout);
            var memory = attachment.memory();
            var _ = thread.call(() -> kv.open(memory)).whenComplete((window, failure) -> {
                if (window == null) {
                    attachment.close();
                    far(who, failure, before);
                } else {
                    opened(who, new Near(attachment, window));
                }
            });
        } catch (RuntimeException e) {
            far(who, e, before);
        } catch (InterruptedException e) {
            far(who, e, before);
            Thread.currentThread().interrupt();
        }
    }

    private void opened(Who who, Near near) {
        note(who, near);
        LOG.info("KV blocks of {} are read from its device's memory", who.address());
        near.attachment().whenEnded(() -> gone(who, near));
    }

    /** @param before what it was when it was asked: what is known is not said again */
    private void far(Who who, Throwable why, Standing before) {
        var reason = reason(why);
        note(who, new Far(clock.getAsLong(), reason));
        if (!(before instanceof Far(var _, var said) && said.equals(reason))) {
            LOG.info("KV blocks of {} come through host memory: {}", who.address(), reason);
        }
    }

    private static String reason(Throwable why) {
        return why instanceof StatusRuntimeException refusal
                        && refusal.getStatus().getDescription() != null
                ? refusal.getStatus().getDescription()
                : String.valueOf(why.getMessage());
    }

    private void note(Who who, Standing standing) {
        synchronized (known) {
            put(who, standing);
        }
    }

    /** Forgets the one that was not asked for the longest where there are too many. */
    private void put(Who who, Standing standing) {
        known.put(who, standing);
        if (known.size() > KNOWN_MAX) {
            var oldest = known.entrySet().iterator();
            if (oldest.next().getValue() instanceof Near(var attachment, var _)) {
                attachment.close(); // Its end closes the window.
            }
            oldest.remove();
        }
    }

    private void gone(Who who, Near near) {
        synchronized (known) {
            known.remove(who, near);
        }
        LOG.info("the device memory of {} is closed", who.address());
        closeSoon(near.window());
    }

    /** After the copies that were asked for before. */
    private void closeSoon(NearKv.Window window) {
        var _ = thread.call(() -> {
            window.close();
            return true;
        });
    }

    /** A copy from there has failed: its pool is read no more. */
    void failed(KvSource source, Throwable why) {
        LOG.warn("KV blocks of {} cannot be read from its device's memory any more", source.transferAddress(), why);
        synchronized (known) {
            if (known.put(who(source), new Far(clock.getAsLong(), "copies failed"))
                    instanceof Near(var attachment, var _)) {
                attachment.close();
            }
        }
    }

    @Override
    public void close() {
        synchronized (known) {
            known.values().forEach(standing -> {
                if (standing instanceof Near(var attachment, var _)) {
                    attachment.close();
                }
            });
        }
    }
}
