package dev.kvasir.protocol;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.apache.pekko.actor.ActorPaths;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorRefResolver;

/** Checks of what other members sent; each throws an exception that names field, value and limit. */
final class WireCheck {
    /** Longest text that is not a request's own, such as a failure's message. */
    static final int TEXT_MAX = 4096;

    private WireCheck() {}

    /** An unsigned number of the wire that must fit a non-negative int. */
    static int count(String field, int value) {
        Limits.require(value >= 0, field, Integer.toUnsignedString(value), "at most 2147483647");
        return value;
    }

    static long count(String field, long value) {
        Limits.require(value >= 0, field, Long.toUnsignedString(value), "at most 9223372036854775807");
        return value;
    }

    static String text(String field, String value) {
        Limits.require(
                value.length() <= TEXT_MAX,
                field,
                value.length() + " characters",
                "at most " + TEXT_MAX + " characters");
        return value;
    }

    static RequestId requestId(String value) {
        return new RequestId(value);
    }

    static int[] counts(String field, List<Integer> values) {
        var array = new int[values.size()];
        for (int i = 0; i < array.length; i++) {
            array[i] = count(field, values.get(i));
        }
        return array;
    }

    static <A, B> List<B> list(List<A> from, Function<A, B> mapping) {
        var to = new ArrayList<B>(from.size());
        from.forEach(element -> to.add(mapping.apply(element)));
        return to;
    }

    static <T> ActorRef<T> reference(String path, ActorRefResolver references) {
        text("reply_to", path);
        try {
            ActorPaths.fromString(path);
            return references.resolveActorRef(path);
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) { // Scala throws MalformedURLException without declaring it.
            throw new BadRequestException(
                    "reply_to", "reply_to is %s but must be the path of an actor".formatted(Limits.shorten(path)));
        }
    }
}
