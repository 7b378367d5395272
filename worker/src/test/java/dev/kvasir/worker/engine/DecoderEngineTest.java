package dev.kvasir.worker.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.block.BlockPool;
import dev.kvasir.kvstore.block.BlockTable;
import dev.kvasir.kvstore.block.PrefixCache;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.worker.forward.Decoder;
import dev.kvasir.worker.forward.DecoderLimits;
import dev.kvasir.worker.forward.ModelMemory;
import dev.kvasir.worker.forward.Shard;
import dev.kvasir.worker.forward.StoredWeights;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.MemoryRanks;
import dev.kvasir.worker.kernel.Ranks;
import dev.kvasir.worker.kernel.ReferenceKernels;
import dev.kvasir.worker.runner.DecoderRank;
import dev.kvasir.worker.runner.DecoderRunner;
import dev.kvasir.worker.runner.ModelRunner;
import dev.kvasir.worker.runner.SamplingState;
import dev.kvasir.worker.runner.Step;
import dev.kvasir.worker.schedule.SchedulerLimits;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Real models under the real engine, crowded into few blocks, against one sequence at a time without paging tricks. */
class DecoderEngineTest {
    private static final int BLOCK_SIZE = 4;
    private static final int TOKENS_MAX = 24;
    private static final int LENGTH_MAX = 96;
    private static final int SEQUENCES_MAX = 6;

    private static ModelRunner runner(String model, int blocks, int rowsMax) {
        return runner(model, blocks, rowsMax, 1);
    }

    private static ModelRunner runner(String model, int blocks, int rowsMax, int rankCount) {
        var folder = ModelFolder.open(path(model));
        var weights = folder.weights(ModelFolder.Check.NEVER, LoadProgress.NONE);
        var ranks =
                rankCount == 1 ? Ranks.one(new ReferenceKernels()) : new MemoryRanks(rankCount, ReferenceKernels::new);
        var all = new DecoderRank[rankCount];
        ranks.each(rank -> {
            var kernels = ranks.kernels(rank);
            var shard = new Shard(rank, rankCount);
            var stored = new StoredWeights(kernels, weights, folder.config(), shard, LoadProgress.NONE);
            var limits = new DecoderLimits(rowsMax, 5, LENGTH_MAX);
            var decoder = Decoder.loadPart(ranks, shard, folder.config(), stored, limits);
            var kv = kernels.allocateKv(decoder.layout(BLOCK_SIZE, KvFormat.F32), blocks);
            all[rank] = new DecoderRank(kernels, decoder, kv, rowsMax, SEQUENCES_MAX);
        });
        var layout = ModelMemory.layout(folder.config(), BLOCK_SIZE, KvFormat.F32);
        return new DecoderRunner(ranks, List.of(all), layout, () -> {
            ranks.close();
            weights.close();
        });
    }

