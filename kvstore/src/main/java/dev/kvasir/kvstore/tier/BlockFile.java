package dev.kvasir.kvstore.tier;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file of bytes at positions. An interface, so that tests can have one that fails, is slow, or is full. */
public interface BlockFile extends AutoCloseable {
    /** Opens files. */
    interface Opener {
        BlockFile open(Path path) throws IOException;
    }

    long size() throws IOException;

    /** Reads until {@code to} is full; false where the file ends before. */
    boolean read(ByteBuffer to, long at) throws IOException;

    /** Writes all of {@code from}. */
    void write(ByteBuffer from, long at) throws IOException;

    @Override
    void close() throws IOException;

    /** A file of the file system, made with its folders where it is not there. Refused while another process has it open. */
    static BlockFile open(Path path) throws IOException {
        var channel = openAlone(path);
        return new BlockFile() {
            @Override
            public long size() throws IOException {
                return channel.size();
            }

            @Override
            public boolean read(ByteBuffer to, long at) throws IOException {
                long position = at;
                while (to.hasRemaining()) {
                    int count = channel.read(to, position);
                    if (count < 0) {
                        return false;
                    }
                    position += count;
                }
                return true;
            }

            @Override
            public void write(ByteBuffer from, long at) throws IOException {
                long position = at;
                while (from.hasRemaining()) {
                    position += channel.write(from, position);
                }
            }

            @Override
            public void close() throws IOException {
                channel.close();
            }
        };
    }

    private static FileChannel openAlone(Path path) throws IOException {
        Files.createDirectories(path.toAbsolutePath().getParent());
        var channel =
                FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        boolean alone = false;
        try {
            alone = channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            throw new IOException("this process has the file open already", e);
        } finally {
            if (!alone) {
                channel.close();
            }
        }
        if (!alone) {
            throw new IOException("another process has the file open");
        }
        return channel;
    }
}
