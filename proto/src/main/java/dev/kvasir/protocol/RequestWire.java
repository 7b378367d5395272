package dev.kvasir.protocol;

import dev.kvasir.v1.cluster.GenerateCommand;
import dev.kvasir.v1.cluster.KnownOutput;
import dev.kvasir.v1.cluster.Request;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRefResolver;

/** Requests as Protobuf. Reading applies the same checks as the doors do. */
final class RequestWire {
    private RequestWire() {}

    static GenerateCommand write(WorkerProtocol.Generate generate, ActorRefResolver references) {
        return GenerateCommand.newBuilder()
                .setRequest(write(generate.request()))
                .setContinuation(write(generate.continuation()))
                .setOrigin(generate.origin())
                .setRouter(generate.router())
                .setDeadlineMillis(generate.deadlineMillis())
                .setReplyTo(references.toSerializationFormat(generate.replyTo()))
                .addAllKvSources(WireCheck.list(generate.sources(), RequestWire::write))
                .build();
    }

    static WorkerProtocol.Generate read(GenerateCommand wire, ActorRefResolver references) {
        return new WorkerProtocol.Generate(
                read(wire.getRequest()),
                read(wire.getContinuation()),
                wire.getOrigin(),
                WireCheck.text("router", wire.getRouter()),
                WireCheck.count("deadline_millis", wire.getDeadlineMillis()),
                WireCheck.reference(wire.getReplyTo(), references),
                sources(wire.getKvSourcesList()));
    }

    private static dev.kvasir.v1.cluster.KvSource write(KvSource source) {
        return dev.kvasir.v1.cluster.KvSource.newBuilder()
                .setTransferAddress(source.transferAddress())
                .setIncarnation(source.incarnation())
                .setFrom(source.from())
                .setBlocks(source.blocks())
                .build();
    }

    private static List<KvSource> sources(List<dev.kvasir.v1.cluster.KvSource> wire) {
        Limits.require(
                wire.size() <= KvSource.SOURCES_MAX, "kv_sources", wire.size(), "at most " + KvSource.SOURCES_MAX);
        return WireCheck.list(
                wire,
                source -> new KvSource(
                        source.getTransferAddress(),
                        source.getIncarnation(),
                        WireCheck.count("from", source.getFrom()),
                        WireCheck.count("blocks", source.getBlocks())));
    }

    private static dev.kvasir.v1.cluster.Continuation write(Continuation continuation) {
        var wire = dev.kvasir.v1.cluster.Continuation.newBuilder()
                .setAttempt(continuation.attempt())
                .setCachedTokens(continuation.cachedTokens())
                .setPromptScored(continuation.promptScored());
        for (var output : continuation.outputs()) {
            var known = KnownOutput.newBuilder().setEnded(output.ended());
            for (int token : output.tokens()) {
                known.addTokens(token);
            }
            wire.addOutputs(known);
        }
        return wire.build();
    }

    private static Continuation read(dev.kvasir.v1.cluster.Continuation wire) {
        return new Continuation(
                WireCheck.count("attempt", wire.getAttempt()),
                WireCheck.count("cached_tokens", wire.getCachedTokens()),
                wire.getPromptScored(),
                WireCheck.list(
                        wire.getOutputsList(),
                        known -> new Continuation.Known(
                                WireCheck.counts("tokens", known.getTokensList()), known.getEnded())));
    }

    static dev.kvasir.v1.cluster.Found write(WorkerProtocol.Found found) {
        var wire = dev.kvasir.v1.cluster.Found.newBuilder().setIncarnation(found.incarnation());
        found.known()
                .ifPresent(known -> wire.setAttempt(known.attempt())
                        .setRequest(write(known.request()))
                        .setOrigin(known.origin())
                        .setComplete(known.complete()));
        return wire.build();
    }

    static WorkerProtocol.Found read(dev.kvasir.v1.cluster.Found wire) {
        return new WorkerProtocol.Found(
                wire.getIncarnation(),
                wire.hasAttempt()
                        ? Optional.of(new WorkerProtocol.Knowledge(
                                WireCheck.count("attempt", wire.getAttempt()),
                                read(wire.getRequest()),
                                wire.getOrigin(),
                                wire.getComplete()))
                        : Optional.empty());
    }

    private static Request write(GenerationRequest request) {
        var wire = Request.newBuilder()
                .setRequestId(request.id().value())
                .setModel(request.model())
                .setSampling(write(request.sampling()))
                .setCacheSalt(request.cacheSalt())
                .setPriority(request.priority())
                .setTenant(request.tenant().name())
                .setTenantSalt(request.tenant().salt());
        for (int token : request.prompt()) {
            wire.addPrompt(token);
        }
        return wire.build();
    }

    private static GenerationRequest read(Request wire) {
        return new GenerationRequest(
                WireCheck.requestId(wire.getRequestId()),
                WireCheck.text("model", wire.getModel()),
                WireCheck.counts("prompt", wire.getPromptList()),
                read(wire.getSampling()),
                wire.getCacheSalt(),
                wire.getPriority(),
                new Tenant(wire.getTenant(), wire.getTenantSalt()));
    }

    private static dev.kvasir.v1.cluster.SamplingParameters write(SamplingParameters sampling) {
        return dev.kvasir.v1.cluster.SamplingParameters.newBuilder()
                .setMaxTokens(sampling.maxTokens())
                .setMinTokens(sampling.minTokens())
                .setTemperature(sampling.temperature())
                .setTopP(sampling.topP())
                .setTopK(sampling.topK())
                .setMinP(sampling.minP())
                .setRepetitionPenalty(sampling.repetitionPenalty())
                .setPresencePenalty(sampling.presencePenalty())
                .setFrequencyPenalty(sampling.frequencyPenalty())
                .putAllLogitBias(sampling.logitBias())
                .addAllStopTokenIds(sampling.stopTokenIds())
                .setIgnoreEos(sampling.ignoreEos())
                .setSeed(sampling.seed())
                .setN(sampling.n())
                .setLogprobsPlusOne(sampling.logprobs() + 1)
                .setPromptLogprobsPlusOne(sampling.promptLogprobs() + 1)
                .build();
    }

    private static SamplingParameters read(dev.kvasir.v1.cluster.SamplingParameters wire) {
        wire.getLogitBiasMap().keySet().forEach(token -> WireCheck.count("logit_bias", token));
        wire.getStopTokenIdsList().forEach(token -> WireCheck.count("stop_token_ids", token));
        return new SamplingParameters(
                WireCheck.count("max_tokens", wire.getMaxTokens()),
                WireCheck.count("min_tokens", wire.getMinTokens()),
                wire.getTemperature(),
                wire.getTopP(),
                WireCheck.count("top_k", wire.getTopK()),
                wire.getMinP(),
                wire.getRepetitionPenalty(),
                wire.getPresencePenalty(),
                wire.getFrequencyPenalty(),
                wire.getLogitBiasMap(),
                new HashSet<>(wire.getStopTokenIdsList()),
                wire.getIgnoreEos(),
                wire.getSeed(),
                wire.getN(),
                WireCheck.count("logprobs", wire.getLogprobsPlusOne()) - 1,
                WireCheck.count("prompt_logprobs", wire.getPromptLogprobsPlusOne()) - 1);
    }
}
