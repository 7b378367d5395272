package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.router.ServedModel;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Tokens and log-probabilities as the API shows them. */
final class TokenTexts {
    /** JSON has no infinity; vLLM's stand-in for it. */
    private static final float LEAST = -9999;

    private final ServedModel model;

    TokenTexts(ServedModel model) {
        this.model = model;
    }

    /** With U+FFFD for bytes that are no complete character. */
    String text(int token) {
        return new String(model.text().bytes(token), StandardCharsets.UTF_8);
    }

    /** Characters that begin in a token; 0 for special tokens, which text leaves out. */
    int characters(int token, boolean skipSpecialTokens) {
        if (skipSpecialTokens && model.text().tokenizer().isSpecial(token)) {
            return 0;
        }
        int count = 0;
        for (byte b : model.text().bytes(token)) {
            count += (b & 0xC0) == 0x80 ? 0 : 1;
        }
        return count;
    }

    static float finite(float logprob) {
        return Math.max(logprob, LEAST);
    }

    /** {@code choices[].logprobs} of chat completions. */
    ObjectNode chatLogprobs(List<ScoredToken> tokens, int top) {
        var logprobs = Json.object();
        var content = logprobs.putArray("content");
        for (var scored : tokens) {
            var entry = content.addObject();
            putToken(entry, scored.token(), scored.logprob());
            var alternatives = entry.putArray("top_logprobs");
            for (int i = 0; i < Math.min(top, scored.topIds().length); i++) {
                putToken(alternatives.addObject(), scored.topIds()[i], scored.topLogprobs()[i]);
            }
        }
        logprobs.putNull("refusal");
        return logprobs;
    }

    private void putToken(ObjectNode entry, int token, float logprob) {
        entry.put("token", text(token));
        entry.put("logprob", finite(logprob));
        var bytes = entry.putArray("bytes");
        for (byte b : model.text().bytes(token)) {
            bytes.add(Byte.toUnsignedInt(b));
        }
    }

    /** vLLM's {@code prompt_logprobs}: null for the first token, then an object by token id for each. */
    ArrayNode promptLogprobs(List<ScoredToken> tokens, int top) {
        var list = Json.object().putArray("prompt_logprobs");
        list.addNull();
        for (var scored : tokens) {
            var entry = list.addObject();
            for (int i = 0; i < Math.min(top, scored.topIds().length); i++) {
                putPromptToken(entry, scored.topIds()[i], scored.topLogprobs()[i], i + 1);
            }
            putPromptToken(entry, scored.token(), scored.logprob(), scored.rank());
        }
        return list;
    }

    private void putPromptToken(ObjectNode entry, int token, float logprob, int rank) {
        var value = Json.object();
        value.put("logprob", finite(logprob));
        value.put("rank", rank);
        value.put("decoded_token", text(token));
        entry.set(Integer.toString(token), value);
    }

    static ArrayNode ids(int[] tokens) {
        var array = Json.object().putArray("ids");
        for (int token : tokens) {
            array.add(token);
        }
        return array;
    }

    static ArrayNode ids(List<ScoredToken> tokens) {
        var array = Json.object().putArray("ids");
        tokens.forEach(scored -> array.add(scored.token()));
        return array;
    }
}
