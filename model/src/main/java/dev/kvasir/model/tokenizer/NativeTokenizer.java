package dev.kvasir.model.tokenizer;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.kvasir.model.ModelFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * One tokenizer in native memory. Encoding is shared, closing is exclusive: memory is never given back under a thread
 * that reads it. Neither truncates nor pads, whatever the file says.
 */
final class NativeTokenizer implements AutoCloseable {
    private final TokenizersLibrary library;
    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private long handle;

    private NativeTokenizer(TokenizersLibrary library, long handle) {
        this.library = library;
        this.handle = handle;
    }

    /**
     * @param path named in errors
     * @param json the content of a {@code tokenizer.json}
     */
    static NativeTokenizer create(Path path, String json) {
        var library = NativeTokenizers.library();
        long handle;
        try {
            handle = library.createTokenizerFromString(json);
        } catch (RuntimeException e) {
            throw new ModelFileException(path, "", null, "is not a tokenizer that can be used: " + e.getMessage());
        }
        library.disableTruncation(handle);
        library.disablePadding(handle);
        return new NativeTokenizer(library, handle);
    }

    int[] encode(String text, boolean addSpecialTokens) {
        String valid = withoutLoneSurrogates(text);
        lock.readLock().lock();
        try {
            if (handle == 0) {
                throw new IllegalStateException("the tokenizer is closed");
            }
            long encoding = library.encode(handle, valid, addSpecialTokens);
            try {
                return narrowed(library.getTokenIds(encoding));
            } finally {
                library.deleteEncoding(encoding);
            }
        } finally {
            lock.readLock().unlock();
        }
    }

    /** The library's own decoding of a whole sequence; ids without a token are left out. */
    String decode(int[] ids, boolean skipSpecialTokens) {
        lock.readLock().lock();
        try {
            if (handle == 0) {
                throw new IllegalStateException("the tokenizer is closed");
            }
            return library.decode(handle, Arrays.stream(ids).asLongStream().toArray(), skipSpecialTokens);
        } finally {
            lock.readLock().unlock();
        }
    }

    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            if (handle != 0) {
                library.deleteTokenizer(handle);
                handle = 0;
            }
        } finally {
            lock.writeLock().unlock();
        }
    }

    private static int[] narrowed(long[] ids) {
        int[] narrow = new int[ids.length];
        for (int i = 0; i < narrow.length; i++) {
            narrow[i] = Math.toIntExact(ids[i]);
        }
        return narrow;
    }

    /** Half of a surrogate pair is no character and has no UTF-8; it becomes U+FFFD. */
    static String withoutLoneSurrogates(String text) {
        StringBuilder repaired = null;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!Character.isSurrogate(c)) {
                continue;
            }
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
                continue;
            }
            if (repaired == null) {
                repaired = new StringBuilder(text);
            }
            repaired.setCharAt(i, '\uFFFD');
        }
        return repaired == null ? text : repaired.toString();
    }
}
