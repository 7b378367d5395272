package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.router.DecisionLog;
import dev.kvasir.router.Failure;
import dev.kvasir.router.OutputEvent;
import io.helidon.webserver.http.ServerResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Writes answers as server-sent events, each a frame {@code data: {json}}, its {@link StreamPosition} as {@code id}, and an
 * empty line, the last {@code data: [DONE]}. The HTTP status waits for the first event, so that a request that fails at once gets an error status; a later
 * failure becomes a frame with an error object, and no {@code [DONE]} follows. A client that cannot be written to ends
 * the requests behind the answers.
 */
final class EventStream implements Answers.Listener {
    private static final byte[] PREFIX = "data: ".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] SUFFIX = "\n\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] DONE = "data: [DONE]\n\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] COMMENT = ": waiting\n\n".getBytes(StandardCharsets.US_ASCII);

    private final ServerResponse response;
    private final Answers answers;
    private final AnswerFormat format;
    private final StreamUsage usageWanted;
    private final DecisionLog decisions;
    private final StreamPosition position;
    /** Answers to several prompts are written by several threads. */
    private final ReentrantLock lock = new ReentrantLock();

    private @Nullable OutputStream out;
    private OutputEvent.Usage usage = new OutputEvent.Usage(0, 0, 0);
    private @Nullable Failure failure;
    private @Nullable RuntimeException broken;

    private EventStream(
            ServerResponse response,
            Answers answers,
            AnswerFormat format,
            StreamUsage usageWanted,
            DecisionLog decisions) {
        this.response = response;
        this.answers = answers;
        this.format = format;
        this.usageWanted = usageWanted;
        this.decisions = decisions;
        this.position = new StreamPosition(
                answers.size(), answers.get(0).request().generation().sampling().n());
    }

    /** @throws HttpRefusal where nothing was written before the first failure */
    static void write(
            ServerResponse response,
            Answers answers,
            AnswerFormat format,
            StreamUsage usageWanted,
            DecisionLog decisions)
            throws InterruptedException {
        var stream = new EventStream(response, answers, format, usageWanted, decisions);
        answers.read(stream);
        stream.end();
    }

    @Override
    public void started(int prompt, OutputEvent.Started started) {
        locked(() -> {
            for (var chunk : format.begin(prompt, started)) {
                frame(chunk, prompt, 0);
            }
        });
    }

    @Override
    public void delta(int prompt, OutputEvent.Delta delta) {
        locked(() -> {
            position.passed(prompt, delta);
            frame(
                    format.chunk(prompt, delta),
                    prompt,
                    delta.firstTokenIndex() + delta.tokens().size());
        });
    }

    /** Brings format and position to where the client is. */
    @Override
    public void replayed(int prompt, OutputEvent event) {
        locked(() -> {
            switch (event) {
                case OutputEvent.Started started -> format.begin(prompt, started);
                case OutputEvent.Delta delta -> {
                    position.passed(prompt, delta);
                    format.chunk(prompt, delta);
                }
                case OutputEvent.Replayed _, OutputEvent.Completed _, OutputEvent.Failed _ ->
                    throw new IllegalArgumentException("cannot be replayed: " + event);
            }
        });
    }

    @Override
    public void completed(int prompt, OutputEvent.Usage counted) {
        locked(() -> usage = AnswerFormat.sum(usage, counted));
    }

    @Override
    public void failed(int prompt, Failure reason) {
        locked(() -> {
            if (failure != null) {
                return;
            }
            failure = reason;
            answers.cancel();
            if (out != null) {
                data(HttpRefusal.of(reason).body());
            }
        });
    }

    @Override
    public void silent() {
        locked(() -> write(COMMENT));
    }

    private void end() {
        if (broken != null) {
            throw broken;
        }
        if (failure != null && out == null) {
            throw HttpRefusal.of(failure);
        }
        locked(() -> {
            if (failure == null) {
                var last = format.emptyChunk();
                boolean withUsage = usageWanted != StreamUsage.NONE;
                if (withUsage) {
                    last.set("usage", AnswerFormat.json(format.usage(usage)));
                }
                if (PlacementNote.addTo(last, answers, decisions) || withUsage) {
                    data(last);
                }
                write(DONE);
            }
            out().close();
        });
        if (broken != null) {
            throw broken;
        }
    }

    /** @param generated tokens of the chunk's output so far */
    private void frame(ObjectNode chunk, int prompt, int generated) throws IOException {
        if (failure != null) {
            return;
        }
        switch (usageWanted) {
            case NONE -> {}
            case AT_END -> chunk.putNull("usage");
            case IN_EACH_EVENT -> {
                int promptTokens = answers.get(prompt).request().generation().prompt().length;
                var soFar = new OutputEvent.Usage(promptTokens, generated, 0);
                chunk.set("usage", AnswerFormat.counts(format.usage(soFar)));
            }
        }
        data(chunk);
    }

    private void data(ObjectNode node) throws IOException {
        var frame = new ByteArrayOutputStream();
        frame.write(PREFIX);
        frame.write(Json.bytes(node));
        frame.write(("\nid: " + position).getBytes(StandardCharsets.US_ASCII));
        frame.write(SUFFIX);
        write(frame.toByteArray());
    }

    private void write(byte[] frame) throws IOException {
        out().write(frame);
        out().flush();
    }

    private OutputStream out() {
        var stream = out;
        if (stream == null) {
            response.header("Content-Type", "text/event-stream; charset=utf-8");
            response.header("Cache-Control", "no-cache");
            response.header("X-Accel-Buffering", "no"); // Proxies are to pass frames on at once.
            stream = response.outputStream();
            out = stream;
        }
        return stream;
    }

    private interface Step {
        void run() throws IOException;
    }

    private void locked(Step step) {
        lock.lock();
        try {
            if (broken == null) {
                step.run();
            }
        } catch (IOException e) {
            broken = new UncheckedIOException(e);
            answers.cancel();
        } catch (RuntimeException e) {
            broken = e;
            answers.cancel();
        } finally {
            lock.unlock();
        }
    }
}
