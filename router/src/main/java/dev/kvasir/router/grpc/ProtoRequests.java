package dev.kvasir.router.grpc;

import dev.kvasir.model.tokenizer.ChatMessage;
import dev.kvasir.model.tokenizer.PromptException;
import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.protocol.Limits;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.router.Prompt;
import dev.kvasir.router.RequestDraft;
import dev.kvasir.router.ResumePoint;
import dev.kvasir.router.ValidRequest;
import dev.kvasir.v1.ChatRequest;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.OutputPosition;
import dev.kvasir.v1.Report;
import dev.kvasir.v1.ResumeRequest;
import dev.kvasir.v1.Sampling;
import dev.kvasir.v1.TokenizeRequest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Requests of the gRPC API as drafts: what is absent stays absent, and nothing is checked but what Protobuf cannot say. */
final class ProtoRequests {
    private ProtoRequests() {}

    static RequestDraft draft(GenerateRequest request, long arrivalNanos) {
        var draft = RequestDraft.of(request.getModel(), arrivalNanos)
                .prompt(prompt(request))
                .cacheSalt(orNull(request.getCacheSalt()))
                .priority((long) request.getPriority())
                .userRequestId(orNull(request.getUserRequestId()));
        sampling(request.getSampling(), draft);
        report(request.getReport(), draft);
        return draft;
    }

    static RequestDraft draft(ChatRequest request, long arrivalNanos) {
        boolean continues = request.getContinueFinalMessage();
        var draft = RequestDraft.of(request.getModel(), arrivalNanos)
                .prompt(new Prompt.Chat(
                        messages(request.getMessagesList()),
                        request.hasAddGenerationPrompt() ? request.getAddGenerationPrompt() : !continues,
                        continues,
                        TemplateVariables.of(request.getChatTemplateKwargs())))
                .cacheSalt(orNull(request.getCacheSalt()))
                .priority((long) request.getPriority())
                .userRequestId(orNull(request.getUserRequestId()));
        sampling(request.getSampling(), draft);
        report(request.getReport(), draft);
        return draft;
    }

    static Prompt prompt(TokenizeRequest request) {
        return switch (request.getInputCase()) {
            case TEXT ->
                new Prompt.Text(request.getText(), !request.hasAddSpecialTokens() || request.getAddSpecialTokens());
            case CHAT -> {
                var chat = request.getChat();
                boolean continues = chat.getContinueFinalMessage();
                yield new Prompt.Chat(
                        messages(chat.getMessagesList()),
                        chat.hasAddGenerationPrompt() ? chat.getAddGenerationPrompt() : !continues,
                        continues,
                        TemplateVariables.of(chat.getChatTemplateKwargs()));
            }
            case INPUT_NOT_SET -> throw new BadRequestException("input", "input is missing but must be text or chat");
        };
    }

    static ResumePoint resumePoint(ResumeRequest request) {
        int outputs = request.getReceivedList().stream()
                .mapToInt(OutputPosition::getIndex)
                .peek(index -> Limits.require(
                        index >= 0 && index < SamplingParameters.N_MAX,
                        "received.index",
                        Integer.toUnsignedString(index),
                        "0..15"))
                .map(index -> index + 1)
                .max()
                .orElse(0);
        var positions = new ResumePoint.Output[outputs];
        Arrays.fill(positions, new ResumePoint.Output(0, false));
        for (var position : request.getReceivedList()) {
            int next = position.getNextTokenIndex();
            Limits.require(
                    next >= 0, "received.next_token_index", Integer.toUnsignedString(next), "at most 2147483647");
            positions[position.getIndex()] = new ResumePoint.Output(next, position.getFinished());
        }
        return new ResumePoint(request.getPromptReceived(), List.of(positions));
    }

    static long[] unsigned(List<Integer> ids) {
        return ids.stream().mapToLong(Integer::toUnsignedLong).toArray();
    }

    private static @Nullable Prompt prompt(GenerateRequest request) {
        return switch (request.getPromptCase()) {
            case TEXT -> new Prompt.Text(request.getText(), true);
            case TOKENS -> new Prompt.Tokens(unsigned(request.getTokens().getIdsList()));
            case PROMPT_NOT_SET -> null;
        };
    }

    private static List<ChatMessage> messages(List<dev.kvasir.v1.ChatMessage> given) {
        var messages = new ArrayList<ChatMessage>(given.size());
        for (var message : given) {
            var name = message.getName();
            Map<String, @Nullable Object> fields = name.isEmpty() ? Map.of() : Map.of("name", name);
            try {
                messages.add(new ChatMessage(message.getRole(), message.getContent(), fields));
            } catch (PromptException e) {
                throw new BadRequestException(
                        "messages[%d]".formatted(messages.size()),
                        "messages[%d]: %s".formatted(messages.size(), e.getMessage()));
            }
        }
        return messages;
    }

    private static void sampling(Sampling given, RequestDraft draft) {
        draft.maxTokens(given.hasMaxTokens() ? Integer.toUnsignedLong(given.getMaxTokens()) : null)
                .minTokens(given.hasMinTokens() ? Integer.toUnsignedLong(given.getMinTokens()) : null)
                .temperature(given.hasTemperature() ? (double) given.getTemperature() : null)
                .topP(given.hasTopP() ? (double) given.getTopP() : null)
                .topK(given.hasTopK() ? (long) given.getTopK() : null)
                .minP(given.hasMinP() ? (double) given.getMinP() : null)
                .repetitionPenalty(given.hasRepetitionPenalty() ? (double) given.getRepetitionPenalty() : null)
                .presencePenalty(given.hasPresencePenalty() ? (double) given.getPresencePenalty() : null)
                .frequencyPenalty(given.hasFrequencyPenalty() ? (double) given.getFrequencyPenalty() : null)
                .logitBias(logitBias(given))
                .stop(given.getStopList())
                .stopTokenIds(given.getStopTokenIdsList().stream()
                        .map(Integer::toUnsignedLong)
                        .toList())
                .includeStop(given.getIncludeStopStrInOutput())
                .ignoreEos(given.getIgnoreEos())
                .seed(given.hasSeed() ? given.getSeed() : null)
                .n(given.hasN() ? Integer.toUnsignedLong(given.getN()) : null)
                .skipSpecialTokens(given.hasSkipSpecialTokens() ? given.getSkipSpecialTokens() : null);
    }

    private static Map<Long, Double> logitBias(Sampling given) {
        var biases = new HashMap<Long, Double>();
        given.getLogitBiasMap().forEach((token, bias) -> biases.put(Integer.toUnsignedLong(token), (double) bias));
        return biases;
    }

    private static void report(Report given, RequestDraft draft) {
        draft.logprobs(given.hasLogprobs() ? Integer.toUnsignedLong(given.getLogprobs()) : null)
                .promptLogprobs(given.hasPromptLogprobs() ? Integer.toUnsignedLong(given.getPromptLogprobs()) : null)
                .echo(given.getEcho())
                .reportPromptTokens(given.getPromptTokens());
        if (given.getPlacement()) {
            draft.door(Map.of(ValidRequest.PLACEMENT_NOTE, "true"));
        }
    }

    /** In proto3 an empty string is an absent one. */
    private static @Nullable String orNull(String text) {
        return text.isEmpty() ? null : text;
    }
}
