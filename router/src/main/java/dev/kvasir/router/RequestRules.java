package dev.kvasir.router;

import static dev.kvasir.protocol.Limits.require;

import dev.kvasir.model.tokenizer.ChatMessage;
import dev.kvasir.model.tokenizer.PromptException;
import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.Limits;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.Tenant;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Every check that a request must pass before any work is done for it, and every default. Both doors go through here, so
 * a limit cannot be forgotten in one of them. Messages name field, value and what is allowed.
 */
final class RequestRules {
    static final int MESSAGES_MAX = 4096;
    private static final int USER_REQUEST_ID_MAX = 128;

    private RequestRules() {}

    /**
     * @param isolatesTenants whether KV blocks of one tenant are never used for another
     * @param random gives the request its id and, where it brings none, its seed
     * @throws BadRequestException where a field breaks a rule
     * @throws RequestFailedException where the prompt does not fit the context
     */
    static ValidRequest validate(
            RequestDraft draft, ServedModel model, boolean isolatesTenants, RandomGenerator random) {
        checkNames(draft);
        var text = textOptions(draft);
        SamplingRules.checkBeforePrompt(draft, model);
        var tenant = Tenant.of(orElse(draft.tenant, ""), isolatesTenants);
        int[] prompt = promptTokens(draft.prompt, model, scope(tenant, draft.cacheSalt));
        int maxTokens = SamplingRules.maxTokens(draft, prompt.length, model);
        var sampling = SamplingRules.resolve(draft, model, maxTokens, random);
        var generation = new GenerationRequest(
                draft.id == null ? RequestId.random(random) : draft.id,
                model.name(),
                prompt,
                sampling,
                draft.cacheSalt == null ? "" : draft.cacheSalt,
                Math.toIntExact(SamplingRules.inRange(
                        "priority",
                        draft.priority,
                        0,
                        -GenerationRequest.PRIORITY_MAX,
                        GenerationRequest.PRIORITY_MAX)),
                tenant);
        var promptText = text.echo() ? echoText(draft.prompt, prompt, model, text) : "";
        return new ValidRequest(
                generation, model, text, promptText, orElse(draft.userRequestId, ""), draft.arrivalNanos, draft.door);
    }

    private static void checkNames(RequestDraft draft) {
        var salt = draft.cacheSalt;
        if (salt != null) {
            require(
                    !salt.isEmpty() && salt.length() <= GenerationRequest.CACHE_SALT_MAX,
                    "cache_salt",
                    salt.length() + " characters",
                    "1..1024 characters");
            int control = firstMatch(salt, c -> Character.isISOControl(c) || Character.isSurrogate((char) c));
            require(control < 0, "cache_salt", "not printable at character " + control, "printable characters only");
        }
        var user = draft.userRequestId;
        if (user != null) {
            require(
                    !user.isEmpty() && user.length() <= USER_REQUEST_ID_MAX,
                    "user_request_id",
                    user.length() + " characters",
                    "1..128 characters");
            int odd = firstMatch(user, c -> c < 0x20 || c > 0x7e);
            require(odd < 0, "user_request_id", "not ASCII at character " + odd, "printable ASCII only");
        }
    }

    private static TextOptions textOptions(RequestDraft draft) {
        var stops = orElse(draft.stop, List.<String>of());
        require(stops.size() <= TextOptions.STOP_MAX, "stop", stops.size() + " entries", "at most 16 entries");
        for (int i = 0; i < stops.size(); i++) {
            checkStop("stop[" + i + "]", stops.get(i));
        }
        return new TextOptions(
                stops,
                orElse(draft.includeStop, false),
                orElse(draft.skipSpecialTokens, true),
                orElse(draft.echo, false),
                orElse(draft.reportPromptTokens, false));
    }

