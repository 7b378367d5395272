package dev.kvasir.model.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** Python's operators. */
final class Operators {
    private static final int INTEGER_BITS_MAX = 1 << 14;

    private final Budget budget;
    private final PercentFormat format;

    Operators(Budget budget, PercentFormat format) {
        this.budget = budget;
        this.format = format;
    }

    Object binary(String operator, Object left, Object right) {
        if (left instanceof Undefined undefined) {
            throw undefined.error();
        }
        if (operator.equals("%") && left instanceof Text text) {
            return format.format(text, right);
        }
        if (right instanceof Undefined undefined) {
            throw undefined.error();
        }
        if (Values.isNumber(left) && Values.isNumber(right)) {
            return arithmetic(operator, left, right);
        }
        if (operator.equals("+")) {
            return concatenation(left, right);
        }
        if (operator.equals("*") && Values.isInteger(right)) {
            return repetition(left, Values.smallInteger(right, "a count"));
        }
        if (operator.equals("*") && Values.isInteger(left)) {
            return repetition(right, Values.smallInteger(left, "a count"));
        }
        throw unsupported(operator, left, right);
    }

    Object negated(Object value) {
        return switch (value) {
            case Double number -> -number;
            case Undefined undefined -> throw undefined.error();
            default -> Values.integer(big(value, "-").negate());
        };
    }

    Object positive(Object value) {
        return switch (value) {
            case Double number -> number;
            case Undefined undefined -> throw undefined.error();
            default -> Values.integer(big(value, "+"));
        };
    }

    private Object concatenation(Object left, Object right) {
        if (left instanceof Text a && right instanceof Text b) {
            return new TextBuilder(budget).append(a).append(b).build();
        }
        if (left instanceof Seq a && right instanceof Seq b && a.kind() == b.kind() && a.kind() != Seq.Kind.RANGE) {
            budget.spend(a.items().size() + (long) b.items().size());
            var items = new ArrayList<>(a.items());
            items.addAll(b.items());
            return new Seq(a.kind(), items);
        }
        throw unsupported("+", left, right);
    }

    private Object repetition(Object value, int times) {
        int count = Math.max(times, 0);
        if (value instanceof Text text) {
            budget.checkLength((long) count * text.value().length());
            var out = new TextBuilder(budget);
            for (int i = 0; i < count && !text.isEmpty(); i++) {
                out.append(text);
            }
            return out.build();
        }
        if (value instanceof Seq seq && seq.indexed()) {
            budget.spend((long) count * seq.items().size());
            var items = new ArrayList<Object>();
            for (int i = 0; i < count && !seq.items().isEmpty(); i++) {
                items.addAll(seq.items());
            }
            return new Seq(seq.kind(), items);
        }
        throw unsupported("*", value, (long) times);
    }

    private static TemplateException unsupported(String operator, Object left, Object right) {
        return TemplateException.value("unsupported operands for %s: '%s' and '%s'"
                .formatted(operator, Values.typeName(left), Values.typeName(right)));
    }

    private static Object arithmetic(String operator, Object left, Object right) {
        if (left instanceof Double || right instanceof Double || operator.equals("/")) {
            return floating(operator, number(left), number(right));
        }
        if (left instanceof Long a && right instanceof Long b) {
            switch (operator) {
                case "+" -> {
                    long sum = a + b;
                    if (((a ^ sum) & (b ^ sum)) >= 0) {
                        return sum;
                    }
                }
                case "-" -> {
                    long difference = a - b;
                    if (((a ^ b) & (a ^ difference)) >= 0) {
                        return difference;
                    }
                }
                default -> {
                    // The general way below.
                }
            }
        }
        return integral(operator, big(left, operator), big(right, operator));
    }

    private static Object integral(String operator, BigInteger a, BigInteger b) {
        if (b.signum() == 0 && (operator.equals("//") || operator.equals("%"))) {
            throw TemplateException.value("integer division by zero");
        }
        return switch (operator) {
            case "+" -> bounded(a.add(b));
            case "-" -> bounded(a.subtract(b));
            case "*" -> bounded(a.multiply(b));
            case "//" -> {
                BigInteger[] parts = a.divideAndRemainder(b);
                boolean down = parts[1].signum() != 0 && parts[1].signum() != b.signum();
                yield Values.integer(down ? parts[0].subtract(BigInteger.ONE) : parts[0]);
            }
            case "%" -> {
                BigInteger rest = a.mod(b.abs());
                yield Values.integer(b.signum() < 0 && rest.signum() != 0 ? rest.add(b) : rest);
            }
            default -> power(a, b);
        };
    }

    private static Object power(BigInteger a, BigInteger b) {
        if (b.signum() < 0) {
            return floating("**", a.doubleValue(), b.doubleValue());
        }
        if (b.bitLength() > 31 || (long) a.bitLength() * b.intValue() > INTEGER_BITS_MAX) {
            throw TemplateException.limit("an integer grew beyond %d bits".formatted(INTEGER_BITS_MAX));
        }
        return Values.integer(a.pow(b.intValue()));
    }

