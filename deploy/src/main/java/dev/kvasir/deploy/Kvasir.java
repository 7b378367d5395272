package dev.kvasir.deploy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import dev.kvasir.bench.BenchCommand;
import dev.kvasir.bench.BenchException;
import dev.kvasir.bench.simulate.SimulateCommand;
import dev.kvasir.chaos.ChaosCommand;
import dev.kvasir.chaos.sharing.SharingCommand;
import dev.kvasir.model.ModelFileException;
import dev.kvasir.model.tokenizer.PromptException;
import dev.kvasir.protocol.BadRequestException;
import java.io.PrintWriter;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.logging.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * The command line. Exit status 0 is success, 1 a failure, 2 wrong usage or settings. What a user did wrong is told in one
 * line and never as a stack trace; {@code --verbose} adds traces to the log.
 */
@Command(
        name = "kvasir",
        sortOptions = false,
        description = "Serves large language models on the JVM.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            ServeCommand.class,
            ChatCommand.class,
            GenerateCommand.class,
            TokenizeCommand.class,
            BenchCommand.class,
            SimulateCommand.class,
            WhyCommand.class,
            ChaosCommand.class,
            ModelsCommand.class,
            DrainCommand.class,
            DoctorCommand.class,
            StepsCommand.class,
            PackageCommand.class,
            TestCommand.class,
            VersionCommand.class
        },
        footerHeading = "%nBegin with:%n",
        footer = {
            "  kvasir serve           serve the bundled demo model on ports 8000 and 50051",
            "  kvasir COMMAND --help  all flags of a command"
        })
public final class Kvasir implements Callable<Integer> {
    static final int SUCCESS = 0;
    static final int FAILURE = 1;
    static final int USAGE = 2;

    @Spec
    private CommandSpec spec;

    @Option(
            names = {"-v", "--verbose"},
            scope = CommandLine.ScopeType.INHERIT,
            description = "Log more, with stack traces.")
    private boolean verbose;

    /** Runs a command and ends the process with its exit status. */
    public static void main(String[] arguments) {
        System.exit(commandLine().execute(arguments));
    }

    static CommandLine commandLine() {
        var main = new Kvasir();
        var line = new CommandLine(main)
                .setOut(new PrintWriter(System.out, true, StandardCharsets.UTF_8))
                .setErr(new PrintWriter(System.err, true, StandardCharsets.UTF_8))
                .setUsageHelpWidth(110)
                .setUsageHelpLongOptionsMaxWidth(38)
                .setAbbreviatedSubcommandsAllowed(false)
                .setExecutionExceptionHandler((failure, command, _) -> main.report(failure, command));
        Objects.requireNonNull(line.getSubcommands().get("bench")).addSubcommand(new SharingCommand());
        line.registerConverter(URI.class, new ServerUrl());
        addHelp(line);
        line.setParameterExceptionHandler((failure, _) -> wrongUsage(failure));
        line.setExecutionStrategy(parsed -> {
            main.configureLogging(
                    parsed.hasSubcommand() ? parsed.subcommand().commandSpec().userObject() : main);
            return new CommandLine.RunLast().execute(parsed);
        });
        return line;
    }

    /** Every command explains itself. */
    private static void addHelp(CommandLine line) {
        line.getCommandSpec()
                .addOption(OptionSpec.builder("-h", "--help")
                        .usageHelp(true)
                        .description("Show this help.")
                        .build());
        line.getSubcommands().values().forEach(Kvasir::addHelp);
    }

    @Override
    public Integer call() {
        throw new ParameterException(spec.commandLine(), "Which command?");
    }

    /**
     * Only a server tells how it fares; commands with a model of their own speak up when something is wrong. In simulated
     * clusters something is always wrong, and what comes of it is told by the command.
     */
    private void configureLogging(Object command) {
        // Libraries that log by java.util.logging: its root logger is never collected, so the level stays.
        Logger.getLogger("").setLevel(verbose ? java.util.logging.Level.INFO : java.util.logging.Level.WARNING);
        if (LoggerFactory.getILoggerFactory() instanceof LoggerContext loggers) {
            var usual = switch (command) {
                case ServeCommand _ -> Level.INFO;
                case ChaosCommand _ -> Level.ERROR;
                default -> Level.WARN;
            };
            loggers.getLogger("dev.kvasir").setLevel(verbose ? Level.DEBUG : usual);
            loggers.getLogger("org.apache.pekko").setLevel(verbose ? Level.INFO : Level.WARN);
        }
    }

    private static int wrongUsage(ParameterException failure) {
        var command = failure.getCommandLine();
        var err = command.getErr();
        if (failure instanceof CommandLine.UnmatchedArgumentException unmatched) {
            var written = unmatched.getUnmatched().getFirst();
            boolean isCommand = command.getParent() == null && !unmatched.isUnknownOption();
            err.println("kvasir: " + (isCommand ? "There is no command '" + written + "'" : failure.getMessage()));
            nearest(written, command).ifPresent(name -> err.println("Did you mean " + name + "?"));
        } else {
            err.println("kvasir: " + failure.getMessage());
        }
        err.println("'" + command.getCommandSpec().qualifiedName() + " --help' lists what there is.");
        err.flush();
        return USAGE;
    }

    private static Optional<String> nearest(String written, CommandLine command) {
        var known = new ArrayList<>(command.getSubcommands().keySet());
        known.addAll(command.getCommandSpec().optionsMap().keySet());
        return Spelling.nearest(written, known);
    }

    private int report(Exception failure, CommandLine command) {
        if (verbose) {
            LoggerFactory.getLogger(Kvasir.class).error("{} failed", command.getCommandName(), failure);
        }
        boolean expected = isExpected(failure);
        command.getErr().println("kvasir: " + (expected ? failure.getMessage() : unexpected(failure)));
        command.getErr().flush();
        return failure instanceof ConfigurationException ? USAGE : FAILURE;
    }

    private String unexpected(Exception failure) {
        return "internal error: " + rootCause(failure) + (verbose ? "" : " (--verbose logs where)");
    }

    private static Throwable rootCause(Throwable failure) {
        Throwable cause = failure;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }

    /** The message is meant for the user. */
    private static boolean isExpected(Exception failure) {
        return switch (failure) {
            case ConfigurationException _,
                    CommandException _,
                    BenchException _,
                    ModelFileException _,
                    PromptException _,
                    BadRequestException _ -> true;
            default -> false;
        };
    }
}
