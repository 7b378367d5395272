package dev.kvasir.worker.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.worker.schedule.SchedulerLimits;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A request cut off at any point, each output at another, and gone on with by another engine, says exactly what was missing.
 */
class ContinuationProperties {
    private static final int LENGTH_MAX = 60;

    static LongStream seeds() {
        var seed = System.getProperty("seed");
        return seed == null ? LongStream.range(0, 300) : LongStream.of(Long.parseLong(seed));
    }

    /** What an engine said, per output. */
    private static final class Said implements StreamSink {
        final List<List<ScoredToken>> tokens = new ArrayList<>();
        final List<StreamEvent.Finished> finished = new ArrayList<>();
        final List<ScoredToken> promptScores = new ArrayList<>();
        final List<Integer> from = new ArrayList<>();
        boolean ended;

        Said(List<Integer> from) {
            from.forEach(_ -> tokens.add(new ArrayList<>()));
            this.from.addAll(from);
        }

        @Override
        public void publish(StreamEvent event) {
            switch (event) {
                case StreamEvent.Accepted _ -> {}
                case StreamEvent.PromptScored scored -> {
                    assertThat(scored.first()).isEqualTo(promptScores.size());
                    promptScores.addAll(scored.tokens());
                }
                case StreamEvent.Tokens some -> {
                    var output = tokens.get(some.outputIndex());
                    assertThat(some.firstTokenIndex()).isEqualTo(from.get(some.outputIndex()) + output.size());
                    output.addAll(some.tokens());
                }
                case StreamEvent.Finished end -> finished.add(end);
                case StreamEvent.Failed failed -> throw new AssertionError(failed);
            }
        }

        @Override
        public void ended() {
            ended = true;
        }
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void whatIsGoneOnWithElsewhereIsWhatWouldHaveComeHere(long seed) {
        var random = new Random(seed);
        var request = request(random);
        int n = request.sampling().n();
        var whole = run(request, Continuation.fresh(1), random, Collections.nCopies(n, 0));
        var known = new ArrayList<Continuation.Known>();
        var cuts = new ArrayList<Integer>();
        for (int i = 0; i < n; i++) {
            int count = whole.tokens.get(i).size();
            boolean over = random.nextInt(4) == 0;
            int cut = over ? count : random.nextInt(count + 1);
            cuts.add(cut);
            known.add(new Continuation.Known(
                    ids(whole.tokens.get(i)).stream()
                            .limit(cut)
                            .mapToInt(Integer::intValue)
                            .toArray(),
                    over && random.nextBoolean()));
        }
        var rest = run(request, new Continuation(2, 0, true, known), random, cuts);
        assertThat(rest.ended).isTrue();
        assertThat(rest.promptScores).as("scores that were received already").isEmpty();
        for (int i = 0; i < n; i++) {
            var all = whole.tokens.get(i);
            int output = i;
            if (known.get(i).ended()) {
                assertThat(rest.tokens.get(i)).isEmpty();
                assertThat(end(rest, i)).isNull();
            } else {
                assertThat(ids(rest.tokens.get(i)))
                        .as("output %d from %d", output, cuts.get(output))
                        .isEqualTo(ids(all.subList(cuts.get(i), all.size())));
                assertThat(end(rest, i)).isEqualTo(end(whole, i));
            }
        }
    }

    private static List<Integer> ids(List<ScoredToken> tokens) {
        return tokens.stream().map(ScoredToken::token).toList();
    }

    private static @Nullable String end(Said said, int output) {
        return said.finished.stream()
                .filter(end -> end.outputIndex() == output)
                .map(StreamEvent.Finished::toString)
                .findFirst()
                .orElse(null);
    }

    private static GenerationRequest request(Random random) {
        var prompt = random.ints(random.nextInt(1, 30), 1, 5).toArray();
        int maxTokens = random.nextInt(1, 30);
        var sampling = new SamplingParameters(
                maxTokens,
                random.nextInt(Math.min(4, maxTokens)),
                random.nextInt(2),
                1,
                0,
                0,
                1,
                0,
                0,
                Map.of(),
                random.nextBoolean() ? Set.of() : Set.of(random.nextInt(1, 50), random.nextInt(50, 90)),
                random.nextBoolean(),
                random.nextLong(),
                random.nextInt(1, 5),
                SamplingParameters.NO_LOGPROBS,
                random.nextInt(3) == 0 ? 0 : SamplingParameters.NO_LOGPROBS);
        return new GenerationRequest(new RequestId("r"), "stand-in", prompt, sampling, "", 0);
    }

    private static Said run(GenerationRequest request, Continuation continuation, Random random, List<Integer> from) {
        int blockSize = random.nextInt(1, 6);
        int sequencesMax = random.nextInt(request.sampling().n(), 8);
        int tokensMax = sequencesMax + random.nextInt(0, 20);
        int blocks = Math.ceilDiv(LENGTH_MAX, blockSize) + random.nextInt(0, 20);
        var settings = new EngineSettings(
                "stand-in",
                1,
                "print",
                "f32",
                LENGTH_MAX,
                new SchedulerLimits(tokensMax, sequencesMax, 8, blockSize),
                8,
                new int[] {StandInModel.END},
                random.nextBoolean(),
                1_000);
        var core = new EngineCore(settings, new StandInRunner(blocks, blockSize, tokensMax), new CountingObserver());
        var said = new Said(from);
        core.submit(new ActiveRequest(request, continuation, ActiveRequest.NO_DEADLINE, said), 0);
        for (int step = 0; !core.isIdle(); step++) {
            assertThat(step).isLessThan(2_000);
            core.step(step);
        }
        assertThat(said.ended).isTrue();
        assertThat(core.cache().pool().used()).isZero();
        return said;
    }
}
