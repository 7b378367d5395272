package dev.kvasir.router.http;

import io.helidon.common.buffers.BufferData;
import io.helidon.common.buffers.DataReader;
import io.helidon.common.buffers.DataWriter;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.ConnectionContext;
import java.io.UncheckedIOException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * One client's connection, between the server's HTTP code and the socket. While a request is being answered it reads
 * ahead, so that a client that hangs up is noticed at once, even where nothing is being written to it; what it reads
 * instead is the next request, kept for later. It also knows how long a write has been waiting for the client.
 *
 * <p>A client that closes only its sending half counts as gone, as it does for most servers.
 */
final class ClientConnection {
    private static final ScopedValue<ClientConnection> CURRENT = ScopedValue.newInstance();
    private static final long NOT_WRITING = Long.MIN_VALUE;

    private final ConnectionContext context;
    private final Duration readTimeout;
    private final DataReader upstream;
    private final DataReader reader = DataReader.create(this::next);
    private final DataWriter writer;
    private volatile long writingSinceNanos = NOT_WRITING;
    private @Nullable CompletableFuture<byte @Nullable []> ahead;
    private volatile Runnable whenGone = () -> {};
    private volatile boolean answering;
    private volatile boolean gone;
    private volatile boolean closing;

    /** @param readTimeout how long the next bytes of a request may take, and the next request */
    ClientConnection(ConnectionContext context, Duration readTimeout) {
        this.context = context;
        this.readTimeout = readTimeout;
        this.upstream = context.dataReader();
        this.writer = new TimedWriter(context.dataWriter());
    }

    /** The connection whose request the current thread answers. */
    static ClientConnection current() {
        return CURRENT.get();
    }

    ScopedValue.Carrier asCurrent() {
        return ScopedValue.where(CURRENT, this);
    }

    DataReader reader() {
        return reader;
    }

    DataWriter writer() {
        return writer;
    }

    /**
     * Runs an answer that begins after the whole request was read; {@code onGone} runs, on another thread and at most
     * once, if the client hangs up meanwhile.
     */
    void answering(Runnable onGone, Answer answer) throws InterruptedException {
        whenGone = onGone;
        answering = true;
        try {
            if (ahead == null) {
                readAhead();
            } else if (gone) {
                onGone.run();
            }
            answer.run();
        } finally {
            answering = false;
            whenGone = () -> {};
        }
    }

    interface Answer {
        void run() throws InterruptedException;
    }

    /** No request follows the one being answered. */
    void closeAfterThis() {
        closing = true;
    }

    boolean gone() {
        return gone;
    }

    /** Cuts the connection if one write has waited for the client for longer than {@code limit}. */
    void cutIfStuck(long nowNanos, Duration limit) {
        long since = writingSinceNanos;
        if (since != NOT_WRITING && nowNanos - since > limit.toNanos()) {
            context.serverSocket().close();
        }
    }

    private void readAhead() {
        var pending = new CompletableFuture<byte @Nullable []>();
        ahead = pending;
        Thread.ofVirtual().name("read-ahead-" + context.childSocketId()).start(() -> {
            try {
                byte[] bytes = read();
                gone = bytes == null;
                pending.complete(bytes);
            } catch (RuntimeException e) {
                gone = true;
                pending.completeExceptionally(e);
            }
            if (gone && answering) {
                whenGone.run();
            }
        });
    }

    private byte @Nullable [] next() {
        if (closing) {
            return null;
        }
        if (ahead == null) {
            readAhead();
        }
        var pending = Objects.requireNonNull(ahead);
        try {
            byte[] bytes = pending.get(readTimeout.toNanos(), TimeUnit.NANOSECONDS);
            ahead = null;
            return bytes;
        } catch (TimeoutException _) {
            throw new UncheckedIOException(new SocketTimeoutException("nothing came for " + readTimeout));
        } catch (ExecutionException e) {
            throw new CloseConnectionException("the connection was lost", e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CloseConnectionException("the server stops", e);
        }
    }

    private byte @Nullable [] read() {
        try {
            upstream.ensureAvailable();
            return upstream.readBytes(upstream.available());
        } catch (DataReader.InsufficientDataAvailableException _) {
            return null; // The end of the stream.
        }
    }

    private final class TimedWriter implements DataWriter {
        private final DataWriter delegate;

        TimedWriter(DataWriter delegate) {
            this.delegate = delegate;
        }

        private void timed(Runnable write) {
            writingSinceNanos = System.nanoTime();
            try {
                write.run();
            } finally {
                writingSinceNanos = NOT_WRITING;
            }
        }

        @Override
        public void write(BufferData... buffers) {
            timed(() -> delegate.write(buffers));
        }

        @Override
        public void write(BufferData buffer) {
            timed(() -> delegate.write(buffer));
        }

        @Override
        public void writeNow(BufferData... buffers) {
            timed(() -> delegate.writeNow(buffers));
        }

        @Override
        public void writeNow(BufferData buffer) {
            timed(() -> delegate.writeNow(buffer));
        }

        @Override
        public void flush() {
            timed(delegate::flush);
        }

        @Override
        public void close() {
            delegate.close();
        }
    }
}
