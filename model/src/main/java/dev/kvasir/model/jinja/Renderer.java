package dev.kvasir.model.jinja;

import dev.kvasir.model.jinja.Statement.Target;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** One rendering of a template: runs its statements. Expressions are the {@link Evaluator}'s. */
final class Renderer {
    private final Budget budget;
    private final Printer printer;
    private final Evaluator evaluator;
    private TextBuilder out;

    Renderer(Budget budget, Supplier<LocalDateTime> now, Scope globals) {
        this.budget = budget;
        this.printer = new Printer(budget);
        this.evaluator = new Evaluator(budget, printer);
        this.out = new TextBuilder(budget);
        new Globals(budget, printer, now).define(globals);
    }

    Text render(List<Statement> template, Scope scope) {
        run(template, scope);
        return out.build();
    }

    /** How a statement ends. */
    private enum Flow {
        ON,
        BREAK,
        CONTINUE
    }

    private Flow run(List<Statement> statements, Scope scope) {
        for (Statement statement : statements) {
            Flow flow;
            budget.enter();
            try {
                flow = run(statement, scope);
            } catch (TemplateException e) {
                throw e.at(statement.line());
            }
            budget.leave();
            if (flow != Flow.ON) {
                return flow;
            }
        }
        return Flow.ON;
    }

    private Flow run(Statement statement, Scope scope) {
        return switch (statement) {
            case Statement.Data data -> on(() -> out.append(data.text()));
            case Statement.Print print -> on(() -> out.append(printer.str(evaluator.value(print.value(), scope))));
            case Statement.If test ->
                run(Values.truth(evaluator.value(test.test(), scope)) ? test.then() : test.otherwise(), scope);
            case Statement.For loop -> on(() -> loop(loop, scope));
            case Statement.Set set -> on(() -> assign(set.target(), evaluator.value(set.value(), scope), scope));
            case Statement.SetBlock set ->
                on(() -> {
                    Text text = captured(set.body(), new Scope(scope));
                    Object value = set.filter() == null ? text : evaluator.filtered(set.filter(), text, scope);
                    assign(set.target(), value, scope);
                });
            case Statement.Macro macro ->
                on(() -> scope.set(macro.name(), new Macro(macro.name(), macro.signature(), scope, this)));
            case Statement.CallBlock call -> on(() -> call(call, scope));
            case Statement.FilterBlock filter ->
                on(() -> {
                    Text text = captured(filter.body(), new Scope(scope));
                    out.append(printer.str(evaluator.filtered(filter.filter(), text, scope)));
                });
            case Statement.With with -> on(() -> with(with, scope));
            case Statement.Generation generation -> on(() -> run(generation.body(), new Scope(scope)));
            case Statement.Break _ -> Flow.BREAK;
            case Statement.Continue _ -> Flow.CONTINUE;
        };
    }

    private static Flow on(Runnable effect) {
        effect.run();
        return Flow.ON;
    }

    private Text captured(List<Statement> body, Scope scope) {
        TextBuilder outer = out;
        out = new TextBuilder(budget);
        try {
            run(body, scope);
            return out.build();
        } finally {
            out = outer;
        }
    }

    private void with(Statement.With with, Scope scope) {
        var inner = new Scope(scope);
        for (int i = 0; i < with.targets().size(); i++) {
            assign(with.targets().get(i), evaluator.value(with.values().get(i), scope), inner);
        }
        run(with.body(), inner);
    }

    private void call(Statement.CallBlock block, Scope scope) {
        var caller = new Macro("caller", block.signature(), scope, this);
        Object callee = evaluator.value(block.call().callee(), scope);
        Arguments given = evaluator.arguments(block.call().given(), scope);
        var named = new LinkedHashMap<>(given.named());
        named.put("caller", caller);
        out.append(printer.str(evaluator.call(callee, new Arguments(given.positional(), named))));
    }

    private void loop(Statement.For loop, Scope scope) {
        loop(loop, evaluator.value(loop.items(), scope), scope, 0);
    }

