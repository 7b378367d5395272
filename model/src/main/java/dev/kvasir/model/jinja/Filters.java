package dev.kvasir.model.jinja;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/** Jinja's filters: those of sequences and mappings here, those of texts and numbers in {@link TextFilters}. */
final class Filters {
    private static final Set<String> NAMES = Set.of(
            "attr",
            "batch",
            "count",
            "d",
            "default",
            "dictsort",
            "first",
            "groupby",
            "items",
            "join",
            "last",
            "length",
            "list",
            "map",
            "max",
            "min",
            "reject",
            "rejectattr",
            "reverse",
            "select",
            "selectattr",
            "slice",
            "sort",
            "sum",
            "unique");

    private final Budget budget;
    private final Printer printer;
    private final Operators operators;
    private final Attributes attributes;
    private final TextFilters texts;
    private final Tests tests;

    Filters(
            Budget budget,
            Printer printer,
            Operators operators,
            Attributes attributes,
            TextFilters texts,
            Tests tests) {
        this.budget = budget;
        this.printer = printer;
        this.operators = operators;
        this.attributes = attributes;
        this.texts = texts;
        this.tests = tests;
    }

    static boolean exists(String name) {
        return NAMES.contains(name) || TextFilters.NAMES.contains(name);
    }

    Object apply(String name, Object input, Arguments arguments) {
        if (TextFilters.NAMES.contains(name)) {
            return texts.apply(name, input, arguments);
        }
        return switch (name) {
            case "attr" ->
                attributes.attributeOnly(
                        input, arguments.bind(name, "name").text(0).value());
            case "batch" -> batch(input, arguments.bind(name, "linecount", "fill_with"));
            case "count", "length" -> Values.length(input);
            case "d", "default" -> {
                var bound = arguments.bind(name, "default_value", "boolean");
                boolean absent = input instanceof Undefined || (bound.truth(1, false) && !Values.truth(input));
                yield absent ? bound.or(0, Text.EMPTY) : input;
            }
            case "dictsort" -> dictSort(input, arguments.bind(name, "case_sensitive", "by", "reverse"));
            case "first" -> {
                var rest = Values.iterator(input);
                yield rest.hasNext() ? rest.next() : new Undefined("there is no first item, the sequence was empty");
            }
            case "groupby" -> groupBy(items(input), arguments.bind(name, "attribute", "default", "case_sensitive"));
            case "items" -> mappingItems(input);
            case "join" -> join(input, arguments.bind(name, "d", "attribute"));
            case "last" -> last(input);
            case "list" -> Seq.list(items(input));
            case "map" -> map(input, arguments);
            case "max" -> extreme(items(input), arguments.bind(name, "case_sensitive", "attribute"), 1);
            case "min" -> extreme(items(input), arguments.bind(name, "case_sensitive", "attribute"), -1);
            case "reject", "select" -> chosen(input, () -> test(arguments), name.equals("select"));
            case "rejectattr", "selectattr" -> chosenByAttribute(input, arguments, name.equals("selectattr"));
            case "reverse" -> reverse(input);
            case "slice" -> slice(input, arguments.bind(name, "slices", "fill_with"));
            case "sort" -> sort(items(input), arguments.bind(name, "reverse", "case_sensitive", "attribute"));
            case "sum" -> sum(items(input), arguments.bind(name, "attribute", "start"));
            case "unique" -> unique(input, arguments.bind(name, "case_sensitive", "attribute"));
            default -> throw TemplateException.value("no filter named '%s'".formatted(name));
        };
    }

    private List<Object> items(Object input) {
        var items = Values.list(input);
        budget.spend(items.size());
        return items;
    }

    /** Reads an attribute by its path, such as {@code function.name} or {@code 0}. */
    private UnaryOperator<Object> attribute(Object path) {
        return attribute(path, None.NONE);
    }

    /** The same, with what stands for anything undefined on the way; none for nothing. */
    private UnaryOperator<Object> attribute(Object path, Object otherwise) {
        if (path == None.NONE) {
            return UnaryOperator.identity();
        }
        String[] parts = printer.str(path).value().split("\\.", -1);
        return item -> {
            Object value = item;
            for (String part : parts) {
                boolean position =
                        !part.isEmpty() && part.length() < 10 && part.chars().allMatch(Character::isDigit);
                value = attributes.item(value, position ? (Object) Long.parseLong(part) : Text.own(part));
                if (value instanceof Undefined && otherwise != None.NONE) {
                    value = otherwise;
                }
            }
            return value;
        };
    }

    private static Object foldedCase(Object value) {
        return value instanceof Text text ? TextMethods.lower(text) : value;
    }

