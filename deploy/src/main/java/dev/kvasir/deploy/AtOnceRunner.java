package dev.kvasir.deploy;

import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.worker.runner.ModelRunner;
import dev.kvasir.worker.runner.Step;
import java.lang.foreign.MemorySegment;

/** Computes nothing: every output says the same words at once, again and again. Blocks have a content of no bytes. */
@SuppressWarnings("ArrayRecordComponent") // One list of words, never compared.
record AtOnceRunner(int vocabularySize, int blockCount, int[] words) implements ModelRunner {
    AtOnceRunner {
        words = words.clone();
        if (words.length == 0) {
            throw new IllegalArgumentException("words are empty but must be at least one token");
        }
    }

    @Override
    public void run(Step step) {
        for (int i = 0; i < step.size(); i++) {
            var work = step.get(i);
            for (int output = 0; output < work.outputCount(); output++) {
                work.chose(output, ScoredToken.unscored(words[work.position() % words.length]));
            }
        }
    }

    @Override
    public void copyBlock(int from, int to) {}

    @Override
    public long blockBytes() {
        return 0;
    }

    @Override
    public void readBlock(int block, MemorySegment to) {}

    @Override
    public void writeBlock(int block, MemorySegment from) {}

    @Override
    public void close() {}
}
