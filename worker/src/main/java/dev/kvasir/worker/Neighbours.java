package dev.kvasir.worker;

import dev.kvasir.kvstore.transfer.NearCalls;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.worker.kernel.NearKv;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Workers whose device memory is open here: asked for once in the life of a worker, closed when its call ends, since memory of a
 * process that is gone stays taken until all who opened it close it. Who cannot be a neighbour is remembered, and asked
 * again after a while. Thread-safe; bounded.
 */
final class Neighbours implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Neighbours.class);
    private static final int KNOWN_MAX = 256;
    private static final long ASK_AGAIN_NANOS = Duration.ofMinutes(1).toNanos();

    private final NearCalls calls;
    private final NearKv kv;
    private final NearThread thread;
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

    /** Its memory is being opened, which takes longer than computing a prompt. */
    record Opening() implements Standing {}

    /** Its memory cannot be read from here. */
    record Far(long sinceNanos, String reason) implements Standing {}

    /** @param clock nanoseconds, monotonic */
    Neighbours(NearCalls calls, NearKv kv, NearThread thread, LongSupplier clock) {
        this.calls = calls;
        this.kv = kv;
        this.thread = thread;
        this.clock = clock;
    }

    private static Who who(KvSource source) {
        return new Who(source.transferAddress(), source.incarnation());
    }

    /** Whether blocks of a worker can be read from here, as far as that is known. */
    boolean isNear(KvSource source) {
        synchronized (known) {
            return known.get(who(source)) instanceof Near;
        }
    }

    /** Whether nothing is known of a worker, or nothing new. */
    boolean isUnknown(KvSource source) {
        synchronized (known) {
            var standing = known.get(who(source));
            return standing == null
                    || (standing instanceof Far far && clock.getAsLong() - far.sinceNanos() >= ASK_AGAIN_NANOS);
        }
    }

    /** What a worker is, which may be asked for its memory first; waits for its answer, but not until the memory is open. */
    Standing standing(KvSource source, Duration timeout) throws InterruptedException {
        var who = who(source);
        if (isUnknown(source)) {
            ask(who, timeout);
        }
        synchronized (known) {
            var standing = known.get(who);
            return standing == null ? new Far(clock.getAsLong(), "it has gone") : standing;
        }
    }

    private void ask(Who who, Duration timeout) throws InterruptedException {
        var before = note(who, new Far(clock.getAsLong(), "it is being asked"));
        try {
            var attachment = calls.attach(who.address(), who.incarnation(), timeout);
            var _ = note(who, new Opening());
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
        }
    }

    private void opened(Who who, Near near) {
        var _ = note(who, near);
        LOG.info("KV blocks of {} are read from its device's memory", who.address());
        near.attachment().whenEnded(() -> gone(who, near));
    }

    /** @param before what it was when it was asked: what is known is not said again */
    private void far(Who who, Throwable why, @Nullable Standing before) {
        var reason = reason(why);
        var _ = note(who, new Far(clock.getAsLong(), reason));
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

    /** What it was before. */
    private @Nullable Standing note(Who who, Standing standing) {
        synchronized (known) {
            var before = known.put(who, standing);
            if (known.size() > KNOWN_MAX) {
                var oldest = known.entrySet().iterator();
                if (oldest.next().getValue() instanceof Near(var attachment, var _)) {
                    attachment.close(); // Its end closes the window.
                }
                oldest.remove();
            }
            return before;
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
