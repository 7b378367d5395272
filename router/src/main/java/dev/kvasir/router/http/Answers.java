package dev.kvasir.router.http;

import dev.kvasir.router.Failure;
import dev.kvasir.router.Frontend;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.RequestDraft;
import dev.kvasir.router.ResponseStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;

/**
 * The answers to the prompts of one HTTP request, read side by side: none of them may wait for another, or it would look
 * like a slow reader. Closing gives up what has not ended.
 */
final class Answers implements AutoCloseable {
    /** After so much silence a listener is told, so that proxies do not think the stream dead. */
    private static final Duration SILENCE = Duration.ofSeconds(15);

    private final List<ResponseStream> streams = new ArrayList<>();

    /** What is done with events; calls about one answer come in order, calls about several at a time. */
    interface Listener {
        void started(int prompt, OutputEvent.Started started);

        void delta(int prompt, OutputEvent.Delta delta);

        /** The client has this already. */
        default void replayed(int prompt, OutputEvent event) {}

        void completed(int prompt, OutputEvent.Usage usage);

        void failed(int prompt, Failure failure);

        /** Nothing has happened for a while. */
        default void silent() {}
    }

    private Answers() {}

    /** Submits all; where one is refused, none goes on. */
    static Answers open(Frontend frontend, List<RequestDraft> drafts, Optional<Duration> timeout) {
        var answers = new Answers();
        try {
            for (var draft : drafts) {
                answers.streams.add(frontend.submit(draft, timeout));
            }
            return answers;
        } catch (RuntimeException e) {
            answers.close();
            throw e;
        }
    }

    /** One that was opened elsewhere. */
    static Answers of(ResponseStream stream) {
        var answers = new Answers();
        answers.streams.add(stream);
        return answers;
    }

    int size() {
        return streams.size();
    }

    ResponseStream get(int prompt) {
        return streams.get(prompt);
    }

    void cancel() {
        streams.forEach(ResponseStream::cancel);
    }

    @Override
    public void close() {
        streams.forEach(ResponseStream::close);
    }

    /** Reads all answers to their ends. */
    void read(Listener listener) throws InterruptedException {
        var others = new CountDownLatch(streams.size() - 1);
        for (int i = 1; i < streams.size(); i++) {
            int prompt = i;
            Thread.ofVirtual().name("answer-" + i).start(() -> {
                try {
                    read(prompt, listener);
                } catch (InterruptedException _) {
                    Thread.currentThread().interrupt();
                } finally {
                    others.countDown();
                }
            });
        }
        read(0, listener);
        others.await();
    }

    private void read(int prompt, Listener listener) throws InterruptedException {
        var stream = streams.get(prompt);
        while (true) {
            var event = stream.take(SILENCE).orElse(null);
            switch (event) {
                case null -> listener.silent();
                case OutputEvent.Started started -> listener.started(prompt, started);
                case OutputEvent.Delta delta -> listener.delta(prompt, delta);
                case OutputEvent.Replayed(var had) -> listener.replayed(prompt, had);
                case OutputEvent.Completed(var usage) -> {
                    listener.completed(prompt, usage);
                    return;
                }
                case OutputEvent.Failed(var failure) -> {
                    listener.failed(prompt, failure);
                    return;
                }
            }
        }
    }
}
