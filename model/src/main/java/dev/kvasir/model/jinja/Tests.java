package dev.kvasir.model.jinja;

import java.math.BigInteger;
import java.util.Set;

/** Jinja's tests. */
final class Tests {
    private static final Set<String> NAMES = Set.of(
            "boolean",
            "callable",
            "defined",
            "divisibleby",
            "eq",
            "==",
            "equalto",
            "escaped",
            "even",
            "false",
            "filter",
            "float",
            "ge",
            ">=",
            "gt",
            ">",
            "greaterthan",
            "in",
            "integer",
            "iterable",
            "le",
            "<=",
            "lower",
            "lt",
            "<",
            "lessthan",
            "mapping",
            "ne",
            "!=",
            "none",
            "number",
            "odd",
            "sameas",
            "sequence",
            "string",
            "test",
            "true",
            "undefined",
            "upper");

    private static final Set<String> WITH_ARGUMENT = Set.of(
            "divisibleby",
            "eq",
            "==",
            "equalto",
            "ge",
            ">=",
            "gt",
            ">",
            "greaterthan",
            "in",
            "le",
            "<=",
            "lt",
            "<",
            "lessthan",
            "ne",
            "!=",
            "sameas");

    private final Printer printer;
    private final Operators operators;

    Tests(Printer printer, Operators operators) {
        this.printer = printer;
        this.operators = operators;
    }

    static boolean exists(String name) {
        return NAMES.contains(name);
    }

    boolean test(String name, Object value, Arguments arguments) {
        if (!WITH_ARGUMENT.contains(name)) {
            arguments.bind(name);
        }
        return switch (name) {
            case "boolean" -> value instanceof Boolean;
            case "callable" -> value instanceof Function || value instanceof Undefined;
            case "defined" -> !(value instanceof Undefined);
            case "divisibleby" -> divisible(value, arguments.bind(name, "num").required(0));
            case "eq", "==", "equalto" -> operators.compare("==", value, other(name, arguments));
            case "ne", "!=" -> operators.compare("!=", value, other(name, arguments));
            case "ge", ">=" -> operators.compare(">=", value, other(name, arguments));
            case "gt", ">", "greaterthan" -> operators.compare(">", value, other(name, arguments));
            case "le", "<=" -> operators.compare("<=", value, other(name, arguments));
            case "lt", "<", "lessthan" -> operators.compare("<", value, other(name, arguments));
            case "in" -> Values.contains(other(name, arguments), value);
            case "escaped" -> false;
            case "even" -> divisible(value, 2L);
            case "odd" -> Operators.equal(operators.binary("%", value, 2L), 1L);
            case "false" -> value.equals(false);
            case "true" -> value.equals(true);
            case "filter" -> value instanceof Text text && Filters.exists(text.value());
            case "test" -> value instanceof Text text && exists(text.value());
            case "float" -> value instanceof Double;
            case "integer" -> value instanceof Long || value instanceof BigInteger;
            case "iterable" -> iterable(value);
            case "mapping" -> value instanceof Dict;
            case "none" -> value == None.NONE;
            case "number" -> Values.isNumber(value);
            case "sameas" -> same(value, other(name, arguments));
            case "sequence" ->
                value instanceof Text
                        || value instanceof Dict
                        || value instanceof Undefined
                        || (value instanceof Seq seq && seq.indexed());
            case "string" -> value instanceof Text;
            case "undefined" -> value instanceof Undefined;
            case "lower" ->
                TextMethods.cased(printer.str(value).value(), Character::isLowerCase, Character::isUpperCase);
            case "upper" ->
                TextMethods.cased(printer.str(value).value(), Character::isUpperCase, Character::isLowerCase);
            default -> throw TemplateException.value("no test named '%s'".formatted(name));
        };
    }

    private static Object other(String name, Arguments arguments) {
        return arguments.bind(name, "other").required(0);
    }

    private boolean divisible(Object value, Object by) {
        return Operators.equal(operators.binary("%", value, by), 0L);
    }

    private static boolean iterable(Object value) {
        return value instanceof Text
                || value instanceof Seq
                || value instanceof Dict
                || value instanceof Generator
                || value instanceof Undefined
                || value instanceof Loop;
    }

    @SuppressWarnings("ReferenceEquality") // As Python's "is".
    private static boolean same(Object left, Object right) {
        return left == right
                || ((left instanceof Boolean || left instanceof Long || left instanceof Text) && left.equals(right));
    }
}