    private static Object bounded(BigInteger value) {
        if (value.bitLength() > INTEGER_BITS_MAX) {
            throw TemplateException.limit("an integer grew beyond %d bits".formatted(INTEGER_BITS_MAX));
        }
        return Values.integer(value);
    }

    private static double floating(String operator, double a, double b) {
        if (b == 0 && (operator.equals("/") || operator.equals("//") || operator.equals("%"))) {
            throw TemplateException.value("division by zero");
        }
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> a / b;
            case "//" -> floorDivision(a, b);
            case "%" -> modulo(a, b);
            default -> {
                if (a == 0 && b < 0) {
                    throw TemplateException.value("zero to a negative power");
                }
                yield Math.pow(a, b);
            }
        };
    }

    private static double modulo(double a, double b) {
        double rest = a % b;
        if (rest == 0) {
            return Math.copySign(0.0, b);
        }
        return (rest < 0) == (b < 0) ? rest : rest + b;
    }

    private static double floorDivision(double a, double b) {
        double quotient = (a - modulo(a, b)) / b;
        double floor = Math.floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }

    static double number(Object value) {
        return switch (value) {
            case Boolean truth -> truth ? 1 : 0;
            case Number number -> number.doubleValue();
            default -> throw TemplateException.value("'%s' is no number".formatted(Values.typeName(value)));
        };
    }

    private static BigInteger big(Object value, String operator) {
        return switch (value) {
            case Boolean truth -> truth ? BigInteger.ONE : BigInteger.ZERO;
            case Long number -> BigInteger.valueOf(number);
            case BigInteger number -> number;
            default ->
                throw TemplateException.value(
                        "unsupported operand for %s: '%s'".formatted(operator, Values.typeName(value)));
        };
    }

    static boolean equal(Object left, Object right) {
        if (Values.isNumber(left) && Values.isNumber(right)) {
            return compareNumbers(left, right) == 0;
        }
        if (left instanceof Seq a && right instanceof Seq b) {
            return a.kind() == b.kind() && equalItems(a.items(), b.items());
        }
        if (left instanceof Dict a && right instanceof Dict b) {
            return a.entries().size() == b.entries().size()
                    && a.entries().entrySet().stream().allMatch(entry -> {
                        Object other = b.entries().get(entry.getKey());
                        return other != null && equal(entry.getValue(), other);
                    });
        }
        return left.equals(right);
    }

    private static boolean equalItems(List<Object> left, List<Object> right) {
        if (left.size() != right.size()) {
            return false;
        }
        for (int i = 0; i < left.size(); i++) {
            if (!equal(left.get(i), right.get(i))) {
                return false;
            }
        }
        return true;
    }

    boolean compare(String operator, Object left, Object right) {
        return switch (operator) {
            case "==" -> equal(left, right);
            case "!=" -> !equal(left, right);
            case "in" -> Values.contains(right, left);
            case "not in" -> !Values.contains(right, left);
            case "<" -> !unordered(left, right) && order(left, right, operator) < 0;
            case "<=" -> !unordered(left, right) && order(left, right, operator) <= 0;
            case ">" -> !unordered(left, right) && order(left, right, operator) > 0;
            default -> !unordered(left, right) && order(left, right, operator) >= 0;
        };
    }

    private static boolean unordered(Object left, Object right) {
        return (left instanceof Double a && a.isNaN()) || (right instanceof Double b && b.isNaN());
    }

    /** The order of two values, where Python has one. */
    static int order(Object left, Object right, String operator) {
        if (Values.isNumber(left) && Values.isNumber(right)) {
            return compareNumbers(left, right);
        }
        if (left instanceof Text a && right instanceof Text b) {
            return a.compareTo(b);
        }
        if (left instanceof Seq a && right instanceof Seq b && a.kind() == b.kind() && a.indexed()) {
            Iterator<Object> others = b.items().iterator();
            for (Object item : a.items()) {
                if (!others.hasNext()) {
                    return 1;
                }
                Object other = others.next();
                if (!equal(item, other)) {
                    return order(item, other, operator);
                }
            }
            return others.hasNext() ? -1 : 0;
        }
        if (left instanceof Undefined undefined) {
            throw undefined.error();
        }
        if (right instanceof Undefined undefined) {
            throw undefined.error();
        }
        throw TemplateException.value(
                "'%s' does not order '%s' and '%s'".formatted(operator, Values.typeName(left), Values.typeName(right)));
    }

    private static int compareNumbers(Object left, Object right) {
        if (left instanceof Long a && right instanceof Long b) {
            return Long.compare(a, b);
        }
        if (left instanceof Double || right instanceof Double) {
            double a = number(left);
            double b = number(right);
            if (Double.isNaN(a) || Double.isNaN(b)) {
                return 1;
            }
            if (Double.isInfinite(a) || Double.isInfinite(b)) {
                return a == b ? 0 : Double.compare(a, b);
            }
            return exact(left).compareTo(exact(right));
        }
        return big(left, "<").compareTo(big(right, "<"));
    }

    private static BigDecimal exact(Object value) {
        return value instanceof Double number ? new BigDecimal(number) : new BigDecimal(big(value, "<"));
    }
}
