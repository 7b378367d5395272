package dev.kvasir.model.jinja;

import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The {@code loop} variable. */
final class Loop {
    private final List<Object> items;
    private final int depth;
    private final @Nullable Function recursion;
    private int index = -1;
    private @Nullable List<Object> lastChanged;

    /** @param recursion renders the loop's body over other items, for a recursive loop */
    Loop(List<Object> items, int depth, @Nullable Function recursion) {
        this.items = items;
        this.depth = depth;
        this.recursion = recursion;
    }

    boolean advance() {
        return ++index < items.size();
    }

    Object item() {
        return items.get(index);
    }

    int length() {
        return items.size();
    }

    int depth() {
        return depth;
    }

    @Nullable
    Function recursion() {
        return recursion;
    }

    /** The items after the current one, which using them skips. */
    Iterator<Object> rest() {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return index + 1 < items.size();
            }

            @Override
            public Object next() {
                return items.get(++index);
            }
        };
    }

    Object attribute(String name) {
        int size = items.size();
        return switch (name) {
            case "index" -> index + 1L;
            case "index0" -> (long) index;
            case "revindex" -> (long) size - index;
            case "revindex0" -> size - index - 1L;
            case "first" -> index == 0;
            case "last" -> index == size - 1;
            case "length" -> (long) size;
            case "depth" -> depth + 1L;
            case "depth0" -> (long) depth;
            case "previtem" -> index > 0 ? items.get(index - 1) : new Undefined("there is no previous item");
            case "nextitem" -> index + 1 < size ? items.get(index + 1) : new Undefined("there is no next item");
            case "cycle" -> (Function) this::cycle;
            case "changed" -> (Function) this::changed;
            default -> Undefined.attribute(this, name);
        };
    }

    private Object cycle(Arguments arguments) {
        if (arguments.positional().isEmpty()) {
            throw TemplateException.value("loop.cycle has no items");
        }
        return arguments.positional().get(index % arguments.positional().size());
    }

    private Object changed(Arguments arguments) {
        boolean changed =
                lastChanged == null || !Operators.equal(Seq.list(lastChanged), Seq.list(arguments.positional()));
        lastChanged = arguments.positional();
        return changed;
    }
}