    private void loop(Statement.For statement, Object items, Scope scope, int depth) {
        Function recursion = !statement.recursive()
                ? null
                : arguments -> {
                    Object inner = arguments.bind("loop", "iterable").required(0);
                    TextBuilder outer = out;
                    out = new TextBuilder(budget);
                    budget.enter();
                    try {
                        loop(statement, inner, scope, depth + 1);
                        return out.build();
                    } finally {
                        budget.leave();
                        out = outer;
                    }
                };
        var loop = new Loop(chosen(statement, items, scope), depth, recursion);
        boolean any = false;
        while (loop.advance()) {
            any = true;
            budget.spend(1);
            var inner = new Scope(scope);
            inner.set("loop", loop);
            assign(statement.target(), loop.item(), inner);
            if (run(statement.body(), inner) == Flow.BREAK) {
                break;
            }
        }
        if (!any) {
            run(statement.otherwise(), new Scope(scope));
        }
    }

    private List<Object> chosen(Statement.For statement, Object items, Scope scope) {
        List<Object> all = Values.list(items);
        Expression filter = statement.filter();
        if (filter == null) {
            return all;
        }
        var chosen = new ArrayList<Object>();
        for (Object item : all) {
            var inner = new Scope(scope);
            assign(statement.target(), item, inner);
            if (Values.truth(evaluator.value(filter, inner))) {
                chosen.add(item);
            }
        }
        return chosen;
    }

    private static void assign(Target target, Object value, Scope scope) {
        switch (target) {
            case Target.Variable variable -> scope.set(variable.name(), value);
            case Target.NamespaceAttribute attribute -> {
                if (!(scope.find(attribute.namespace()) instanceof Namespace namespace)) {
                    throw TemplateException.value(
                            "cannot set an attribute of '%s': it is no namespace".formatted(attribute.namespace()));
                }
                namespace.attributes().put(attribute.attribute(), value);
            }
            case Target.Unpacked unpacked -> {
                List<Object> parts = Values.list(value);
                if (parts.size() != unpacked.targets().size()) {
                    throw TemplateException.value("%d values for %d names"
                            .formatted(parts.size(), unpacked.targets().size()));
                }
                for (int i = 0; i < parts.size(); i++) {
                    assign(unpacked.targets().get(i), parts.get(i), scope);
                }
            }
        }
    }

    /** Calls a macro: its text. */
    Text call(Macro macro, Arguments arguments) {
        var scope = new Scope(macro.around());
        Map<String, Object> rest = bind(macro, arguments, scope);
        budget.enter();
        Text text = captured(macro.signature().body(), scope, rest);
        budget.leave();
        return text;
    }

    private Text captured(List<Statement> body, Scope scope, Map<String, Object> rest) {
        if (!rest.isEmpty()) {
            throw TemplateException.value("a macro has no argument '%s'"
                    .formatted(rest.keySet().iterator().next()));
        }
        return captured(body, scope);
    }

    /** Sets the parameters and what else the body takes; returns the named arguments that nothing takes. */
    private Map<String, Object> bind(Macro macro, Arguments arguments, Scope scope) {
        var signature = macro.signature();
        List<String> names = signature.parameters();
        var named = new LinkedHashMap<>(arguments.named());
        int defaultsFrom = names.size() - signature.defaults().size();
        for (int i = 0; i < names.size(); i++) {
            String name = names.get(i);
            Object value =
                    i < arguments.positional().size() ? arguments.positional().get(i) : named.remove(name);
            scope.set(name, value != null ? value : missing(signature, i - defaultsFrom, name, scope));
        }
        extras(macro, arguments, scope);
        if (signature.used().contains("caller")) {
            Object caller = named.remove("caller");
            scope.set("caller", caller != null ? caller : new Undefined("no caller defined"));
        }
        if (signature.used().contains("kwargs")) {
            var kwargs = new Dict();
            named.forEach((key, value) -> kwargs.entries().put(Text.own(key), value));
            scope.set("kwargs", kwargs);
            named.clear();
        }
        return named;
    }

    private Object missing(Statement.Signature signature, int ofDefaults, String name, Scope scope) {
        return ofDefaults >= 0
                ? evaluator.value(signature.defaults().get(ofDefaults), scope)
                : new Undefined("parameter '%s' was not provided".formatted(name));
    }

    private static void extras(Macro macro, Arguments arguments, Scope scope) {
        int known = macro.signature().parameters().size();
        int given = arguments.positional().size();
        if (macro.signature().used().contains("varargs")) {
            scope.set(
                    "varargs", new Seq(Seq.Kind.TUPLE, arguments.positional().subList(Math.min(known, given), given)));
        } else if (given > known) {
            throw TemplateException.value(
                    "macro '%s' takes at most %d arguments, not %d".formatted(macro.name(), known, given));
        }
    }
}
