package dev.kvasir.router.http;

import io.helidon.common.buffers.BufferData;
import io.helidon.common.buffers.DataReader;
import io.helidon.common.buffers.DataWriter;
import io.helidon.http.DirectHandler;
import io.helidon.http.RequestException;
import io.helidon.http.Status;
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
 * instead is the next request, kept for later. It also knows how long a write has been waiting for the client, and gives a
 * client that sends a request byte by byte no more time than one that sends nothing.
 *
 * <p>A client that closes only its sending half counts as gone, as it does for most servers.
 */
final class ClientConnection {
    private static final ScopedValue<ClientConnection> CURRENT = ScopedValue.newInstance();
    private static final long NOT_WRITING = Long.MIN_VALUE;
    private static final long NOT_READING = Long.MIN_VALUE;
    /** Slower clients have as long as a silent one. */
    private static final long BYTES_PER_SECOND_MIN = 16 << 10;

    private final ConnectionContext context;
    private final Duration readTimeout;
    private final DataReader upstream;
    private final DataReader reader = DataReader.create(this::next);
    private final DataWriter writer;
    private volatile long writingSinceNanos = NOT_WRITING;
    private long partSinceNanos = NOT_READING;
    private long partBytes;
    private boolean inBody;
    private @Nullable CompletableFuture<byte @Nullable []> ahead;
    private volatile Runnable whenGone = () -> {};
    private volatile boolean answering;
    private volatile boolean gone;
    private volatile boolean closing;
    private boolean begun;
    private boolean old;

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

    /** The headers of a request were read; its body may follow. */
    void headersRead() {
        inBody = true;
        partBegins();
    }

    private void partBegins() {
        partSinceNanos = System.nanoTime();
        partBytes = 0;
    }

    /** A request was answered; the next one begins with its first byte. */
    void requestEnded() {
        inBody = false;
        partSinceNanos = NOT_READING;
    }

    /** Bytes that have come since the request at hand began, or its body. */
    long requestBytes() {
        return partBytes;
    }

    /** How long the next bytes may take. */
    private long patienceNanos() {
        long limit = readTimeout.toNanos();
        if (partSinceNanos == NOT_READING) {
            return limit;
        }
        long earned = TimeUnit.SECONDS.toNanos(partBytes) / BYTES_PER_SECOND_MIN;
        return limit + earned - (System.nanoTime() - partSinceNanos);
    }

    private RuntimeException tooLate() {
        if (partSinceNanos == NOT_READING) {
            return new CloseConnectionException("no further request came for " + readTimeout);
        }
        if (inBody) {
            return new UncheckedIOException(new SocketTimeoutException("the body did not arrive in time"));
        }
        return RequestException.builder()
                .type(DirectHandler.EventType.OTHER)
                .status(Status.REQUEST_TIMEOUT_408)
                .message("the request's headers did not arrive in time")
                .safeMessage(true)
                .setKeepAlive(false)
                .build();
    }

    private void arrived(byte @Nullable [] bytes) {
        if (partSinceNanos == NOT_READING) {
            partBegins();
        }
        partBytes += bytes == null ? 0 : bytes.length;
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
            byte[] bytes = pending.get(patienceNanos(), TimeUnit.NANOSECONDS);
            ahead = null;
            arrived(bytes);
            return begun || bytes == null ? bytes : first(bytes);
        } catch (TimeoutException _) {
            throw tooLate();
        } catch (ExecutionException e) {
            throw new CloseConnectionException("the connection was lost", e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CloseConnectionException("the server stops", e);
        }
    }

    private byte[] first(byte[] bytes) {
        begun = true;
        old = OldHttp.begins(bytes);
        return old ? OldHttp.renewed(bytes) : bytes;
    }

    /** Whether the client speaks HTTP/1.0, and has the connection for one request. */
    boolean isOld() {
        return old;
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
