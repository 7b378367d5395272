package dev.kvasir.model.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Evaluates expressions. */
final class Evaluator {
    private final Budget budget;
    private final Printer printer;
    private final Operators operators;
    private final Attributes attributes;
    private final Filters filters;
    private final Tests tests;

    Evaluator(Budget budget, Printer printer) {
        this.budget = budget;
        this.printer = printer;
        var format = new PercentFormat(budget, printer);
        var textMethods = new TextMethods(budget, printer);
        this.operators = new Operators(budget, format);
        this.attributes = new Attributes(budget, textMethods);
        this.tests = new Tests(printer, operators);
        this.filters = new Filters(
                budget, printer, operators, attributes, new TextFilters(budget, printer, textMethods, format), tests);
    }

    Object value(Expression expression, Scope scope) {
        budget.enter();
        try {
            Object value = evaluate(expression, scope);
            budget.leave();
            return value;
        } catch (TemplateException e) {
            throw e.at(expression.line());
        }
    }

    private Object evaluate(Expression expression, Scope scope) {
        return switch (expression) {
            case Expression.Constant constant -> constant.value();
            case Expression.Name name -> {
                Object value = scope.find(name.name());
                yield value != null ? value : Undefined.name(name.name());
            }
            case Expression.ListOf list -> Seq.list(values(list.items(), scope));
            case Expression.TupleOf tuple -> new Seq(Seq.Kind.TUPLE, values(tuple.items(), scope));
            case Expression.DictOf dict -> dict(dict, scope);
            case Expression.Unary unary -> unary(unary, scope);
            case Expression.Binary binary -> binary(binary, scope);
            case Expression.Compare compare -> compare(compare, scope);
            case Expression.Concat concat -> {
                var out = new TextBuilder(budget);
                values(concat.parts(), scope).forEach(part -> out.append(printer.str(part)));
                yield out.build();
            }
            case Expression.Conditional choice -> conditional(choice, scope);
            case Expression.Attribute attribute -> attributes.attribute(value(attribute.of(), scope), attribute.name());
            case Expression.Item item -> attributes.item(value(item.of(), scope), value(item.key(), scope));
            case Expression.Slice slice ->
                Slices.slice(
                        value(slice.of(), scope),
                        optional(slice.start(), scope),
                        optional(slice.stop(), scope),
                        optional(slice.step(), scope),
                        budget);
            case Expression.Filtered filtered -> {
                Expression input = filtered.input();
                if (input == null) {
                    throw TemplateException.value("a filter has no input");
                }
                yield filters.apply(filtered.name(), value(input, scope), arguments(filtered.given(), scope));
            }
            case Expression.Tested tested ->
                tests.test(tested.name(), value(tested.input(), scope), arguments(tested.given(), scope));
            case Expression.Call call -> call(value(call.callee(), scope), arguments(call.given(), scope));
        };
    }

    /** A chain of filters, applied to the text of a block. */
    Object filtered(Expression.Filtered chain, Text text, Scope scope) {
        Object input = chain.input() instanceof Expression.Filtered before ? filtered(before, text, scope) : text;
        return filters.apply(chain.name(), input, arguments(chain.given(), scope));
    }

    Object call(Object callee, Arguments arguments) {
        return switch (callee) {
            case Undefined undefined -> throw undefined.error();
            case Loop loop -> recursion(loop).call(arguments);
            case Function function -> function.call(arguments);
            default -> throw TemplateException.value("'%s' cannot be called".formatted(Values.typeName(callee)));
        };
    }

    private static Function recursion(Loop loop) {
        Function recursion = loop.recursion();
        if (recursion == null) {
            throw TemplateException.value("only a loop marked 'recursive' can be called");
        }
        return recursion;
    }

    Arguments arguments(Expression.Call.Given given, Scope scope) {
        if (given.isNothing()) {
            return Arguments.NONE;
        }
        var positional = values(given.positional(), scope);
        var named = new LinkedHashMap<String, Object>();
        for (int i = 0; i < given.names().size(); i++) {
            named.put(given.names().get(i), value(given.named().get(i), scope));
        }
        if (given.star() != null) {
            positional.addAll(Values.list(value(given.star(), scope)));
        }
        if (given.doubleStar() != null) {
            if (!(value(given.doubleStar(), scope) instanceof Dict dict)) {
                throw TemplateException.value("what follows ** must be a mapping");
            }
            dict.entries().forEach((key, value) -> named.put(key.toString(), value));
        }
        return new Arguments(positional, named);
    }

    private Object optional(@Nullable Expression expression, Scope scope) {
        return expression == null ? None.NONE : value(expression, scope);
    }

    private List<Object> values(List<Expression> expressions, Scope scope) {
        var values = new ArrayList<Object>(expressions.size());
        for (Expression expression : expressions) {
            values.add(value(expression, scope));
        }
        return values;
    }

    private Dict dict(Expression.DictOf written, Scope scope) {
        var dict = new Dict();
        for (int i = 0; i < written.keys().size(); i++) {
            Object key = Values.hashable(value(written.keys().get(i), scope));
            dict.entries().put(key, value(written.values().get(i), scope));
        }
        return dict;
    }

    private Object unary(Expression.Unary unary, Scope scope) {
        Object operand = value(unary.operand(), scope);
        return switch (unary.operator()) {
            case "not" -> !Values.truth(operand);
            case "-" -> operators.negated(operand);
            default -> operators.positive(operand);
        };
    }

    private Object binary(Expression.Binary binary, Scope scope) {
        Object left = value(binary.left(), scope);
        return switch (binary.operator()) {
            case "and" -> Values.truth(left) ? value(binary.right(), scope) : left;
            case "or" -> Values.truth(left) ? left : value(binary.right(), scope);
            default -> operators.binary(binary.operator(), left, value(binary.right(), scope));
        };
    }

    private Object compare(Expression.Compare compare, Scope scope) {
        Object left = value(compare.first(), scope);
        for (int i = 0; i < compare.operators().size(); i++) {
            Object right = value(compare.operands().get(i), scope);
            if (!operators.compare(compare.operators().get(i), left, right)) {
                return false;
            }
            left = right;
        }
        return true;
    }

    private Object conditional(Expression.Conditional choice, Scope scope) {
        if (Values.truth(value(choice.test(), scope))) {
            return value(choice.then(), scope);
        }
        Expression otherwise = choice.otherwise();
        return otherwise == null ? new Undefined("an inline if was false and has no else") : value(otherwise, scope);
    }
}
