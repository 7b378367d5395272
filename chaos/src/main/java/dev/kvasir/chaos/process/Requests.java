package dev.kvasir.chaos.process;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.client.Answer;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.OutputDelta;
import dev.kvasir.v1.Report;
import dev.kvasir.v1.Sampling;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/** What clients ask real clusters: of two tenants, over shared beginnings, greedy and seeded. And what they have in the end. */
final class Requests {
    private static final String DOCUMENT =
            "The mill has seven wheels. Ada keeps the mill. Oslo is a city. Bees fly by day. The river is cold. ";
    private static final String[] QUESTIONS = {
        "Who keeps the mill?", "What is 17 + 25?", "How many wheels are there?", "Write JSON for: name Ada, age 31",
    };

    private static final ObjectMapper JSON = new ObjectMapper();

    private Requests() {}

    static List<GenerateRequest> draw(int count, long seed) {
        var random = new SplittableRandom(seed);
        var requests = new ArrayList<GenerateRequest>();
        for (int i = 0; i < count; i++) {
            requests.add(draw(random));
        }
        return requests;
    }

    private static GenerateRequest draw(RandomGenerator random) {
        boolean greedy = random.nextBoolean();
        var sampling = Sampling.newBuilder()
                .setMaxTokens(random.nextInt(40, 240))
                .setTemperature(greedy ? 0 : 0.9f)
                .setSeed(random.nextInt())
                .setIgnoreEos(true);
        if (random.nextInt(3) == 0) {
            sampling.setRepetitionPenalty(1.2f);
        }
        if (random.nextInt(5) == 0) {
            sampling.setN(2);
        }
        var request = GenerateRequest.newBuilder()
                .setModel("demo")
                .setText(DOCUMENT.repeat(random.nextInt(1, 5)) + QUESTIONS[random.nextInt(QUESTIONS.length)])
                .setSampling(sampling)
                .setCacheSalt(random.nextBoolean() ? "tenant-a" : "tenant-b");
        if (random.nextInt(3) == 0) {
            request.setReport(Report.newBuilder().setLogprobs(1));
        }
        return request.build();
    }

    /** A few tokens, to see whether they come. */
    static GenerateRequest probe() {
        return GenerateRequest.newBuilder()
                .setModel("demo")
                .setText("What is 17 + 25?")
                .setSampling(
                        Sampling.newBuilder().setMaxTokens(4).setTemperature(0).setIgnoreEos(true))
                .build();
    }

    /** A prompt of some thousand tokens that nobody has seen, so that its computation takes a while. */
    static GenerateRequest longPrompt(RandomGenerator random) {
        var words = new StringBuilder();
        for (int i = 0; i < 900; i++) {
            words.append(Long.toString(random.nextLong(36 * 36), 36)).append(' ');
        }
        return GenerateRequest.newBuilder()
                .setModel("demo")
                .setText(words.toString())
                .setSampling(
                        Sampling.newBuilder().setMaxTokens(16).setTemperature(0).setIgnoreEos(true))
                .build();
    }

    /** The same, for HTTP, as far as its clients often ask for it. */
    static ObjectNode plain(GenerateRequest request) {
        return JSON.createObjectNode()
                .put("model", request.getModel())
                .put("prompt", request.getText())
                .put("max_tokens", request.getSampling().getMaxTokens() / 2)
                .put("temperature", request.getSampling().getTemperature())
                .put("seed", request.getSampling().getSeed())
                .put("ignore_eos", true);
    }

    /** Several prompts in one, as a stream. */
    static ObjectNode several(GenerateRequest request) {
        var several = plain(request)
                .put("max_tokens", request.getSampling().getMaxTokens() / 3)
                .put("n", 2)
                .put("stream", true);
        several.putArray("prompt").add(request.getText()).add(QUESTIONS[0]).add(DOCUMENT);
        return several;
    }

    /** One of the n outputs. */
    private static final class Output {
        private final StringBuilder tokens = new StringBuilder();
        private final StringBuilder text = new StringBuilder();
        private String end = "";

        void take(OutputDelta delta) {
            for (int i = 0; i < delta.getTokenIdsCount(); i++) {
                tokens.append(delta.getTokenIds(i));
                if (i < delta.getLogprobsCount()) {
                    tokens.append(':').append(delta.getLogprobs(i).getToken().getLogprob());
                }
                tokens.append(' ');
            }
            text.append(delta.getText());
            if (delta.getFinishReasonValue() != 0) {
                end = delta.getFinishReason().name();
            }
        }
    }

    /**
     * An answer as it came.
     *
     * @param all of it that must not depend on what went wrong
     * @param id of the request
     * @param firstNanos when its first token came
     */
    record Given(String all, String id, long firstNanos) {}

    /** Waits for all of an answer. */
    static Given read(Answer answer) {
        var outputs = new ArrayList<Output>();
        var usage = "";
        var id = "";
        long first = 0;
        while (answer.hasNext()) {
            var response = answer.next();
            id = response.getRequestId();
            if (response.hasOutput()) {
                first = first == 0 ? System.nanoTime() : first;
                var delta = response.getOutput();
                while (outputs.size() <= delta.getIndex()) {
                    outputs.add(new Output());
                }
                outputs.get(delta.getIndex()).take(delta);
            }
            if (response.hasUsage()) {
                usage = response.getUsage().getPromptTokens() + "+"
                        + response.getUsage().getCompletionTokens();
            }
        }
        var all = new StringBuilder();
        outputs.forEach(output ->
                all.append(output.tokens).append(output.end).append(output.text).append('\n'));
        return new Given(all + usage, id, first);
    }
}
