package dev.kvasir.worker.device;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The part of NCCL that ranks of one process need, by the foreign-function API. Operations are put on the caller's stream and
 * can be recorded; all ranks have to issue the same ones in the same order, each on a thread of its own.
 */
public final class Nccl {
    private static final List<String> NAMES = List.of("libnccl.so.2");
    private static final int SUM = 0;

    private final NativeLibrary library;
    private final MethodHandle allReduce;
    private final MethodHandle allGather;
    private final MethodHandle errorName;
    private final int version;

    /** Element types, as NCCL numbers them. */
    public enum Type {
        F16(6),
        F32(7),
        BF16(9);

        private final int number;

        Type(int number) {
            this.number = number;
        }
    }

    private Nccl(NativeLibrary library) {
        this.library = library;
        allReduce =
                function("ncclAllReduce", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);
        allGather = function("ncclAllGather", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
        errorName = library.function("ncclGetErrorString", FunctionDescriptor.of(ADDRESS, JAVA_INT));
        try (var arena = Arena.ofConfined()) {
            var number = arena.allocate(JAVA_INT);
            call("ncclGetVersion", function("ncclGetVersion", ADDRESS), number);
            version = number.get(JAVA_INT, 0);
        }
    }

    private MethodHandle function(String name, MemoryLayout... parameters) {
        return library.function(name, FunctionDescriptor.of(JAVA_INT, parameters));
    }

    /**
     * Finds and opens the library.
     *
     * @param override folders to look into first, separated by colons
     * @throws IOException naming what was looked for and where
     */
    public static Nccl open(String override) throws IOException {
        leaveSwitchesAlone();
        return new Nccl(NativeLibrary.load(NAMES, override));
    }

    /**
     * Sums in the switches between GPUs (multicast) are for longer messages than a step has, and a process that fails with
     * them may take the other GPUs of a host along: they are off unless the user's environment says otherwise.
     */
    private static void leaveSwitchesAlone() {
        var linker = Linker.nativeLinker();
        var setenv = linker.defaultLookup().find("setenv");
        try (var arena = Arena.ofConfined()) {
            if (setenv.isPresent()) {
                int code = (int)
                        linker.downcallHandle(setenv.get(), FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT))
                                .invokeExact(arena.allocateFrom("NCCL_NVLS_ENABLE"), arena.allocateFrom("0"), 0);
                if (code != 0) {
                    throw new IllegalStateException("setenv of NCCL_NVLS_ENABLE failed");
                }
            }
        } catch (IllegalStateException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("setenv cannot be called", e);
        }
    }

    /** What is missing to open it; empty where nothing is. */
    public static Optional<String> missing(String override) {
        try {
            NativeLibrary.load(NAMES, override);
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }

    /** For people, such as "libnccl.so.2 2.27.3". */
    public String describe() {
        return "%s %d.%d.%d".formatted(library.name(), version / 10_000, version / 100 % 100, version % 100);
    }

    /** Connects GPUs, each of which becomes a rank. Takes memory of theirs, and changes no thread's context. */
    public List<Communicator> connect(List<GpuInfo> gpus) {
        var ranks = new ArrayList<Communicator>();
        // The library makes other contexts the thread's.
        onOtherThread(() -> {
            try (var arena = Arena.ofConfined()) {
                var handles = arena.allocate(ADDRESS, gpus.size());
                var devices = arena.allocate(JAVA_INT, gpus.size());
                for (int i = 0; i < gpus.size(); i++) {
                    devices.setAtIndex(JAVA_INT, i, gpus.get(i).ordinal());
                }
                var init = function("ncclCommInitAll", ADDRESS, JAVA_INT, ADDRESS);
                call("ncclCommInitAll", init, handles, gpus.size(), devices);
                for (int i = 0; i < gpus.size(); i++) {
                    ranks.add(new Communicator(handles.getAtIndex(JAVA_LONG, i)));
                }
            }
        });
        return ranks;
    }

    private static void onOtherThread(Runnable task) {
        var failure = new ArrayList<Throwable>();
        var thread = new Thread(task, "nccl-connect");
        thread.setUncaughtExceptionHandler((_, e) -> failure.add(e));
        thread.start();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while GPUs were connected", e);
        }
        if (!failure.isEmpty()) {
            throw new IllegalStateException(
                    "GPUs cannot be connected: " + failure.getFirst().getMessage(), failure.getFirst());
        }
    }

    /** One rank's end. */
    public final class Communicator implements AutoCloseable {
        private final long handle;

        private Communicator(long handle) {
            this.handle = handle;
        }

        /** Adds up so many elements of all ranks; {@code to} may be {@code from}. */
        public void sum(long to, long from, long count, Type type, Stream stream) {
            int status;
            try {
                status = (int) allReduce.invokeExact(from, to, count, type.number, SUM, handle, stream.address());
            } catch (Throwable e) {
                throw new IllegalStateException("ncclAllReduce cannot be called", e);
            }
            check("ncclAllReduce", status);
        }

        /** So many elements of each rank, one rank's after the other. */
        public void gather(long to, long from, long countOfRank, Type type, Stream stream) {
            int status;
            try {
                status = (int) allGather.invokeExact(from, to, countOfRank, type.number, handle, stream.address());
            } catch (Throwable e) {
                throw new IllegalStateException("ncclAllGather cannot be called", e);
            }
            check("ncclAllGather", status);
        }

        /** Ends what is under way, whether or not the other ranks take part, and gives everything back. */
        @Override
        public void close() {
            call("ncclCommAbort", function("ncclCommAbort", JAVA_LONG), handle);
        }
    }

    private void call(String name, MethodHandle function, Object... arguments) {
        int status;
        try {
            status = (int) function.invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new IllegalStateException(name + " cannot be called", e);
        }
        check(name, status);
    }

    private void check(String call, int status) {
        if (status != 0) {
            throw new CudaFailure(call, status, meaning(status), describe());
        }
    }

    private String meaning(int status) {
        try {
            return ((MemorySegment) errorName.invokeExact(status))
                    .reinterpret(256)
                    .getString(0);
        } catch (Throwable _) {
            return "unknown error";
        }
    }
}
