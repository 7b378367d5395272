package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.protocol.Limits;
import dev.kvasir.router.Prompt;
import dev.kvasir.router.RequestDraft;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A body of {@code /v1/completions}: one draft per prompt.
 *
 * @param logprobs number of alternatives; null for no log-probabilities
 * @param promptLogprobs alternatives in vLLM's {@code prompt_logprobs}; null for none at all
 * @param onlyPrompt nothing is to be generated ({@code max_tokens: 0} with {@code echo}): the one token that is computed
 *     beside the prompt is not reported
 */
record CompletionRequest(
        List<RequestDraft> drafts,
        GenerationFields.Wishes wishes,
        int n,
        boolean echo,
        @Nullable Integer logprobs,
        @Nullable Integer promptLogprobs,
        boolean onlyPrompt,
        boolean tokenIds) {
    static final int PROMPTS_MAX = 64;
    /** OpenAI's default for this path. */
    private static final long MAX_TOKENS = 16;

    static CompletionRequest read(Fields fields, long arrivalNanos, @Nullable String userRequestId) {
        var wishes = GenerationFields.wishes(fields);
        boolean echo = fields.flag("echo", false);
        Long logprobs = fields.integer("logprobs");
        Long promptLogprobs = fields.integer("prompt_logprobs");
        Long maxTokens = fields.integer("max_tokens");
        boolean onlyPrompt = echo && maxTokens != null && maxTokens == 0;
        boolean tokenIds = fields.flag("return_token_ids", false);
        GenerationFields.refusePromptLogprobsInStream(fields, wishes);
        var suffix = fields.text("suffix");
        if (suffix != null && !suffix.isEmpty()) {
            throw HttpRefusal.unsupported("suffix", "suffix is not supported yet");
        }
        var prompts = prompts(fields.node("prompt"), fields.flag("add_special_tokens", true));
        long n = orOne(fields.integer("n"));
        refuseBestOf(fields, n);
        var drafts = new ArrayList<RequestDraft>(prompts.size());
        for (var prompt : prompts) {
            drafts.add(GenerationFields.draft(fields, arrivalNanos, userRequestId)
                    .prompt(prompt)
                    .maxTokens(onlyPrompt ? Long.valueOf(1) : maxTokens)
                    .maxTokensUsual(MAX_TOKENS)
                    .logprobs(logprobs)
                    .promptLogprobs(echo ? larger(logprobs, promptLogprobs) : promptLogprobs)
                    .echo(echo));
        }
        fields.logUnread();
        return new CompletionRequest(
                drafts,
                wishes,
                Math.clamp(n, 1, Integer.MAX_VALUE),
                echo,
                logprobs == null ? null : Math.clamp(logprobs, 0, Integer.MAX_VALUE),
                promptLogprobs == null ? null : Math.clamp(promptLogprobs, 0, Integer.MAX_VALUE),
                onlyPrompt,
                tokenIds);
    }

    private static void refuseBestOf(Fields fields, long n) {
        Long bestOf = fields.integer("best_of");
        if (bestOf == null || bestOf == n) {
            return;
        }
        Limits.require(bestOf > n, "best_of", bestOf, "at least n (" + n + ")");
        throw HttpRefusal.unsupported(
                "best_of", "best_of is %d but more than n (%d) is not supported yet".formatted(bestOf, n));
    }

    /** A text, a list of texts, a list of token ids, or a list of lists of token ids. */
    private static List<Prompt> prompts(@Nullable JsonNode node, boolean special) {
        if (node == null) {
            throw new BadRequestException("prompt", "prompt is missing but must be text or token ids");
        }
        if (!node.isArray()) {
            return List.of(new Prompt.Text(text("prompt", node), special));
        }
        Limits.require(!node.isEmpty(), "prompt", "[]", "at least one token or text");
        if (node.get(0).isNumber()) {
            return List.of(tokens("prompt", node));
        }
        Limits.require(
                node.size() <= PROMPTS_MAX, "prompt", node.size() + " prompts", "at most " + PROMPTS_MAX + " prompts");
        var prompts = new ArrayList<Prompt>(node.size());
        boolean texts = node.get(0).isTextual();
        for (int i = 0; i < node.size(); i++) {
            var field = "prompt[" + i + "]";
            prompts.add(texts ? new Prompt.Text(text(field, node.get(i)), special) : tokens(field, node.get(i)));
        }
        return prompts;
    }

    private static String text(String field, JsonNode node) {
        if (!node.isTextual()) {
            throw Fields.wrong(field, node, "text, texts, token ids, or lists of token ids, and not a mixture");
        }
        return Fields.text(field, node);
    }

    private static Prompt tokens(String field, JsonNode node) {
        if (!node.isArray()) {
            throw Fields.wrong(field, node, "a list of token ids, like the others");
        }
        Limits.require(!node.isEmpty(), field, "[]", "at least one token");
        var ids = new long[node.size()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = Fields.integer(field, i, node.get(i));
        }
        return new Prompt.Tokens(ids);
    }

    private static @Nullable Long larger(@Nullable Long a, @Nullable Long b) {
        return a == null || b == null ? (a == null ? b : a) : Long.valueOf(Math.max(a, b));
    }

    private static long orOne(@Nullable Long value) {
        return value == null ? 1 : value;
    }
}
