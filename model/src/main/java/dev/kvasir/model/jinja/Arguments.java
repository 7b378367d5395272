package dev.kvasir.model.jinja;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The arguments of one call. */
record Arguments(List<Object> positional, Map<String, Object> named) {
    static final Arguments NONE = new Arguments(List.of(), Map.of());

    /** The arguments in the order of the parameters' names; what is not given is null. */
    Bound bind(String function, String... parameters) {
        if (positional.size() > parameters.length) {
            throw TemplateException.value("%s takes at most %d arguments, %d were given"
                    .formatted(function, parameters.length, positional.size()));
        }
        @Nullable Object[] values = new @Nullable Object[parameters.length];
        for (int i = 0; i < positional.size(); i++) {
            values[i] = positional.get(i);
        }
        var rest = new LinkedHashMap<>(named);
        for (int i = 0; i < parameters.length; i++) {
            Object value = rest.remove(parameters[i]);
            if (value != null) {
                if (values[i] != null) {
                    throw TemplateException.value(
                            "%s got two values for argument '%s'".formatted(function, parameters[i]));
                }
                values[i] = value;
            }
        }
        if (!rest.isEmpty()) {
            throw TemplateException.value("%s has no argument '%s'"
                    .formatted(function, rest.keySet().iterator().next()));
        }
        return new Bound(function, parameters, values);
    }

    /** All but the first so many positional ones. */
    Arguments from(int first) {
        return new Arguments(positional.subList(Math.min(first, positional.size()), positional.size()), named);
    }

    /** Arguments by position of their parameter. */
    static final class Bound {
        private final String function;
        private final String[] parameters;
        private final @Nullable Object[] values;

        private Bound(String function, String[] parameters, @Nullable Object[] values) {
            this.function = function;
            this.parameters = parameters;
            this.values = values;
        }

        boolean has(int i) {
            return values[i] != null;
        }

        Object required(int i) {
            Object value = values[i];
            if (value == null) {
                throw TemplateException.value("%s needs the argument '%s'".formatted(function, parameters[i]));
            }
            return value;
        }

        Object or(int i, Object otherwise) {
            Object value = values[i];
            return value == null ? otherwise : value;
        }

        boolean truth(int i, boolean otherwise) {
            Object value = values[i];
            return value == null ? otherwise : Values.truth(value);
        }

        int integer(int i, int otherwise) {
            Object value = values[i];
            return value == null ? otherwise : Values.smallInteger(value, function + " " + parameters[i]);
        }

        Text text(int i) {
            if (required(i) instanceof Text text) {
                return text;
            }
            throw TemplateException.value("%s needs a string as '%s', not %s"
                    .formatted(function, parameters[i], Values.typeName(required(i))));
        }
    }
}