    private UnaryOperator<Object> key(Arguments.Bound bound, int caseSensitive, int attribute) {
        var value = attribute(bound.or(attribute, None.NONE));
        return bound.truth(caseSensitive, false) ? value : item -> foldedCase(value.apply(item));
    }

    private Comparator<Object> order() {
        return (a, b) -> {
            budget.spend(1);
            return Operators.order(a, b, "<");
        };
    }

    private Object batch(Object input, Arguments.Bound bound) {
        return new Generator(() -> batches(items(input), bound));
    }

    private List<Object> batches(List<Object> items, Arguments.Bound bound) {
        int size = Math.max(1, Values.smallInteger(bound.required(0), "batch linecount"));
        var batches = new ArrayList<Object>();
        for (int from = 0; from < items.size(); from += size) {
            var batch = new ArrayList<>(items.subList(from, Math.min(items.size(), from + size)));
            if (bound.or(1, None.NONE) != None.NONE) {
                budget.spend(size);
                while (batch.size() < size) {
                    batch.add(bound.required(1));
                }
            }
            batches.add(Seq.list(batch));
        }
        return batches;
    }

    private Object slice(Object input, Arguments.Bound bound) {
        return new Generator(() -> slices(items(input), bound));
    }

    private List<Object> slices(List<Object> items, Arguments.Bound bound) {
        int slices = Math.max(1, Values.smallInteger(bound.required(0), "slice slices"));
        budget.spend(slices);
        int each = items.size() / slices;
        int longer = items.size() % slices;
        var all = new ArrayList<Object>();
        int from = 0;
        for (int i = 0; i < slices; i++) {
            int to = from + each + (i < longer ? 1 : 0);
            var part = new ArrayList<>(items.subList(from, to));
            if (bound.or(1, None.NONE) != None.NONE && i >= longer) {
                part.add(bound.required(1));
            }
            all.add(Seq.list(part));
            from = to;
        }
        return all;
    }

    private Object dictSort(Object input, Arguments.Bound bound) {
        if (!(input instanceof Dict dict)) {
            throw TemplateException.value("dictsort needs a mapping, not '%s'".formatted(Values.typeName(input)));
        }
        String by = bound.has(1) ? bound.text(1).value() : "key";
        if (!by.equals("key") && !by.equals("value")) {
            throw TemplateException.value("dictsort sorts by 'key' or 'value', not '%s'".formatted(by));
        }
        boolean exact = bound.truth(0, false);
        var items = new ArrayList<>(Attributes.items(dict));
        Comparator<Object> order = Comparator.comparing(
                item -> {
                    Object part = ((Seq) item).items().get(by.equals("key") ? 0 : 1);
                    return exact ? part : foldedCase(part);
                },
                order());
        items.sort(bound.truth(2, false) ? order.reversed() : order);
        return Seq.list(items);
    }

    private Object groupBy(List<Object> items, Arguments.Bound bound) {
        var value = attribute(bound.required(0), bound.or(1, None.NONE));
        boolean exact = bound.truth(2, false);
        UnaryOperator<Object> key = exact ? value : item -> foldedCase(value.apply(item));
        var sorted = new ArrayList<>(items);
        sorted.sort(Comparator.comparing(key, order()));
        var groups = new LinkedHashMap<Object, List<Object>>();
        sorted.forEach(item -> groups.computeIfAbsent(Values.hashable(key.apply(item)), _ -> new ArrayList<>())
                .add(item));
        var result = new ArrayList<Object>();
        groups.values()
                .forEach(group ->
                        result.add(new Seq(Seq.Kind.GROUP, List.of(value.apply(group.getFirst()), Seq.list(group)))));
        return Seq.list(result);
    }

    private static Object mappingItems(Object input) {
        return switch (input) {
            case Dict dict -> new Generator(() -> Attributes.items(dict));
            case Undefined _ -> new Generator(List::of);
            default ->
                new Generator(() -> {
                    throw TemplateException.value("items needs a mapping, not '%s'".formatted(Values.typeName(input)));
                });
        };
    }

    private Text join(Object input, Arguments.Bound bound) {
        var value = attribute(bound.or(1, None.NONE));
        Text separator = printer.str(bound.or(0, Text.EMPTY));
        var out = new TextBuilder(budget);
        boolean further = false;
        for (var rest = Values.iterator(input); rest.hasNext(); further = true) {
            out.append(further ? separator : Text.EMPTY).append(printer.str(value.apply(rest.next())));
        }
        return out.build();
    }

    private Object last(Object input) {
        if (input instanceof Generator
                || !(input instanceof Seq
                        || input instanceof Dict
                        || input instanceof Text
                        || input instanceof Undefined)) {
            throw TemplateException.value("'%s' has no last item".formatted(Values.typeName(input)));
        }
        var items = items(input);
        return items.isEmpty() ? new Undefined("there is no last item, the sequence was empty") : items.getLast();
    }

