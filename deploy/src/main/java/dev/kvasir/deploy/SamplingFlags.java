package dev.kvasir.deploy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How tokens are chosen; what is absent is the model's own default. The server checks the values. */
final class SamplingFlags {
    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            description = "Most tokens to generate (default: ${DEFAULT-VALUE}).",
            defaultValue = "256")
    private int maxTokens;

    @Option(names = "--temperature", paramLabel = "T", description = "0 always takes the likeliest token.")
    private @Nullable Double temperature;

    @Option(names = "--top-p", paramLabel = "P", description = "Only the likeliest tokens whose probabilities reach P.")
    private @Nullable Double topP;

    @Option(names = "--top-k", paramLabel = "K", description = "Only the K likeliest tokens.")
    private @Nullable Integer topK;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            description = "Only tokens at least P times as likely as the likeliest.")
    private @Nullable Double minP;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "R",
            description = "Above 1 makes tokens that were there less likely.")
    private @Nullable Double repetitionPenalty;

    @Option(names = "--seed", paramLabel = "N", description = "Same seed and prompt, same output.")
    private @Nullable Long seed;

    @Option(names = "--stop", paramLabel = "TEXT", description = "Text that ends the output; may be repeated.")
    private @Nullable List<String> stop;

    @Option(names = "--ignore-eos", description = "Go on after the model's end tokens.")
    private boolean ignoreEos;

    /** Writes them into a request of the OpenAI API. */
    void into(ObjectNode request) {
        request.put("max_tokens", maxTokens);
        if (temperature != null) {
            request.put("temperature", temperature);
        }
        if (topP != null) {
            request.put("top_p", topP);
        }
        if (topK != null) {
            request.put("top_k", topK);
        }
        if (minP != null) {
            request.put("min_p", minP);
        }
        if (repetitionPenalty != null) {
            request.put("repetition_penalty", repetitionPenalty);
        }
        if (seed != null) {
            request.put("seed", seed);
        }
        if (stop != null) {
            stop.forEach(request.putArray("stop")::add);
        }
        if (ignoreEos) {
            request.put("ignore_eos", true);
        }
    }
}
