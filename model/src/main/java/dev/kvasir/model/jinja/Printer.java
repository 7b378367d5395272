package dev.kvasir.model.jinja;

import java.util.List;
import java.util.Map;

/** Python's {@code str} and {@code repr}. */
final class Printer {
    private final Budget budget;

    Printer(Budget budget) {
        this.budget = budget;
    }

    Budget budget() {
        return budget;
    }

    /** {@code str(value)}. */
    Text str(Object value) {
        return switch (value) {
            case Text text -> text;
            case Undefined _ -> Text.EMPTY;
            case None _, Boolean _, Number _ -> Text.own(scalar(value));
            default -> {
                var out = new TextBuilder(budget);
                repr(value, out);
                yield out.build();
            }
        };
    }

    /** {@code repr(value)}. */
    void repr(Object value, TextBuilder out) {
        budget.enter();
        switch (value) {
            case Text text -> out.append(text.derived(Python.repr(text.value())));
            case Undefined _ -> out.append("Undefined");
            case None _, Boolean _, Number _ -> out.append(scalar(value));
            case Seq seq -> seq(seq, out);
            case Dict dict -> dict(dict.entries(), out);
            case Namespace namespace -> {
                out.append("<Namespace {");
                namespace.attributes().forEach((name, attribute) -> {
                    out.append(out.length() > 12 ? ", " : "")
                            .append(Python.repr(name))
                            .append(": ");
                    repr(attribute, out);
                });
                out.append("}>");
            }
            default -> out.append("<" + Values.typeName(value) + ">");
        }
        budget.leave();
    }

    static String scalar(Object value) {
        return switch (value) {
            case None _ -> "None";
            case Boolean truth -> truth ? "True" : "False";
            case Double number -> Python.repr(number);
            default -> value.toString();
        };
    }

    private void seq(Seq seq, TextBuilder out) {
        switch (seq.kind()) {
            case LIST -> items(seq.items(), "[", "]", out);
            case TUPLE, GROUP -> items(seq.items(), "(", seq.items().size() == 1 ? ",)" : ")", out);
            case KEYS, VALUES, ITEMS -> items(seq.items(), seq.kind().python() + "([", "])", out);
            case RANGE -> range(seq.items(), out);
        }
    }

    private static void range(List<Object> items, TextBuilder out) {
        if (items.isEmpty()) {
            out.append("range(0, 0)");
            return;
        }
        long first = (long) items.getFirst();
        long step = items.size() > 1 ? (long) items.get(1) - first : 1;
        out.append("range(%d, %d%s)".formatted(first, (long) items.getLast() + step, step == 1 ? "" : ", " + step));
    }

    private void items(List<Object> items, String open, String close, TextBuilder out) {
        out.append(open);
        for (int i = 0; i < items.size(); i++) {
            out.append(i == 0 ? "" : ", ");
            repr(items.get(i), out);
        }
        out.append(close);
    }

    private void dict(Map<Object, Object> entries, TextBuilder out) {
        String separator = "{";
        for (var entry : entries.entrySet()) {
            out.append(separator);
            repr(entry.getKey(), out);
            out.append(": ");
            repr(entry.getValue(), out);
            separator = ", ";
        }
        out.append(entries.isEmpty() ? "{}" : "}");
    }
}
