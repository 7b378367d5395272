package dev.kvasir.model.jinja;

import java.util.ArrayList;
import java.util.Arrays;

/** Python's slices of strings, lists and tuples. */
final class Slices {
    private Slices() {}

    static Object slice(Object of, Object start, Object stop, Object step, Budget budget) {
        int stride = step == None.NONE ? 1 : Values.smallInteger(step, "a slice step");
        if (stride == 0) {
            throw TemplateException.value("a slice step cannot be zero");
        }
        return switch (of) {
            case Text text -> {
                yield text(text, start, stop, stride, budget);
            }
            case Seq seq
            when seq.indexed() -> {
                var items = new ArrayList<Object>();
                for (int i : indices(seq.items().size(), start, stop, stride)) {
                    items.add(seq.items().get(i));
                }
                budget.spend(items.size());
                yield new Seq(seq.kind(), items);
            }
            case Undefined undefined -> throw undefined.error();
            default -> throw TemplateException.value("'%s' cannot be sliced".formatted(Values.typeName(of)));
        };
    }

    private static Text text(Text text, Object start, Object stop, int stride, Budget budget) {
        budget.spendFor(text.value().length());
        int[] indices = indices(text.length(), start, stop, stride);
        if (indices.length == 0) {
            return Text.EMPTY;
        }
        if (stride == 1) {
            return text.points(indices[0], indices[indices.length - 1] + 1);
        }
        int[] places = new int[text.length() + 1];
        for (int i = 1; i < places.length; i++) {
            places[i] = text.value().offsetByCodePoints(places[i - 1], 1);
        }
        var out = new TextBuilder(budget);
        for (int i : indices) {
            out.append(text, places[i], places[i + 1]);
        }
        return out.build();
    }

    /** The positions that a slice takes. */
    private static int[] indices(int length, Object start, Object stop, int stride) {
        int from = bound(start, length, stride, stride > 0 ? 0 : length - 1);
        int to = bound(stop, length, stride, stride > 0 ? length : -1);
        int[] indices = new int[length];
        int count = 0;
        for (long i = from; stride > 0 ? i < to : i > to; i += stride) {
            indices[count++] = (int) i;
        }
        return Arrays.copyOf(indices, count);
    }

    private static int bound(Object given, int length, int stride, int otherwise) {
        if (given == None.NONE) {
            return otherwise;
        }
        long place = Values.smallInteger(given, "a slice bound");
        place = place < 0 ? place + length : place;
        return stride > 0 ? Math.clamp(place, 0, length) : Math.clamp(place, -1, length - 1);
    }
}
