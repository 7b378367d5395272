package dev.kvasir.model.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What {@code value.name} and {@code value[key]} are, as in Jinja's immutable sandbox. */
final class Attributes {
    private static final Set<String> DICT_METHODS = Set.of("items", "keys", "values", "get", "copy");
    private static final Set<String> DICT_CHANGES = Set.of("update", "pop", "popitem", "setdefault", "clear");
    private static final Set<String> LIST_CHANGES =
            Set.of("append", "extend", "insert", "pop", "remove", "reverse", "sort", "clear");

    private final Budget budget;
    private final TextMethods textMethods;

    Attributes(Budget budget, TextMethods textMethods) {
        this.budget = budget;
        this.textMethods = textMethods;
    }

    /** {@code of.name}: an attribute before an element. */
    Object attribute(Object of, String name) {
        Object own = own(of, name);
        if (own != null) {
            return own;
        }
        Object element = of instanceof Dict dict ? dict.entries().get(Text.own(name)) : null;
        return element != null ? element : Undefined.attribute(of, name);
    }

    /** An attribute, never an element. */
    Object attributeOnly(Object of, String name) {
        Object own = own(of, name);
        return own != null ? own : Undefined.attribute(of, name);
    }

    /** {@code of[key]}: an element before an attribute. */
    Object item(Object of, Object key) {
        switch (of) {
            case Undefined undefined -> throw undefined.error();
            case Dict dict -> {
                if (!(key instanceof Seq seq && seq.kind() == Seq.Kind.LIST) && !(key instanceof Dict)) {
                    Object value = dict.entries().get(Values.hashable(key));
                    if (value != null) {
                        return value;
                    }
                }
            }
            case Seq seq
            when seq.indexed() && Values.isInteger(key) -> {
                long place = Values.smallInteger(key, "an index");
                place = place < 0 ? place + seq.items().size() : place;
                if (place >= 0 && place < seq.items().size()) {
                    return seq.items().get((int) place);
                }
            }
            case Text text
            when Values.isInteger(key) -> {
                budget.spendFor(text.value().length());
                int length = text.length();
                long place = Values.smallInteger(key, "an index");
                place = place < 0 ? place + length : place;
                if (place >= 0 && place < length) {
                    return text.points((int) place, (int) place + 1);
                }
            }
            default -> {
                // Nothing else has elements by key.
            }
        }
        if (key instanceof Text name) {
            Object own = own(of, name.value());
            return own != null ? own : Undefined.attribute(of, name.value());
        }
        return new Undefined("'%s' has no element %s".formatted(Values.typeName(of), new Printer(budget).str(key)));
    }

    private @Nullable Object own(Object of, String name) {
        return switch (of) {
            case Undefined undefined -> throw undefined.error();
            case Dict dict when DICT_METHODS.contains(name) -> (Function) arguments -> dict(dict, name, arguments);
            case Dict _ when DICT_CHANGES.contains(name) -> forbidden(name, of);
            case Text text
            when TextMethods.NAMES.contains(name) -> (Function) arguments -> textMethods.call(text, name, arguments);
            case Seq seq when seq.kind() == Seq.Kind.LIST && LIST_CHANGES.contains(name) -> forbidden(name, of);
            case Seq seq
            when seq.indexed() && name.equals("count") ->
                (Function) arguments -> count(seq, arguments.bind(name, "value").required(0));
            case Seq seq
            when seq.indexed() && name.equals("index") ->
                (Function) arguments -> index(seq, arguments.bind(name, "value").required(0));
            case Seq group
            when group.kind() == Seq.Kind.GROUP && name.equals("grouper") ->
                group.items().getFirst();
            case Seq group
            when group.kind() == Seq.Kind.GROUP && name.equals("list") ->
                group.items().getLast();
            case Namespace namespace -> namespace.attributes().get(name);
            case Loop loop -> loop.attribute(name);
            case Macro macro when name.equals("name") -> Text.own(macro.name());
            default -> null;
        };
    }

    private static Undefined forbidden(String name, Object of) {
        return new Undefined(
                "'%s' of '%s' is not available: values do not change".formatted(name, Values.typeName(of)));
    }

    private Object dict(Dict dict, String method, Arguments arguments) {
        Map<Object, Object> entries = dict.entries();
        if (method.equals("get")) {
            var bound = arguments.bind(method, "key", "default");
            Object value = entries.get(Values.hashable(bound.required(0)));
            return value != null ? value : bound.or(1, None.NONE);
        }
        arguments.bind(method);
        budget.spend(entries.size());
        return switch (method) {
            case "keys" -> new Seq(Seq.Kind.KEYS, new ArrayList<>(entries.keySet()));
            case "values" -> new Seq(Seq.Kind.VALUES, new ArrayList<>(entries.values()));
            case "items" -> new Seq(Seq.Kind.ITEMS, items(dict));
            default -> dict;
        };
    }

    static List<Object> items(Dict dict) {
        var items = new ArrayList<Object>();
        dict.entries().forEach((key, value) -> items.add(Seq.tuple(key, value)));
        return items;
    }

    private static long count(Seq seq, Object value) {
        return seq.items().stream().filter(item -> Operators.equal(item, value)).count();
    }

    private static long index(Seq seq, Object value) {
        for (int i = 0; i < seq.items().size(); i++) {
            if (Operators.equal(seq.items().get(i), value)) {
                return i;
            }
        }
        throw TemplateException.value("the value is not in the list");
    }
}
