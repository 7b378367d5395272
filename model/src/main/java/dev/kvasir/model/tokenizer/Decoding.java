package dev.kvasir.model.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kvasir.model.ModelFileException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The {@code decoder} of a {@code tokenizer.json}: how pieces become text, and which bytes one piece stands for. */
final class Decoding {
    private final Path path;
    private final JsonNode decoder;
    private final List<JsonNode> steps = new ArrayList<>();

    Decoding(Path path, JsonNode decoder) {
        this.path = path;
        this.decoder = decoder;
        flatten(decoder);
        start(); // Refuses now what it could not do later.
    }

    private void flatten(JsonNode node) {
        if (node.path("type").asText().equals("Sequence")) {
            node.path("decoders").forEach(this::flatten);
        } else if (node.isObject()) {
            steps.add(node);
        }
    }

    /** The first of a fresh chain of steps, for one sequence. */
    DecodeStep start() {
        if (steps.isEmpty()) {
            return new DecodeStep.Spaced(DecodeStep.text());
        }
        int fusedFrom = steps.size();
        for (int i = steps.size() - 1; i >= 0; i--) {
            if (type(steps.get(i)).equals("Fuse") || type(steps.get(i)).equals("ByteLevel")) {
                fusedFrom = i;
            }
        }
        var step = DecodeStep.text();
        for (int i = steps.size() - 1; i >= 0; i--) {
            step = step(steps.get(i), i > fusedFrom, step);
        }
        return step;
    }

    private DecodeStep step(JsonNode node, boolean fused, DecodeStep next) {
        String type = type(node);
        if (fused && !type.equals("Strip") && !type.equals("Fuse")) {
            throw refused(type + " after pieces were fused into one");
        }
        return switch (type) {
            case "ByteLevel" -> new DecodeStep.ByteLevel(next);
            case "ByteFallback" -> new DecodeStep.ByteFallback(next);
            case "Fuse" -> next;
            case "Replace" ->
                new DecodeStep.Replace(pattern(node), node.path("content").asText(), next);
            case "Strip" ->
                new DecodeStep.Strip(
                        node.path("content").asText(" ").codePointAt(0),
                        node.path("start").asInt(0),
                        node.path("stop").asInt(0),
                        fused,
                        next);
            case "Metaspace" -> new DecodeStep.Metaspace(replacement(node), prepends(node), next);
            case "WordPiece" ->
                new DecodeStep.WordPiece(
                        node.path("prefix").asText("##"), node.path("cleanup").asBoolean(true), next);
            case "BPEDecoder" -> new DecodeStep.WordSuffix(node.path("suffix").asText("</w>"), next);
            default -> throw refused(type);
        };
    }

    /** The bytes of a piece wherever it stands; a space that decoding cuts at the start of a text is still there. */
    byte[] bytes(String piece) {
        String text = piece;
        for (JsonNode node : steps) {
            switch (type(node)) {
                case "ByteLevel" -> {
                    return ByteLetters.bytes(text);
                }
                case "ByteFallback" -> {
                    int value = DecodeStep.ByteFallback.byteValue(text);
                    if (value >= 0) {
                        return new byte[] {(byte) value};
                    }
                }
                case "Replace" ->
                    text = text.replace(pattern(node), node.path("content").asText());
                case "Metaspace" -> text = text.replace(replacement(node), " ");
                case "WordPiece" -> {
                    String prefix = node.path("prefix").asText("##");
                    text = text.startsWith(prefix) ? text.substring(prefix.length()) : text;
                }
                case "BPEDecoder" -> text = text.replace(node.path("suffix").asText("</w>"), " ");
                default -> {
                    // Strip and Fuse say nothing about a single piece.
                }
            }
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String type(JsonNode node) {
        return node.path("type").asText();
    }

    private String pattern(JsonNode node) {
        JsonNode pattern = node.path("pattern").path("String");
        if (!pattern.isTextual() || pattern.textValue().isEmpty()) {
            throw refused("Replace with pattern " + node.path("pattern"));
        }
        return pattern.textValue();
    }

    private static String replacement(JsonNode node) {
        return node.path("replacement").asText("\u2581");
    }

    private static boolean prepends(JsonNode node) {
        return node.has("prepend_scheme")
                ? !node.path("prepend_scheme").asText().equals("never")
                : node.path("add_prefix_space").asBoolean(true);
    }

    private ModelFileException refused(String what) {
        return new ModelFileException(path, "decoder", decoder, what + " is not supported");
    }
}