    private static void checkStop(String field, String stop) {
        require(
                !stop.isEmpty() && stop.length() <= TextOptions.STOP_CHARACTERS_MAX,
                field,
                stop.length() + " characters",
                "1..256 characters");
        require(
                stop.codePoints().noneMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE),
                field,
                "not valid Unicode (it has half a surrogate pair)",
                "valid Unicode");
        require(
                !stop.codePoints().allMatch(c -> c == 0xFFFD),
                field,
                "only U+FFFD, which stands for undecodable bytes",
                "text that a model can write");
    }

    /** As KV blocks are kept apart, so is what of a text is known. */
    private static String scope(Tenant tenant, @Nullable String cacheSalt) {
        return cacheSalt == null ? tenant.salt() : tenant.salt() + " " + cacheSalt;
    }

    /** @param scope whose prompt it is; null for nobody's */
    static int[] promptTokens(@Nullable Prompt prompt, ServedModel model, @Nullable String scope) {
        if (prompt == null) {
            throw new BadRequestException("prompt", "prompt is missing but must be text or token ids");
        }
        int[] tokens = switch (prompt) {
            case Prompt.Text(var text, var addSpecialTokens) -> textTokens(text, addSpecialTokens, model, scope);
            case Prompt.Tokens(var ids) -> checkedTokens("prompt", ids, model);
            case Prompt.Chat chat -> chatTokens(chat, model, scope);
        };
        require(tokens.length >= 1, field(prompt), "empty", "at least one token");
        return tokens;
    }

    /** What the client called its prompt. */
    static String field(@Nullable Prompt prompt) {
        return prompt instanceof Prompt.Chat ? "messages" : "prompt";
    }

    private static int[] textTokens(String text, boolean addSpecialTokens, ServedModel model, @Nullable String scope) {
        checkCharacters("prompt", text.length(), model);
        return model.text().encode(text, addSpecialTokens, scope);
    }

    static int[] checkedTokens(String field, long[] ids, ServedModel model) {
        if (ids.length > model.maxModelLength()) {
            throw tooLong("prompt", "%s has %d tokens".formatted(field, ids.length), model);
        }
        int[] tokens = new int[ids.length];
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] < 0 || ids[i] >= model.vocabularySize()) { // Prompts are long: no words where all is well.
                require(
                        false,
                        field + "[" + i + "]",
                        ids[i],
                        "a token id in [0, %d)".formatted(model.vocabularySize()));
            }
            tokens[i] = (int) ids[i];
        }
        return tokens;
    }

    private static int[] chatTokens(Prompt.Chat chat, ServedModel model, @Nullable String scope) {
        var messages = chat.messages();
        require(
                !messages.isEmpty() && messages.size() <= MESSAGES_MAX,
                "messages",
                messages.size() + " entries",
                "1..4096 entries");
        require(
                !(chat.addGenerationPrompt() && chat.continueFinalMessage()),
                "continue_final_message",
                "true together with add_generation_prompt",
                "alone");
        if (model.text().chat().isEmpty()) {
            throw new BadRequestException(
                    "messages", "model %s has no chat template; send a prompt instead".formatted(model.name()));
        }
        checkCharacters(
                "messages",
                messages.stream().mapToLong(RequestRules::characters).sum(),
                model);
        try {
            return model.text().encodeChat(chat, scope);
        } catch (PromptException e) {
            throw new BadRequestException("messages", String.valueOf(e.getMessage()));
        }
    }

    private static long characters(ChatMessage message) {
        return message.content() instanceof String text ? text.length() : 0;
    }

    /** Before tokenizing, whose time grows faster than the text. */
    private static void checkCharacters(String field, long characters, ServedModel model) {
        if (characters > model.promptCharactersMax()) {
            throw tooLong(
                    field,
                    "prompt has %d characters (at most %d)".formatted(characters, model.promptCharactersMax()),
                    model);
        }
    }

    private static RequestFailedException tooLong(String field, String what, ServedModel model) {
        return new RequestFailedException(new Failure(
                FailureKind.CONTEXT_LENGTH_EXCEEDED,
                "%s but the context length of %s is %d tokens"
                        .formatted(what, Limits.shorten(model.name()), model.maxModelLength()),
                field,
                0));
    }

    private static String echoText(@Nullable Prompt prompt, int[] tokens, ServedModel model, TextOptions text) {
        return prompt instanceof Prompt.Text given
                ? given.text()
                : model.text().decode(tokens, text.skipSpecialTokens());
    }

    private static int firstMatch(String text, IntPredicate predicate) {
        for (int i = 0; i < text.length(); i++) {
            if (predicate.test(text.charAt(i))) {
                return i;
            }
        }
        return -1;
    }

    static <T> T orElse(@Nullable T value, T otherwise) {
        return value == null ? otherwise : value;
    }
}
