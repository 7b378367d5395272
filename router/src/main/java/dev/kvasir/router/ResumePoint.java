package dev.kvasir.router;

import java.util.List;

/**
 * What a client has received of an answer.
 *
 * @param prompt whether it has what comes before the first token
 * @param outputs by index; those that are not named begin
 */
public record ResumePoint(boolean prompt, List<Output> outputs) {
    public static final ResumePoint START = new ResumePoint(false, List.of());
    private static final Output BEGINNING = new Output(0, false);

    /**
     * Of one output.
     *
     * @param next index of the first token not received
     * @param finished its end was received too
     */
    public record Output(int next, boolean finished) {}

    public ResumePoint {
        outputs = List.copyOf(outputs);
    }

    /** Of the outputs from this one on. */
    public ResumePoint from(int output) {
        return new ResumePoint(prompt, outputs.subList(Math.min(output, outputs.size()), outputs.size()));
    }

    Output output(int index) {
        return index < outputs.size() ? outputs.get(index) : BEGINNING;
    }
}
