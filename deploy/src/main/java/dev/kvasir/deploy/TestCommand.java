package dev.kvasir.deploy;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** {@code kvasir test}, which needs the sources and is therefore the launcher's. */
@Command(name = "test", description = "Runs all tests (by the launcher ./kvasir, from the sources).")
final class TestCommand implements Callable<Integer> {
    @Override
    public Integer call() {
        throw new CommandException("tests are run by the launcher, in a checkout of the sources: ./kvasir test");
    }
}
