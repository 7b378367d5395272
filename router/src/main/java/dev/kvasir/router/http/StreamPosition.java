package dev.kvasir.router.http;

import dev.kvasir.protocol.Limits;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.ResumePoint;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Where a stream of server-sent events stands, as the {@code id} of each event says it: for each choice the index of the next
 * token, with an {@code f} behind it once its end was sent; {@code 12,9f} for instance. Choices are in the order of their
 * index: prompt by prompt, the outputs of each. A client that comes back names the last one it has.
 */
final class StreamPosition {
    private static final int CHOICES_MAX = CompletionRequest.PROMPTS_MAX * SamplingParameters.N_MAX;

    private final List<ResumePoint.Output> choices;
    private final int n;

    /** @param n outputs of each prompt */
    StreamPosition(int prompts, int n) {
        this.choices = new ArrayList<>(Collections.nCopies(prompts * n, new ResumePoint.Output(0, false)));
        this.n = n;
    }

    /** Moves on by what is sent, or was sent before. */
    void passed(int prompt, OutputEvent.Delta delta) {
        int choice = prompt * n + delta.outputIndex();
        int next = delta.firstTokenIndex() + delta.tokens().size();
        choices.set(
                choice,
                new ResumePoint.Output(Math.max(next, choices.get(choice).next()), delta.finish() != null));
    }

    @Override
    public String toString() {
        return choices.stream()
                .map(choice -> choice.next() + (choice.finished() ? "f" : ""))
                .collect(Collectors.joining(","));
    }

    static ResumePoint parse(String text) {
        var parts = text.split(",", -1);
        Limits.require(
                parts.length <= CHOICES_MAX,
                "next_index",
                parts.length + " choices",
                "at most " + CHOICES_MAX + " choices");
        var outputs = new ArrayList<ResumePoint.Output>();
        for (var part : parts) {
            Limits.require(
                    part.matches("[0-9]{1,9}f?"),
                    "next_index",
                    text,
                    "the id of the last event, such as 12,9f: per choice the index of the next token, f once it has ended");
            boolean finished = part.endsWith("f");
            outputs.add(new ResumePoint.Output(
                    Integer.parseInt(finished ? part.substring(0, part.length() - 1) : part), finished));
        }
        return new ResumePoint(true, outputs);
    }
}
