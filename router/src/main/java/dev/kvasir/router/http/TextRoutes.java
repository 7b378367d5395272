package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.router.Frontend;
import dev.kvasir.router.Prompt;
import dev.kvasir.router.ServedModel;
import java.util.List;
import java.util.Objects;

/** {@code /v1/models}, {@code /tokenize} and {@code /detokenize}. */
final class TextRoutes {
    private final Frontend frontend;
    private final long startSeconds;

    TextRoutes(Frontend frontend, long startSeconds) {
        this.frontend = frontend;
        this.startSeconds = startSeconds;
    }

    void models(Exchange exchange) {
        var list = Json.object();
        list.put("object", "list");
        var data = list.putArray("data");
        for (var model : frontend.models()) {
            data.add(describe(model, model.name()));
            model.aliases().forEach(alias -> data.add(describe(model, alias)));
        }
        exchange.send(200, list);
    }

    void model(Exchange exchange) {
        var name = exchange.pathParameter("name");
        exchange.send(200, describe(frontend.model(name), name));
    }

    private ObjectNode describe(ServedModel model, String name) {
        var node = Json.object();
        node.put("id", name);
        node.put("object", "model");
        node.put("created", startSeconds);
        node.put("owned_by", "kvasir");
        node.put("root", model.name());
        node.putNull("parent");
        node.put("max_model_len", model.maxModelLength());
        return node;
    }

    void tokenize(Exchange exchange) {
        var fields = new Fields(exchange.json());
        var model = model(fields);
        var tokens = frontend.tokenize(model, prompt(fields));
        var answer = Json.object();
        answer.set("tokens", TokenTexts.ids(tokens));
        answer.put("count", tokens.length);
        answer.put("max_model_len", model.maxModelLength());
        if (fields.flag("return_token_strs", false)) {
            var texts = new TokenTexts(model);
            var strings = answer.putArray("token_strs");
            for (int token : tokens) {
                strings.add(texts.text(token));
            }
        } else {
            answer.putNull("token_strs");
        }
        fields.logUnread();
        exchange.send(200, answer);
    }

    void detokenize(Exchange exchange) {
        var fields = new Fields(exchange.json());
        var model = model(fields);
        List<Long> tokens = fields.integers("tokens");
        if (tokens == null) {
            throw new BadRequestException("tokens", "tokens is missing but must be a list of token ids");
        }
        var ids = tokens.stream().mapToLong(Long::longValue).toArray();
        fields.logUnread();
        exchange.send(200, Json.object().put("prompt", frontend.detokenize(model, "tokens", ids)));
    }

    private ServedModel model(Fields fields) {
        return frontend.model(Objects.requireNonNullElse(fields.text("model"), ""));
    }

    private static Prompt prompt(Fields fields) {
        if (fields.node("messages") != null) {
            return ChatRequest.conversation(fields);
        }
        var text = fields.text("prompt");
        if (text == null) {
            throw new BadRequestException("prompt", "prompt is missing but must be text, or messages given instead");
        }
        return new Prompt.Text(text, fields.flag("add_special_tokens", true));
    }
}
