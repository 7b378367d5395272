package dev.kvasir.router.http;

import dev.kvasir.protocol.Limits;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.ResumePoint;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Where a stream of server-sent events stands, as the {@code id} of each event says it: for each output the index of the next
 * token, with an {@code f} behind it once its end was sent; {@code 12,9f} for instance. A client that comes back names the
 * last one it has.
 */
final class StreamPosition {
    private final List<ResumePoint.Output> outputs = new ArrayList<>();

    StreamPosition(int n) {
        for (int i = 0; i < n; i++) {
            outputs.add(new ResumePoint.Output(0, false));
        }
    }

    /** Moves on by what is sent, or was sent before. */
    void passed(OutputEvent.Delta delta) {
        int next = delta.firstTokenIndex() + delta.tokens().size();
        outputs.set(
                delta.outputIndex(),
                new ResumePoint.Output(
                        Math.max(next, outputs.get(delta.outputIndex()).next()), delta.finish() != null));
    }

    @Override
    public String toString() {
        return outputs.stream()
                .map(output -> output.next() + (output.finished() ? "f" : ""))
                .collect(Collectors.joining(","));
    }

    static ResumePoint parse(String text) {
        var parts = text.split(",", -1);
        Limits.require(
                parts.length <= SamplingParameters.N_MAX,
                "next_index",
                parts.length + " outputs",
                "at most 16 outputs");
        var outputs = new ArrayList<ResumePoint.Output>();
        for (var part : parts) {
            Limits.require(
                    part.matches("[0-9]{1,9}f?"),
                    "next_index",
                    text,
                    "the id of the last event, such as 12,9f: per output the index of the next token, f once it has ended");
            boolean finished = part.endsWith("f");
            outputs.add(new ResumePoint.Output(
                    Integer.parseInt(finished ? part.substring(0, part.length() - 1) : part), finished));
        }
        return new ResumePoint(true, outputs);
    }
}