    private Object map(Object input, Arguments arguments) {
        return new Generator(() -> {
            var mapped = new ArrayList<Object>();
            if (Values.truth(input)) {
                var function = mapping(arguments);
                for (Object item : items(input)) {
                    budget.enter();
                    mapped.add(function.apply(item));
                    budget.leave();
                }
            }
            return mapped;
        });
    }

    private UnaryOperator<Object> mapping(Arguments arguments) {
        if (arguments.positional().isEmpty() && arguments.named().containsKey("attribute")) {
            var bound = new Arguments(List.of(), arguments.named()).bind("map", "attribute", "default");
            return attribute(bound.required(0), bound.or(1, None.NONE));
        }
        if (arguments.positional().isEmpty()) {
            throw TemplateException.value("map needs the name of a filter");
        }
        String name = printer.str(arguments.positional().getFirst()).value();
        if (!exists(name)) {
            throw TemplateException.value("no filter named '%s'".formatted(name));
        }
        return item -> apply(name, item, arguments.from(1));
    }

    /** The test that arguments name first; truth where they name none. */
    private Predicate<Object> test(Arguments arguments) {
        if (arguments.positional().isEmpty()) {
            return Values::truth;
        }
        String name = printer.str(arguments.positional().getFirst()).value();
        if (!Tests.exists(name)) {
            throw TemplateException.value("no test named '%s'".formatted(name));
        }
        return item -> tests.test(name, item, arguments.from(1));
    }

    private Generator chosen(Object input, Supplier<Predicate<Object>> tests, boolean wanted) {
        return new Generator(() -> {
            var chosen = new ArrayList<Object>();
            if (Values.truth(input)) {
                var test = tests.get();
                for (Object item : items(input)) {
                    if (test.test(item) == wanted) {
                        chosen.add(item);
                    }
                }
            }
            return chosen;
        });
    }

    private Generator chosenByAttribute(Object input, Arguments arguments, boolean wanted) {
        return chosen(
                input,
                () -> {
                    if (arguments.positional().isEmpty()) {
                        throw TemplateException.value("selectattr and rejectattr need the name of an attribute");
                    }
                    var attribute = attribute(arguments.positional().getFirst());
                    var test = test(arguments.from(1));
                    return item -> test.test(attribute.apply(item));
                },
                wanted);
    }

    private Object reverse(Object input) {
        if (input instanceof Text text) {
            return Slices.slice(text, None.NONE, None.NONE, -1L, budget);
        }
        List<Object> reversed = new ArrayList<>(items(input)).reversed();
        return new Generator(() -> reversed);
    }

    private Object sort(List<Object> items, Arguments.Bound bound) {
        boolean exact = bound.truth(1, false);
        List<UnaryOperator<Object>> keys = new ArrayList<>();
        if (bound.or(2, None.NONE) instanceof Text paths) {
            for (String path : paths.value().split(",", -1)) {
                keys.add(attribute(Text.own(path)));
            }
        } else {
            keys.add(attribute(bound.or(2, None.NONE)));
        }
        Comparator<Object> order = Comparator.comparing(
                item -> Seq.list(keys.stream()
                        .map(key -> exact ? key.apply(item) : foldedCase(key.apply(item)))
                        .toList()),
                order());
        var sorted = new ArrayList<>(items);
        sorted.sort(bound.truth(0, false) ? order.reversed() : order);
        return Seq.list(sorted);
    }

    private Object sum(List<Object> items, Arguments.Bound bound) {
        var value = attribute(bound.or(0, None.NONE));
        Object sum = bound.or(1, 0L);
        for (Object item : items) {
            sum = operators.binary("+", sum, value.apply(item));
        }
        return sum;
    }

    private Object unique(Object input, Arguments.Bound bound) {
        return new Generator(() -> {
            var key = key(bound, 0, 1);
            var seen = new HashSet<>();
            var unique = new ArrayList<Object>();
            for (Object item : items(input)) {
                if (seen.add(Values.hashable(key.apply(item)))) {
                    unique.add(item);
                }
            }
            return unique;
        });
    }

    private Object extreme(List<Object> items, Arguments.Bound bound, int direction) {
        if (items.isEmpty()) {
            return new Undefined("there is no least or greatest item, the sequence was empty");
        }
        var key = key(bound, 0, 1);
        Object best = items.getFirst();
        for (Object item : items) {
            if (direction * order().compare(key.apply(item), key.apply(best)) > 0) {
                best = item;
            }
        }
        return best;
    }
}