    private static Path path(String model) {
        try {
            return Path.of(Objects.requireNonNull(DecoderEngineTest.class.getResource("/golden/" + model))
                    .toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "llama-gqa, 1",
        "mistral-window, 1",
        "gemma2, 1",
        "gpt2, 1",
        "gemma2, 2",
        "mistral-window, 4",
        "gpt2-unprefixed, 4"
    })
    void crowdedRequestsAnswerAsEachWouldAlone(String model, int ranks) {
        var random = new Random(11);
        try (var paged = runner(model, 30, TOKENS_MAX, ranks);
                var naive = runner(model, LENGTH_MAX / BLOCK_SIZE, LENGTH_MAX)) {
            var observer = new CountingObserver();
            var core = new EngineCore(settings(), paged, observer);
            var sinks = new HashMap<GenerationRequest, RecordingSink>();
            long now = 0;
            for (int i = 0; i < 16; i++) {
                var request = request(i, random, paged.vocabularySize());
                var sink = new RecordingSink();
                sinks.put(request, sink);
                core.submit(new ActiveRequest(request, ActiveRequest.NO_DEADLINE, sink), now);
                core.step(now++);
            }
            while (!core.isIdle()) {
                core.step(now++);
            }
            assertThat(observer.preemptions).isPositive();
            assertThat(core.cache().hitTokens()).isPositive();
            assertThat(core.cache().pool().used()).isZero();
            sinks.forEach((request, sink) -> {
                for (int output = 0; output < request.sampling().n(); output++) {
                    assertThat(sink.tokens.get(output))
                            .as("%s, output %d", request.id(), output)
                            .isEqualTo(alone(naive, request, output));
                }
            });
        }
    }

    /** Penalties, logprobs, seeds, several outputs, stop tokens: all from what is known alone, bit for bit. */
    @Test
    void aRequestGoneOnWithElsewhereGivesTheSameTokensAndLogprobs() {
        var random = new Random(3);
        try (var here = runner("llama-gqa", 40, TOKENS_MAX);
                var there = runner("llama-gqa", 40, TOKENS_MAX)) {
            for (int i = 0; i < 12; i++) {
                var sampling = new SamplingParameters(
                        16,
                        i % 3,
                        i % 2 == 0 ? 0 : 0.9f,
                        0.95f,
                        0,
                        0,
                        1.3f,
                        0.4f,
                        0.3f,
                        Map.of(7, 2f),
                        Set.of(40, 41),
                        i % 2 == 0,
                        i,
                        1 + i % 3,
                        2,
                        SamplingParameters.NO_LOGPROBS);
                var prompt = random.ints(20, 3, here.vocabularySize()).toArray();
                var request = new GenerationRequest(new RequestId("r" + i), "model", prompt, sampling, "", 0);
                var whole = said(here, request, Continuation.fresh(1));
                var known = new ArrayList<Continuation.Known>();
                for (var output : whole) {
                    known.add(new Continuation.Known(
                            output.stream()
                                    .limit(random.nextInt(output.size()))
                                    .mapToInt(ScoredToken::token)
                                    .toArray(),
                            false));
                }
                var rest = said(there, request, new Continuation(2, 0, true, known));
                for (int output = 0; output < whole.size(); output++) {
                    var expected = whole.get(output);
                    assertThat(rest.get(output))
                            .as("request %d, output %d", i, output)
                            .usingRecursiveComparison()
                            .isEqualTo(expected.subList(known.get(output).tokens().length, expected.size()));
                }
            }
        }
    }

    private static List<List<ScoredToken>> said(ModelRunner runner, GenerationRequest request, Continuation from) {
        var observer = new CountingObserver();
        var core = new EngineCore(settings(), runner, observer);
        var outputs = new ArrayList<List<ScoredToken>>();
        for (int i = 0; i < request.sampling().n(); i++) {
            outputs.add(new ArrayList<>());
        }
        var sink = new StreamSink() {
            @Override
            public void publish(StreamEvent event) {
                assertThat(event).isNotInstanceOf(StreamEvent.Failed.class);
                if (event instanceof StreamEvent.Tokens tokens) {
                    outputs.get(tokens.outputIndex()).addAll(tokens.tokens());
                }
            }

            @Override
            public void ended() {}
        };
        core.submit(new ActiveRequest(request, from, ActiveRequest.NO_DEADLINE, sink), 0);
        while (!core.isIdle()) {
            core.step(0);
        }
        int known = from.outputs().stream()
                .mapToInt(output -> output.tokens().length)
                .max()
                .orElse(0);
        assertThat(observer.resumedTokens > 0).isEqualTo(known > 0);
        assertThat(observer.recomputedTokens).as("nothing is cached").isEqualTo(observer.resumedTokens);
        return outputs;
    }

    @ParameterizedTest
    @CsvSource({
        "llama-gqa, 1",
        "mistral-window, 1",
        "gemma2, 1",
        "gpt2, 1",
        "gemma2, 2",
        "mistral-window, 4",
        "gpt2-unprefixed, 4"
    })
    void blocksThatWereCopiedToHostMemoryAndBackGiveTheSameTokens(String model, int ranks) {
        var random = new Random(12);
        try (var paged = runner(model, 30, TOKENS_MAX, ranks);
                var naive = runner(model, LENGTH_MAX / BLOCK_SIZE, LENGTH_MAX);
                var tier = new MemoryTier(
                        new BlockFormat("print", "f32", BLOCK_SIZE, 1, (int) paged.blockBytes()), 16 << 20)) {
            var shared = new SharedBlocks(
                    () -> {},
                    tier,
                    new Keeping(1),
                    CopyShare.ofUnproven(true, () -> 0),
                    CopyShare.ofReused(() -> 0),
                    Long.MAX_VALUE,
                    SharedBlocks.Offering.NONE);
            var core = new EngineCore(settings(), paged, new CountingObserver(), shared, Puller.NONE);
            for (int i = 0; i < 24; i++) {
                var request = request(i, random, paged.vocabularySize());
                var sink = new RecordingSink();
                core.submit(new ActiveRequest(request, ActiveRequest.NO_DEADLINE, sink), i);
                while (!core.isIdle()) {
                    core.step(i);
                }
                for (int output = 0; output < request.sampling().n(); output++) {
                    assertThat(sink.tokens.get(output))
                            .as("%s, output %d", request.id(), output)
                            .isEqualTo(alone(naive, request, output));
                }
            }
            assertThat(shared.kept()).isPositive();
            assertThat(shared.restored()).isPositive();
            assertThat(core.cache().pool().used()).isZero();
            assertThat(tier.inUse()).isZero();
        }
    }

    /** Heads are split over ranks, and each of two KV heads is with two of four ranks. */
    @Test
    void aBlocksBytesAreThoseOfTheWholeModelWhateverTheNumberOfRanks() {
        var tokens = new Random(2).ints(BLOCK_SIZE + 1, 3, 150).toArray();
        int[] table = {1, 0};
        var blocks = new ArrayList<float[]>();
        var chosen = new ArrayList<Integer>();
        for (int ranks : new int[] {1, 2, 4}) {
            try (var runner = runner("gemma2", 2, TOKENS_MAX, ranks);
                    var there = runner("gemma2", 2, TOKENS_MAX, ranks);
                    var arena = Arena.ofConfined()) {
                var step = new Step(1);
                step.add().compute(tokens, 0, BLOCK_SIZE, table);
                runner.run(step);
                var block = arena.allocate(runner.blockBytes(), 64);
                runner.readBlock(1, block);
                blocks.add(block.toArray(ValueLayout.JAVA_FLOAT));
                there.writeBlock(1, block);
                step.clear();
                var work = step.add();
                work.compute(tokens, BLOCK_SIZE, BLOCK_SIZE + 1, table);
                var sampling =
                        new SamplingParameters(1, 0, 0, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(), true, 0, 1, -1, -1);
                work.choose(new SamplingState(sampling, 0, tokens, there.vocabularySize(), new int[] {2}), 0);
                there.run(step);
                chosen.add(work.chosen(0).token());
            }
        }
        assertThat(blocks.get(1)).containsExactly(blocks.get(0), Offset.offset(1e-5f));
        assertThat(blocks.get(2)).containsExactly(blocks.get(0), Offset.offset(1e-5f));
        assertThat(blocks.get(0)).doesNotContain(0f);
        assertThat(Set.copyOf(chosen)).hasSize(1);
    }

    private static EngineSettings settings() {
        return new EngineSettings(
                "model",
                1,
                "print",
                "f32",
                LENGTH_MAX,
                new SchedulerLimits(TOKENS_MAX, SEQUENCES_MAX, TOKENS_MAX, BLOCK_SIZE),
                64,
                new int[] {2},
                true,
                1_000);
    }

    private static GenerationRequest request(int number, Random random, int vocabulary) {
        var document = new Random(number % 3).ints(60, 3, vocabulary).toArray();
        var prompt = Arrays.copyOf(document, random.nextInt(1, 60));
        prompt[prompt.length - 1] = random.nextInt(3, vocabulary);
        var sampling = new SamplingParameters(
                random.nextInt(1, 20),
                0,
                number % 2 == 0 ? 0 : 0.8f,
                0.95f,
                0,
                0,
                number % 5 == 0 ? 1.2f : 1,
                0,
                0,
                Map.of(),
                Set.of(),
                number % 3 == 0,
                number,
                number % 4 == 3 ? 3 : 1,
                number % 6 == 0 ? 2 : SamplingParameters.NO_LOGPROBS,
                number % 6 == 1 ? 2 : SamplingParameters.NO_LOGPROBS);
        return new GenerationRequest(new RequestId("request-" + number), "model", prompt, sampling, "", 0);
    }

    /** The whole sequence is computed anew for each token: one sequence, one chunk, no cache, blocks in order. */
    private static List<Integer> alone(ModelRunner naive, GenerationRequest request, int output) {
        var sampling = request.sampling();
        var state = new SamplingState(sampling, output, request.prompt(), naive.vocabularySize(), new int[] {2});
        var table = new BlockTable();
        new PrefixCache(new BlockPool(LENGTH_MAX / BLOCK_SIZE)).grow(table, LENGTH_MAX / BLOCK_SIZE);
        var tokens = Arrays.copyOf(request.prompt(), LENGTH_MAX);
        int count = request.prompt().length;
        var answer = new ArrayList<Integer>();
        var step = new Step(1);
        while (answer.size() < sampling.maxTokens() && count < LENGTH_MAX) {
            step.clear();
            var work = step.add();
            work.compute(tokens, 0, count, table.array());
            work.choose(state, answer.size());
            naive.run(step);
            int token = work.chosen(0).token();
            state.accept(token);
            answer.add(token);
            tokens[count++] = token;
            if (token == 2 && !sampling.ignoreEos()) {
                break;
            }
        }
        return answer;
    }

    @Test
    void promptLogprobsAreThoseOfTheWholePromptAndComeBeforeTokens() {
        try (var paged = runner("llama-gqa", 60, TOKENS_MAX)) {
            var core = new EngineCore(settings(), paged, new CountingObserver());
            var prompt = new Random(5).ints(50, 3, 150).toArray();
            var scored = new ArrayList<RecordingSink>();
            for (int i = 0; i < 2; i++) {
                var sampling = new SamplingParameters(2, 0, 0, 1, 0, 0, 1, 0, 0, Map.of(), Set.of(), true, 0, 1, -1, 0);
                var sink = new RecordingSink();
                scored.add(sink);
                var request = new GenerationRequest(new RequestId("scored-" + i), "model", prompt, sampling, "", 0);
                core.submit(new ActiveRequest(request, ActiveRequest.NO_DEADLINE, sink), 0);
                while (!core.isIdle()) {
                    core.step(0);
                }
            }
            assertThat(scored.getFirst().promptScores).hasSize(49).doesNotContain(Float.NaN);
            assertThat(scored.getLast().promptScores).isEqualTo(scored.getFirst().promptScores);
            assertThat(scored.getLast().cachedTokens).isZero();
        }
    }

    @Test
    void aTokenOutsideTheVocabularyInParametersIsRefused() {
        try (var paged = runner("llama-gqa", 60, TOKENS_MAX)) {
            var core = new EngineCore(settings(), paged, new CountingObserver());
            var sampling =
                    new SamplingParameters(2, 0, 0, 1, 0, 0, 1, 0, 0, Map.of(999, 1f), Set.of(), true, 0, 1, -1, -1);
            var sink = new RecordingSink();
            var request = new GenerationRequest(new RequestId("biased"), "model", new int[] {3}, sampling, "", 0);
            core.submit(new ActiveRequest(request, ActiveRequest.NO_DEADLINE, sink), 0);
            var failed = Objects.requireNonNull(sink.failed);
            assertThat(failed.kind()).isEqualTo(FailureKind.INVALID_ARGUMENT);
            assertThat(failed.message()).contains("logit_bias").contains("999");
            assertThat(core.isIdle()).isTrue();
        }
    }
}
