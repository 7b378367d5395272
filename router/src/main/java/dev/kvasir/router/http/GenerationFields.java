package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.router.RequestDraft;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The fields that completions and chat completions share, with OpenAI's and vLLM's names. */
final class GenerationFields {
    /** Would change the answer; better refused than ignored. */
    private static final List<String> UNSUPPORTED = List.of(
            "structured_outputs",
            "guided_json",
            "guided_regex",
            "guided_choice",
            "guided_grammar",
            "allowed_token_ids",
            "bad_words",
            "logits_processors",
            "prompt_embeds",
            "use_beam_search",
            "truncate_prompt_tokens",
            "kv_transfer_params",
            "return_tokens_as_token_ids");

    private GenerationFields() {}

    /**
     * What the client wants of the answer besides its text.
     *
     * @param usage which events of a stream carry the usage
     * @param placement where the request went, and why, at the end of the answer
     */
    record Wishes(boolean stream, StreamUsage usage, boolean placement) {}

    static Wishes wishes(Fields fields) {
        boolean stream = fields.flag("stream", false);
        boolean placement = fields.flag("return_placement", false);
        var options = fields.fields("stream_options");
        if (options == null) {
            return new Wishes(stream, StreamUsage.NONE, placement);
        }
        if (!stream) {
            throw new BadRequestException(
                    "stream_options", "stream_options is only allowed together with stream: true");
        }
        var usage = StreamUsage.of(options.flag("include_usage", false), options.flag("continuous_usage_stats", false));
        return new Wishes(true, usage, placement);
    }

    /** @param userRequestId name that the client gave the request; null for none */
    static RequestDraft draft(Fields fields, long arrivalNanos, @Nullable String userRequestId) {
        UNSUPPORTED.forEach(fields::refuse);
        refuseUnlessText(fields);
        refuseUnlessOne(fields, "length_penalty");
        var model = fields.text("model");
        return RequestDraft.of(model == null ? "" : model, arrivalNanos)
                .minTokens(fields.integer("min_tokens"))
                .temperature(fields.real("temperature"))
                .topP(fields.real("top_p"))
                .topK(fields.integer("top_k"))
                .minP(fields.real("min_p"))
                .repetitionPenalty(fields.real("repetition_penalty"))
                .presencePenalty(fields.real("presence_penalty"))
                .frequencyPenalty(fields.real("frequency_penalty"))
                .logitBias(fields.realsByToken("logit_bias"))
                .stop(fields.texts("stop"))
                .stopTokenIds(fields.integers("stop_token_ids"))
                .includeStop(fields.flag("include_stop_str_in_output"))
                .ignoreEos(fields.flag("ignore_eos"))
                .seed(fields.integer("seed"))
                .n(fields.integer("n"))
                .skipSpecialTokens(fields.flag("skip_special_tokens"))
                .promptLogprobs(fields.integer("prompt_logprobs"))
                .cacheSalt(fields.text("cache_salt"))
                .priority(fields.integer("priority"))
                .userRequestId(userRequestId);
    }

    static void refusePromptLogprobsInStream(Fields fields, Wishes wishes) {
        if (wishes.stream() && fields.integer("prompt_logprobs") != null) {
            throw new BadRequestException(
                    "prompt_logprobs", "prompt_logprobs is set but must be absent together with stream: true");
        }
    }

    private static void refuseUnlessText(Fields fields) {
        var format = fields.fields("response_format");
        if (format != null && !"text".equals(format.text("type"))) {
            throw HttpRefusal.unsupported(
                    "response_format", "response_format is not supported yet but for {\"type\": \"text\"}");
        }
    }

    private static void refuseUnlessOne(Fields fields, String name) {
        JsonNode node = fields.node(name);
        if (node != null && Fields.real(name, node) != 1) {
            throw HttpRefusal.unsupported(name, name + " is not supported yet");
        }
    }
}
