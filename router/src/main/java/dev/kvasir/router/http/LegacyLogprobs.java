package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.protocol.ScoredToken;
import java.util.List;

/**
 * {@code choices[].logprobs} of {@code /v1/completions} for one output, piece by piece: {@code tokens},
 * {@code token_logprobs}, {@code top_logprobs} and {@code text_offset}, one entry per token. Offsets count characters
 * (code points) of the text, the prompt's included where it is echoed. {@code top_logprobs} always has the token itself.
 */
final class LegacyLogprobs {
    private final TokenTexts texts;
    private final int top;
    private final boolean skipSpecialTokens;
    private ObjectNode piece = empty();
    private int offset;

    LegacyLogprobs(TokenTexts texts, int top, boolean skipSpecialTokens) {
        this.texts = texts;
        this.top = top;
        this.skipSpecialTokens = skipSpecialTokens;
    }

    /** The echoed prompt; nothing comes before a first token, so that it has no log-probability. */
    LegacyLogprobs addPrompt(int firstToken, List<ScoredToken> others) {
        addText(firstToken);
        piece.withArray("token_logprobs").addNull();
        piece.withArray("top_logprobs").addNull();
        return add(others);
    }

    LegacyLogprobs add(List<ScoredToken> tokens) {
        for (var scored : tokens) {
            addText(scored.token());
            piece.withArray("token_logprobs").add(TokenTexts.finite(scored.logprob()));
            var alternatives = piece.withArray("top_logprobs").addObject();
            for (int i = 0; i < Math.min(top, scored.topIds().length); i++) {
                putIfAbsent(alternatives, scored.topIds()[i], scored.topLogprobs()[i]);
            }
            putIfAbsent(alternatives, scored.token(), scored.logprob());
        }
        return this;
    }

    /** What has been added since the last call. */
    ObjectNode take() {
        var taken = piece;
        piece = empty();
        return taken;
    }

    private void addText(int token) {
        piece.withArray("tokens").add(texts.text(token));
        piece.withArray("text_offset").add(offset);
        offset += texts.characters(token, skipSpecialTokens);
    }

    /** Tokens that look alike share an entry: the likelier one's, which comes first. */
    private void putIfAbsent(ObjectNode alternatives, int token, float logprob) {
        var text = texts.text(token);
        if (!alternatives.has(text)) {
            alternatives.put(text, TokenTexts.finite(logprob));
        }
    }

    private static ObjectNode empty() {
        var node = Json.object();
        node.putArray("tokens");
        node.putArray("token_logprobs");
        node.putArray("top_logprobs");
        node.putArray("text_offset");
        return node;
    }
}
