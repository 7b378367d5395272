package dev.kvasir.model.jinja;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Python's {@code json.dumps}, as Hugging Face gives it to templates: nothing is escaped for HTML. */
final class Json {
    private final Budget budget;
    private final TextBuilder out;
    private final boolean ascii;
    private final boolean sorted;
    private final @Nullable Text indent;
    private final Text itemSeparator;
    private final Text keySeparator;

    private Json(Budget budget, Arguments.Bound options) {
        this.budget = budget;
        this.out = new TextBuilder(budget);
        this.ascii = options.truth(0, false);
        this.indent = indent(options.or(1, None.NONE));
        this.sorted = options.truth(3, false);
        List<Object> separators = options.or(2, None.NONE) == None.NONE ? List.of() : Values.list(options.required(2));
        if (separators.isEmpty()) {
            this.itemSeparator = Text.own(indent == null ? ", " : ",");
            this.keySeparator = Text.own(": ");
        } else if (separators.size() == 2
                && separators.get(0) instanceof Text item
                && separators.get(1) instanceof Text key) {
            this.itemSeparator = item;
            this.keySeparator = key;
        } else {
            throw TemplateException.value("tojson needs two strings as separators");
        }
    }

    static Text write(Object value, Arguments arguments, Budget budget) {
        var json = new Json(budget, arguments.bind("tojson", "ensure_ascii", "indent", "separators", "sort_keys"));
        json.write(value, 0);
        return json.out.build();
    }

    private static @Nullable Text indent(Object given) {
        return switch (given) {
            case None _ -> null;
            case Text text -> text;
            default -> Text.own(" ".repeat(Math.clamp(Values.smallInteger(given, "tojson indent"), 0, 100)));
        };
    }

    private void write(Object value, int level) {
        budget.enter();
        switch (value) {
            case Text text -> string(text);
            case None _ -> out.append("null");
            case Boolean truth -> out.append(truth ? "true" : "false");
            case Double number -> out.append(number(number));
            case Number number -> out.append(number.toString());
            case Seq seq when seq.indexed() && seq.kind() != Seq.Kind.RANGE -> list(seq.items(), level);
            case Dict dict -> dict(dict.entries(), level);
            default ->
                throw TemplateException.value(
                        "a value of type '%s' cannot be written as JSON".formatted(Values.typeName(value)));
        }
        budget.leave();
    }

    private static String number(double number) {
        if (Double.isNaN(number)) {
            return "NaN";
        }
        return Double.isInfinite(number) ? (number > 0 ? "Infinity" : "-Infinity") : Python.repr(number);
    }

    private void list(List<Object> items, int level) {
        out.append("[");
        for (int i = 0; i < items.size(); i++) {
            begin(i > 0, level + 1);
            write(items.get(i), level + 1);
        }
        end(items.isEmpty(), level);
        out.append("]");
    }

    private void dict(Map<Object, Object> entries, int level) {
        out.append("{");
        var keys = new ArrayList<>(entries.keySet());
        if (sorted) {
            keys.sort(Comparator.comparing(key -> key, (a, b) -> Operators.order(a, b, "<")));
        }
        boolean further = false;
        for (Object key : keys) {
            begin(further, level + 1);
            further = true;
            string(key(key));
            out.append(keySeparator);
            Object value = entries.get(key);
            write(value == null ? None.NONE : value, level + 1);
        }
        end(entries.isEmpty(), level);
        out.append("}");
    }

    private static Text key(Object key) {
        return switch (key) {
            case Text text -> text;
            case None _ -> Text.own("null");
            case Boolean truth -> Text.own(truth ? "true" : "false");
            case Double number -> Text.own(number(number));
            case Number number -> Text.own(number.toString());
            default -> throw TemplateException.value("'%s' cannot be a key in JSON".formatted(Values.typeName(key)));
        };
    }

    private void begin(boolean further, int level) {
        if (further) {
            out.append(itemSeparator);
        }
        newLine(level);
    }

    private void end(boolean empty, int level) {
        if (!empty) {
            newLine(level);
        }
    }

    private void newLine(int level) {
        if (indent != null) {
            out.append("\n");
            for (int i = 0; i < level; i++) {
                out.append(indent);
            }
        }
    }

    /** A string in quotes; what has to be escaped is given where the string is. */
    private void string(Text text) {
        out.append("\"");
        String value = text.value();
        int from = 0;
        for (int i = 0; i < value.length(); i++) {
            String escape = escape(value.charAt(i));
            if (escape != null) {
                out.append(text, from, i).append(text.chars(i, i + 1).derived(escape));
                from = i + 1;
            }
        }
        out.append(text, from, value.length()).append("\"");
    }

    private @Nullable String escape(char c) {
        return switch (c) {
            case '"' -> "\\\"";
            case '\\' -> "\\\\";
            case '\n' -> "\\n";
            case '\r' -> "\\r";
            case '\t' -> "\\t";
            case '\b' -> "\\b";
            case '\f' -> "\\f";
            default -> c < 0x20 || (ascii && c > 0x7E) ? "\\u%04x".formatted((int) c) : null;
        };
    }
}
