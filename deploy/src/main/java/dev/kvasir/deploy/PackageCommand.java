package dev.kvasir.deploy;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** {@code kvasir package}, which needs a build and is therefore the launcher's. */
@Command(
        name = "package",
        description =
                "Packs an archive that runs on Linux x86-64 without Java (by the launcher ./kvasir, from the sources).")
final class PackageCommand implements Callable<Integer> {
    @Override
    public Integer call() {
        throw new CommandException("packages are made by the launcher, in a checkout of the sources: ./kvasir package");
    }
}
