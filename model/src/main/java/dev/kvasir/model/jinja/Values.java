package dev.kvasir.model.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The values of templates: {@link None}, {@link Undefined}, Boolean, Long, BigInteger (beyond Long only), Double, {@link
 * Text}, {@link Seq}, {@link Dict}, {@link Generator}, {@link Namespace}, {@link Loop}, {@link Function}. No Java object
 * but these is ever reached.
 */
final class Values {
    private static final BigInteger LONG_MIN = BigInteger.valueOf(Long.MIN_VALUE);
    private static final BigInteger LONG_MAX = BigInteger.valueOf(Long.MAX_VALUE);
    private static final int GIVEN_DEPTH_MAX = 100;

    private Values() {}

    /** A JSON-like Java value as a template's; its strings count as given unless they are {@link Text} already. */
    static Object of(@Nullable Object json) {
        return of(json, 0);
    }

    private static Object of(@Nullable Object json, int depth) {
        if (depth > GIVEN_DEPTH_MAX) {
            throw TemplateException.limit("a value is nested deeper than %d".formatted(GIVEN_DEPTH_MAX));
        }
        return switch (json) {
            case null -> None.NONE;
            case String string -> Text.given(string);
            case Text text -> text;
            case Boolean truth -> truth;
            case Integer number -> (long) number;
            case Long number -> number;
            case BigInteger number -> integer(number);
            case Double number -> number;
            case Float number -> (double) number;
            case BigDecimal number -> number.doubleValue();
            case Map<?, ?> map -> {
                var entries = new LinkedHashMap<Object, Object>();
                map.forEach((key, value) -> entries.put(of(key, depth + 1), of(value, depth + 1)));
                yield new Dict(entries);
            }
            case Iterable<?> list -> {
                var items = new ArrayList<Object>();
                list.forEach(item -> items.add(of(item, depth + 1)));
                yield Seq.list(items);
            }
            default -> throw new IllegalArgumentException("a template has no use for a " + json.getClass());
        };
    }

    static Object integer(BigInteger value) {
        return value.compareTo(LONG_MIN) >= 0 && value.compareTo(LONG_MAX) <= 0 ? (Object) value.longValue() : value;
    }

    static boolean truth(Object value) {
        return switch (value) {
            case None _, Undefined _ -> false;
            case Boolean truth -> truth;
            case Long number -> number != 0;
            case Double number -> number != 0;
            case Text text -> !text.isEmpty();
            case Seq seq -> !seq.items().isEmpty();
            case Dict dict -> !dict.entries().isEmpty();
            default -> true;
        };
    }

    static boolean isInteger(Object value) {
        return value instanceof Long || value instanceof BigInteger || value instanceof Boolean;
    }

    static boolean isNumber(Object value) {
        return isInteger(value) || value instanceof Double;
    }

    /** An integer for a count or a position; beyond the range of int it is the nearest of it. */
    static int smallInteger(Object value, String what) {
        return switch (value) {
            case Boolean truth -> truth ? 1 : 0;
            case Long number -> Math.clamp(number, Integer.MIN_VALUE, Integer.MAX_VALUE);
            case BigInteger number -> number.signum() < 0 ? Integer.MIN_VALUE : Integer.MAX_VALUE;
            case Undefined undefined -> throw undefined.error();
            default -> throw TemplateException.value("%s must be an integer, not %s".formatted(what, typeName(value)));
        };
    }

    static String typeName(Object value) {
        return switch (value) {
            case None _ -> "None";
            case Undefined _ -> "Undefined";
            case Boolean _ -> "bool";
            case Long _ -> "int";
            case BigInteger _ -> "int";
            case Double _ -> "float";
            case Text _ -> "str object";
            case Seq seq -> seq.kind().python() + " object";
            case Dict _ -> "dict object";
            case Generator _ -> "generator";
            case Namespace _ -> "namespace object";
            case Loop _ -> "loop object";
            default -> "function";
        };
    }

    /** The elements, as a loop sees them. */
    static Iterator<Object> iterator(Object value) {
        return switch (value) {
            case Seq seq -> seq.items().iterator();
            case Dict dict -> dict.entries().keySet().iterator();
            case Generator generator -> generator.rest();
            case Text text -> characters(text).iterator();
            case Undefined _ -> List.of().iterator();
            case Loop loop -> loop.rest();
            default -> throw TemplateException.value("'%s' is not iterable".formatted(typeName(value)));
        };
    }

    static List<Object> list(Object value) {
        if (value instanceof Seq seq) {
            return seq.items();
        }
        var items = new ArrayList<Object>();
        iterator(value).forEachRemaining(items::add);
        return items;
    }

    private static List<Object> characters(Text text) {
        var characters = new ArrayList<Object>(text.value().length());
        for (int i = 0; i < text.value().length(); ) {
            int next = i + Character.charCount(text.value().codePointAt(i));
            characters.add(text.chars(i, next));
            i = next;
        }
        return characters;
    }

    /** {@code len}. */
    static long length(Object value) {
        return switch (value) {
            case Text text -> text.length();
            case Seq seq -> seq.items().size();
            case Dict dict -> dict.entries().size();
            case Undefined _ -> 0;
            case Loop loop -> loop.length();
            default -> throw TemplateException.value("'%s' has no length".formatted(typeName(value)));
        };
    }

    /** {@code value in container}. */
    static boolean contains(Object container, Object value) {
        return switch (container) {
            case Text text -> {
                if (!(value instanceof Text part)) {
                    throw TemplateException.value(
                            "only a string can be in a string, not '%s'".formatted(typeName(value)));
                }
                yield text.value().contains(part.value());
            }
            case Dict dict -> dict.entries().containsKey(hashable(value));
            default -> {
                for (var items = iterator(container); items.hasNext(); ) {
                    if (Operators.equal(items.next(), value)) {
                        yield true;
                    }
                }
                yield false;
            }
        };
    }

    /** A value as the key of a dict: numbers that are equal are one key. */
    static Object hashable(Object value) {
        return switch (value) {
            case Dict _ -> throw TemplateException.value("unhashable type: 'dict'");
            case Seq seq when seq.kind() == Seq.Kind.LIST -> throw TemplateException.value("unhashable type: 'list'");
            case Boolean truth -> truth ? 1L : 0L;
            case Double number when number == Math.rint(number) && Math.abs(number) < 1e15 -> number.longValue();
            default -> value;
        };
    }
}
