package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.HashRoot;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.router.StreamState;
import dev.kvasir.worker.runner.Sampler;
import dev.kvasir.worker.runner.SamplingState;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;

/** The right answer to each request: computed token by token, with no engine, block, network or second request around. */
final class Oracle {
    private static final int SCORES_PER_MESSAGE = 1024;

    private final int blockSize;
    private final int lengthMax;
    private final boolean prefixCaching;
    private final Map<String, Long> roots = new HashMap<>();
    private final Sampler sampler = new Sampler(StandInModel.VOCABULARY);
    private final float[] logits = new float[StandInModel.VOCABULARY];

    Oracle(Geometry geometry) {
        this.blockSize = geometry.blockSize();
        this.lengthMax = geometry.lengthMax();
        this.prefixCaching = geometry.prefixCaching();
    }

    Answer answer(Job job) {
        var sampling = job.sampling();
        var answer = new Answer(sampling.n());
        var state = new StreamState(job.request());
        if (sampling.promptLogprobs() != SamplingParameters.NO_LOGPROBS) {
            var scores = promptScores(job);
            for (int from = 0; from < scores.size(); from += SCORES_PER_MESSAGE) {
                var part = scores.subList(from, Math.min(from + SCORES_PER_MESSAGE, scores.size()));
                tell(state, new StreamEvent.PromptScored(job.id(), from, part), answer);
            }
        }
        for (int output = 0; output < sampling.n(); output++) {
            generate(job, output, state, answer);
        }
        return answer;
    }

    private void generate(Job job, int output, StreamState state, Answer answer) {
        var request = job.request().generation();
        var sampling = request.sampling();
        var chooser = new SamplingState(
                sampling, output, request.prompt(), StandInModel.VOCABULARY, new int[] {StandInModel.END});
        long kv = root(request.tenant().salt());
        long attended = 0;
        int position = 0;
        for (int token : request.prompt()) {
            kv = StandInModel.kv(kv, token, position++);
            attended = StandInModel.attend(attended, kv);
        }
        for (int count = 1; ; count++) {
            StandInModel.logits(attended, logits);
            var token = sampler.sample(logits, chooser, count - 1);
            chooser.accept(token.token());
            tell(state, new StreamEvent.Tokens(job.id(), output, count - 1, List.of(token), 0), answer);
            kv = StandInModel.kv(kv, token.token(), position++);
            attended = StandInModel.attend(attended, kv);
            boolean stops = count >= sampling.minTokens()
                    && (sampling.stopTokenIds().contains(token.token())
                            || (!sampling.ignoreEos() && token.token() == StandInModel.END));
            if (stops || count == sampling.maxTokens() || request.prompt().length + count == lengthMax) {
                var reason = stops ? FinishReason.STOP : FinishReason.LENGTH;
                var stop = stops ? OptionalInt.of(token.token()) : OptionalInt.empty();
                tell(state, new StreamEvent.Finished(job.id(), output, count, reason, stop), answer);
                return;
            }
        }
    }

    private List<ScoredToken> promptScores(Job job) {
        var request = job.request().generation();
        var prompt = request.prompt();
        var scores = new ArrayList<ScoredToken>();
        long kv = root(request.tenant().salt());
        long attended = 0;
        for (int position = 0; position + 1 < prompt.length; position++) {
            kv = StandInModel.kv(kv, prompt[position], position);
            attended = StandInModel.attend(attended, kv);
            StandInModel.logits(attended, logits);
            scores.add(sampler.score(
                    logits, prompt[position + 1], request.sampling().promptLogprobs()));
        }
        return scores;
    }

    /** What KV of a tenant begins from. */
    private long root(String salt) {
        return roots.computeIfAbsent(salt, s -> digest(chainRoot(s)));
    }

    private BlockHash chainRoot(String salt) {
        if (!prefixCaching) {
            return HashChain.unnamed().parent(0);
        }
        var root = new HashRoot(StandInModel.KV_ORIGIN, "", StandInModel.KV_DTYPE, blockSize, salt, "");
        return new BlockHasher(blockSize).root(root);
    }

    /** Of all tenants. */
    Set<BlockHash> chainRoots() {
        return Workload.TENANTS.stream().map(this::chainRoot).collect(Collectors.toUnmodifiableSet());
    }

    static long digest(BlockHash root) {
        return StandInModel.mix(root.high(), root.low());
    }

    private static void tell(StreamState state, StreamEvent event, Answer answer) {
        if (state.ended()) {
            return;
        }
        for (var effect : state.accept(event)) {
            if (effect instanceof StreamState.Effect.Emit(var said)) {
                answer.add(said);
            }
        }
    }
}
