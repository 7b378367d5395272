package dev.kvasir.router.http;

import dev.kvasir.router.Failure;
import dev.kvasir.router.Frontend;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.RequestDraft;
import dev.kvasir.router.RequestIds;
import dev.kvasir.router.ResponseStream;
import dev.kvasir.router.ResumePoint;
import dev.kvasir.router.ValidRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;

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

    /**
     * Goes on with the answers to all prompts of a request; where one is not known any more, none goes on.
     *
     * @param id of the first prompt
     * @param received what the client has of all outputs, prompt by prompt
     * @param tenant whose request it has to be; empty for anybody's
     */
    static Answers resume(
            Frontend frontend, String id, ResumePoint received, Optional<Duration> timeout, Optional<String> tenant)
            throws InterruptedException {
        var answers = new Answers();
        boolean whole = false;
        try {
            var first = frontend.resume(id, received, timeout, tenant);
            answers.streams.add(first);
            int prompts = new DoorNotes(first.request().door()).prompts();
            int n = first.request().generation().sampling().n();
            answers.addAll(
                    prompts - 1,
                    i -> frontend.resume(
                            RequestIds.part(id, i + 1).value(), received.from((i + 1) * n), timeout, tenant));
            whole = true;
            return answers;
        } finally {
            if (!whole) {
                answers.close();
            }
        }
    }

    private interface Opening {
        ResponseStream open(int i) throws InterruptedException;
    }

    /** Opens some at a time, since each may have to ask all workers. */
    private void addAll(int count, Opening opening) throws InterruptedException {
        var opened = new ConcurrentSkipListMap<Integer, ResponseStream>();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var tasks = IntStream.range(0, count)
                    .mapToObj(i -> threads.submit(() -> opened.put(i, opening.open(i))))
                    .toList();
            for (var task : tasks) {
                task.get();
            }
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException known ? known : new IllegalStateException(e.getCause());
        } finally {
            streams.addAll(opened.values());
        }
    }

    /** What is answered, prompt by prompt. */
    List<ValidRequest> requests() {
        return streams.stream().map(ResponseStream::request).toList();
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
