package dev.kvasir.router.grpc;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.kvasir.model.tokenizer.ChatOptions;
import dev.kvasir.model.tokenizer.PromptException;
import dev.kvasir.protocol.BadRequestException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code chat_template_kwargs} as the chat template sees them: what JSON would have brought, whole numbers included. */
final class TemplateVariables {
    private TemplateVariables() {}

    static Map<String, ? extends @Nullable Object> of(Struct given) {
        try {
            return ChatOptions.DEFAULT.withVariables(fields(given)).variables();
        } catch (PromptException e) {
            throw new BadRequestException("chat_template_kwargs", String.valueOf(e.getMessage()));
        }
    }

    private static Map<String, @Nullable Object> fields(Struct struct) {
        Map<String, @Nullable Object> fields = new LinkedHashMap<>();
        struct.getFieldsMap().forEach((name, value) -> fields.put(name, plain(value)));
        return fields;
    }

    private static @Nullable Object plain(Value value) {
        return switch (value.getKindCase()) {
            case NULL_VALUE, KIND_NOT_SET -> null;
            case BOOL_VALUE -> value.getBoolValue();
            case NUMBER_VALUE -> number(value.getNumberValue());
            case STRING_VALUE -> value.getStringValue();
            case STRUCT_VALUE -> fields(value.getStructValue());
            case LIST_VALUE ->
                value.getListValue().getValuesList().stream()
                        .map(TemplateVariables::plain)
                        .toList();
        };
    }

    private static Object number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1L << 53 ? (Object) (long) value : value;
    }
}
