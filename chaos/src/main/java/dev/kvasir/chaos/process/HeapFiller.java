package dev.kvasir.chaos.process;

import com.sun.tools.attach.AgentInitializationException;
import com.sun.tools.attach.AgentLoadException;
import com.sun.tools.attach.AttachNotSupportedException;
import com.sun.tools.attach.VirtualMachine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;

/**
 * Uses up the heap of a running process, as a leak would: an agent that is loaded into it from outside, and that no process
 * has by itself.
 */
public final class HeapFiller {
    /** Large, so that the collector does not try for long. */
    private static final int PIECE_BYTES = 8 << 20;

    private HeapFiller() {}

    /** Fills the heap of a process, which has the classes of this one, and returns when that is done or the process gone. */
    static void fill(long pid, Path folder) throws IOException {
        VirtualMachine machine;
        try {
            machine = VirtualMachine.attach(Long.toString(pid));
        } catch (AttachNotSupportedException e) {
            throw new IOException("process %d takes no agents".formatted(pid), e);
        }
        try {
            machine.loadAgent(agent(folder).toString());
        } catch (AgentLoadException | AgentInitializationException e) {
            throw new IOException("process %d did not take the agent".formatted(pid), e);
        } catch (IOException _) {
            // It ended meanwhile, which is what is expected of it.
        }
    }

    /** A jar that says which class the agent is. */
    private static Path agent(Path folder) throws IOException {
        var manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Agent-Class", HeapFiller.class.getName());
        var jar = folder.resolve("heap-filler.jar");
        new JarOutputStream(Files.newOutputStream(jar), manifest).close();
        return jar.toAbsolutePath();
    }

    /** Called by the process that it is loaded into. */
    public static void agentmain(String arguments) {
        Object[] chain = {};
        while (true) {
            chain = new Object[] {new byte[PIECE_BYTES], chain};
        }
    }
}
