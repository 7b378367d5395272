package dev.kvasir.model.tokenizer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Encodes long texts in segments, cut where {@link SafeCuts} allows it, and remembers the ids of segments: whoever sends a
 * document, or a conversation with one more turn, again has all but the new part of it encoded already. The ids are those of the
 * whole text. For any number of threads.
 */
final class SegmentEncoder {
    /** Shorter texts are encoded sooner than looked up. */
    private static final int SEGMENT_CHARS_MIN = 1024;

    private static final Frame NOTHING_AROUND = new Frame(new int[0], new int[0]);

    private final NativeTokenizer plain;
    private final @Nullable SafeCuts cuts;
    private final @Nullable Frame frame;
    private final SegmentCache cache;
    private final int charsMin;
    private final LongAdder looked = new LongAdder();
    private final LongAdder found = new LongAdder();

    private SegmentEncoder(
            NativeTokenizer plain, @Nullable SafeCuts cuts, @Nullable Frame frame, SegmentCache cache, int charsMin) {
        this.plain = plain;
        this.cuts = cuts;
        this.frame = frame;
        this.cache = cache;
        this.charsMin = charsMin;
    }

    /** @param cacheBytes 0 for none: texts are encoded whole */
    static SegmentEncoder of(TokenizerFile file, NativeTokenizer plain, long cacheBytes) {
        return of(file, plain, cacheBytes, SEGMENT_CHARS_MIN);
    }

    /** @param charsMin of a segment */
    static SegmentEncoder of(TokenizerFile file, NativeTokenizer plain, long cacheBytes, int charsMin) {
        var cuts = cacheBytes == 0 ? null : SafeCuts.of(file);
        var frame = cuts == null ? null : Frame.of(plain);
        return new SegmentEncoder(plain, cuts, frame, new SegmentCache(cacheBytes), charsMin);
    }

    /** What the model puts around a text. */
    @SuppressWarnings("ArrayRecordComponent") // A few ids, read alone.
    private record Frame(int[] before, int[] after) {
        /** Null where it cannot be told. */
        static @Nullable Frame of(NativeTokenizer plain) {
            int[] around = plain.encode("", true);
            int[] text = plain.encode("a", false);
            int[] framed = plain.encode("a", true);
            if (plain.encode("", false).length > 0) {
                return null;
            }
            var possible = new ArrayList<Frame>();
            for (int split = 0; split <= around.length; split++) {
                var frame = new Frame(Arrays.copyOf(around, split), Arrays.copyOfRange(around, split, around.length));
                if (Arrays.equals(frame.around(List.of(text)), framed)) {
                    possible.add(frame);
                }
            }
            return possible.size() == 1 ? possible.getFirst() : null;
        }

        int[] around(List<int[]> parts) {
            int length = before.length + after.length;
            for (var part : parts) {
                length += part.length;
            }
            var all = Arrays.copyOf(before, length);
            int at = before.length;
            for (var part : parts) {
                System.arraycopy(part, 0, all, at, part.length);
                at += part.length;
            }
            System.arraycopy(after, 0, all, at, after.length);
            return all;
        }
    }

    int[] encode(String text, boolean addSpecialTokens, String scope) {
        var around = addSpecialTokens ? frame : NOTHING_AROUND;
        if (cuts == null || around == null || text.length() < charsMin) {
            return plain.encode(text, addSpecialTokens);
        }
        looked.add(text.length());
        var parts = new ArrayList<int[]>();
        for (int from = 0; from < text.length(); ) {
            int to = cuts.next(text, from, from + charsMin);
            parts.add(segment(text.substring(from, to), scope));
            from = to;
        }
        return around.around(parts);
    }

    private int[] segment(String text, String scope) {
        if (text.length() < charsMin) {
            return plain.encode(text, false); // The end of a text.
        }
        var key = new SegmentCache.Key(scope, text);
        int[] known = cache.find(key);
        if (known != null) {
            found.add(text.length());
            return known;
        }
        int[] ids = plain.encode(text, false);
        cache.keep(key, ids);
        return ids;
    }

    Tokenizer.Reuse reuse() {
        return new Tokenizer.Reuse(looked.sum(), found.sum());
    }
}
