package dev.kvasir.deploy;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * This process begun anew: the same id, command line, environment and streams, and nothing else of what it was ({@code execv}).
 * A driver that refuses a process for good, as CUDA does after some failures, serves it again. Linux only.
 */
final class ProcessImage {
    private static final Path SELF = Path.of("/proc/self");
    private static final int SET_DESCRIPTOR_FLAGS = 2;
    private static final int CLOSE_ON_EXEC = 1;
    private static final int FIRST_OF_OURS = 3; // After the standard streams.

    private ProcessImage() {}

    /**
     * Begins anew; what follows this call is never reached.
     *
     * @param property a system property of the new process
     * @throws IOException if the system refuses; this process is as it was, but for files that close with it
     */
    static void replace(String property, String value) throws IOException {
        var command = with(property, value, commandLine());
        var program = Files.readSymbolicLink(SELF.resolve("exe"));
        closeDescriptorsWithThis();
        try (var arena = Arena.ofConfined()) {
            var arguments = arena.allocate(ADDRESS, command.size() + 1L);
            for (int i = 0; i < command.size(); i++) {
                arguments.setAtIndex(ADDRESS, i, arena.allocateFrom(command.get(i)));
            }
            arguments.setAtIndex(ADDRESS, command.size(), MemorySegment.NULL);
            execute(arena.allocateFrom(program.toString()), arguments);
        }
        throw new IOException("%s cannot be executed again".formatted(program));
    }

    private static List<String> commandLine() throws IOException {
        var text = Files.readString(SELF.resolve("cmdline"), StandardCharsets.UTF_8);
        return List.of(text.substring(0, text.length() - 1).split("\0", -1));
    }

    /** The command with {@code -Dproperty=value} as its first argument, in place of an earlier one. */
    static List<String> with(String property, String value, List<String> command) {
        var definition = "-D" + property + "=";
        var all = new ArrayList<>(command);
        all.subList(1, all.size()).removeIf(argument -> argument.startsWith(definition));
        all.add(1, definition + value);
        return all;
    }

    private static void closeDescriptorsWithThis() throws IOException {
        var control = function(
                "fcntl",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT),
                Linker.Option.firstVariadicArg(2));
        try (var descriptors = Files.newDirectoryStream(SELF.resolve("fd"))) {
            for (var descriptor : descriptors) {
                int number = Integer.parseInt(descriptor.getFileName().toString());
                if (number >= FIRST_OF_OURS) {
                    int _ = (int) control.invokeExact(number, SET_DESCRIPTOR_FLAGS, CLOSE_ON_EXEC);
                }
            }
        } catch (IOException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("fcntl cannot be called", e);
        }
    }

    private static void execute(MemorySegment program, MemorySegment arguments) {
        try {
            int _ = (int) function("execv", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS))
                    .invokeExact(program, arguments);
        } catch (Throwable e) {
            throw new IllegalStateException("execv cannot be called", e);
        }
    }

    private static MethodHandle function(String name, FunctionDescriptor type, Linker.Option... options) {
        var linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type, options);
    }
}
