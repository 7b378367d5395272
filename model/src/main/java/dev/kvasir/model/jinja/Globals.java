package dev.kvasir.model.jinja;

import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** The functions that every template can call. */
final class Globals {
    private static final int RANGE_MAX = 100_000;

    private final Budget budget;
    private final Printer printer;
    private final Supplier<LocalDateTime> now;

    Globals(Budget budget, Printer printer, Supplier<LocalDateTime> now) {
        this.budget = budget;
        this.printer = printer;
        this.now = now;
    }

    void define(Scope scope) {
        function(scope, "range", this::range);
        function(scope, "dict", Globals::dict);
        function(scope, "namespace", Globals::namespace);
        function(scope, "cycler", Globals::cycler);
        function(scope, "joiner", Globals::joiner);
        function(scope, "raise_exception", arguments -> {
            throw TemplateException.raised(
                    printer.str(arguments.bind("raise_exception", "message").required(0))
                            .value());
        });
        function(
                scope,
                "strftime_now",
                arguments -> Text.own(Strftime.format(
                        arguments.bind("strftime_now", "format").text(0).value(), now.get())));
    }

    private static void function(Scope scope, String name, Function function) {
        scope.set(name, function);
    }

    private Object range(Arguments arguments) {
        List<Object> given = arguments.positional();
        if (given.isEmpty() || given.size() > 3 || !arguments.named().isEmpty()) {
            throw TemplateException.value("range takes one to three integers");
        }
        long start = given.size() == 1 ? 0 : Values.smallInteger(given.getFirst(), "range start");
        long stop = Values.smallInteger(given.get(given.size() == 1 ? 0 : 1), "range stop");
        long step = given.size() < 3 ? 1 : Values.smallInteger(given.get(2), "range step");
        if (step == 0) {
            throw TemplateException.value("a range step cannot be zero");
        }
        long count = Math.max(0, step > 0 ? (stop - start + step - 1) / step : (start - stop - step - 1) / -step);
        if (count > RANGE_MAX) {
            throw TemplateException.limit("a range has more than %d elements".formatted(RANGE_MAX));
        }
        budget.spend(count);
        var items = new ArrayList<Object>((int) count);
        for (long i = 0; i < count; i++) {
            items.add(start + i * step);
        }
        return new Seq(Seq.Kind.RANGE, items);
    }

    private static Object dict(Arguments arguments) {
        var dict = new Dict();
        initial("dict", arguments, (key, value) -> dict.entries().put(Values.hashable(key), value));
        return dict;
    }

    private static Object namespace(Arguments arguments) {
        var namespace = new Namespace();
        initial("namespace", arguments, (key, value) -> namespace.attributes().put(key.toString(), value));
        return namespace;
    }

    private static void initial(
            String function, Arguments arguments, java.util.function.BiConsumer<Object, Object> entry) {
        for (Object given : arguments.positional()) {
            if (given instanceof Dict other) {
                other.entries().forEach(entry);
                continue;
            }
            for (Object pair : Values.list(given)) {
                List<Object> parts = Values.list(pair);
                if (parts.size() != 2) {
                    throw TemplateException.value(function + " needs pairs of key and value");
                }
                entry.accept(parts.get(0), parts.get(1));
            }
        }
        arguments.named().forEach((key, value) -> entry.accept(Text.own(key), value));
    }

    private static Object cycler(Arguments arguments) {
        List<Object> items = arguments.positional();
        if (items.isEmpty()) {
            throw TemplateException.value("a cycler needs items");
        }
        var cycler = new Namespace();
        int[] next = {0};
        cycler.attributes().put("current", items.getFirst());
        cycler.attributes().put("next", (Function) _ -> {
            Object current = items.get(next[0]);
            next[0] = (next[0] + 1) % items.size();
            cycler.attributes().put("current", items.get(next[0]));
            return current;
        });
        cycler.attributes().put("reset", (Function) _ -> {
            next[0] = 0;
            cycler.attributes().put("current", items.getFirst());
            return None.NONE;
        });
        return cycler;
    }

    private static Object joiner(Arguments arguments) {
        Object separator = arguments.bind("joiner", "sep").or(0, Text.own(", "));
        boolean[] used = {false};
        return (Function) _ -> {
            Object text = used[0] ? separator : Text.EMPTY;
            used[0] = true;
            return text;
        };
    }
}
