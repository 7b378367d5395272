package dev.kvasir.deploy;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * How a server is named in {@code --url}: {@code http://HOST:PORT}. {@code HOST:PORT} alone means HTTP, and the {@code /v1} that other
 * clients want behind it is left out.
 */
final class ServerUrl implements ITypeConverter<URI> {
    private static final Pattern END = Pattern.compile("(/v1)?/?$");

    @Override
    public URI convert(String written) {
        var url = written.contains("://") ? written : "http://" + written;
        try {
            var parsed = new URI(END.matcher(url).replaceFirst(""));
            var scheme = parsed.getScheme();
            if (parsed.getHost() != null && ("http".equals(scheme) || "https".equals(scheme))) {
                return parsed;
            }
        } catch (URISyntaxException _) {
            // Told below.
        }
        throw new TypeConversionException("'%s' is not like http://HOST:PORT".formatted(written));
    }
}
