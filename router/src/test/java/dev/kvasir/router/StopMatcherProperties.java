package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

class StopMatcherProperties {
    @Test
    void anyCutGivesWhatTheWholeTextGives() {
        Seeds.of(2000).forEach(seed -> {
            var random = new SplittableRandom(seed);
            var stops = stops(random);
            var text = text(random, 200);
            boolean include = random.nextBoolean();
            assertThat(inPieces(stops, text, include, random))
                    .withFailMessage("seed %d: stops %s in %s", seed, stops, text)
                    .isEqualTo(expected(stops, text, include));
        });
    }

    @Test
    void noPrefixOfTheOutputEverHoldsAStopText() {
        Seeds.of(2000).forEach(seed -> {
            var random = new SplittableRandom(seed);
            var stops = stops(random);
            var text = text(random, 200);
            var out = inPieces(stops, text, false, random);
            assertThat(stops)
                    .withFailMessage("seed %d: stops %s leak from %s as %s", seed, stops, text, out)
                    .noneMatch(out::contains);
        });
    }

    @Test
    void nothingIsHeldBackThatCannotBecomeAStopText() {
        Seeds.of(2000).forEach(seed -> {
            var random = new SplittableRandom(seed);
            var stops = stops(random);
            var matcher = new StopMatcher(stops, false);
            var given = new StringBuilder();
            var out = new StringBuilder();
            for (int i = 0; i < 100 && !matcher.stopped(); i++) {
                var piece = text(random, 4);
                given.append(piece);
                out.append(matcher.append(piece));
                var held = given.substring(out.length());
                assertThat(matcher.stopped() || held.isEmpty() || stops.stream().anyMatch(s -> s.startsWith(held)))
                        .withFailMessage("seed %d: stops %s hold %s", seed, stops, held)
                        .isTrue();
            }
        });
    }

    /** By trying each end, each stop text: slow and obvious. */
    private static String expected(List<String> stops, String text, boolean include) {
        for (int end = 1; end <= text.length(); end++) {
            var before = text.substring(0, end);
            int longest = stops.stream()
                    .filter(before::endsWith)
                    .mapToInt(String::length)
                    .max()
                    .orElse(0);
            if (longest > 0) {
                return include ? before : before.substring(0, end - longest);
            }
        }
        return text;
    }

    private static String inPieces(List<String> stops, String text, boolean include, RandomGenerator random) {
        var matcher = new StopMatcher(stops, include);
        var out = new StringBuilder();
        for (int from = 0; from < text.length(); ) {
            int to = Math.min(text.length(), from + random.nextInt(0, 6));
            out.append(matcher.append(text.substring(from, to)));
            from = to;
        }
        return out.append(matcher.finish()).toString();
    }

    private static List<String> stops(RandomGenerator random) {
        var stops = new ArrayList<String>();
        for (int i = random.nextInt(0, 4); i >= 0; i--) {
            stops.add("a".repeat(random.nextInt(2)) + text(random, 5) + "b");
        }
        return stops;
    }

    private static String text(RandomGenerator random, int lengthMax) {
        var text = new StringBuilder();
        for (int i = random.nextInt(lengthMax + 1); i > 0; i--) {
            text.append("aabc".charAt(random.nextInt(4)));
        }
        return text.toString();
    }
}
