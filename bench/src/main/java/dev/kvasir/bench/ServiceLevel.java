package dev.kvasir.bench;

/**
 * What a request must keep to count as good, in milliseconds; infinite where nothing is asked. Written like
 * {@code ttft:500,tpot:50,e2e:5000}.
 */
public record ServiceLevel(double ttftMillis, double tpotMillis, double endToEndMillis) {
    private static final double ANY = Double.POSITIVE_INFINITY;
    public static final ServiceLevel NONE = new ServiceLevel(ANY, ANY, ANY);

    /** Reads {@code name:milliseconds} pairs, separated by commas. */
    public static ServiceLevel parse(String text) {
        double ttft = ANY;
        double tpot = ANY;
        double endToEnd = ANY;
        for (var part : text.split(",", -1)) {
            int colon = part.indexOf(':');
            double millis = colon < 0 ? Double.NaN : number(part.substring(colon + 1));
            if (!(millis > 0)) {
                throw new IllegalArgumentException("'" + part + "' is not NAME:MILLISECONDS with a number above 0");
            }
            switch (part.substring(0, colon).strip()) {
                case "ttft" -> ttft = millis;
                case "tpot" -> tpot = millis;
                case "e2e", "e2el" -> endToEnd = millis;
                default -> throw new IllegalArgumentException("'" + part + "' names none of ttft, tpot, e2e");
            }
        }
        return new ServiceLevel(ttft, tpot, endToEnd);
    }

    private static double number(String text) {
        try {
            return Double.parseDouble(text.strip());
        } catch (NumberFormatException _) {
            return Double.NaN;
        }
    }

    public boolean isNone() {
        return equals(NONE);
    }

    /** The request succeeded and kept every bound; a single-token output has no TPOT and keeps it. */
    public boolean keptBy(RequestResult result) {
        return result.succeeded()
                && !(result.ttftMillis() > ttftMillis)
                && !(result.tpotMillis() > tpotMillis)
                && result.endToEndMillis() <= endToEndMillis;
    }

    @Override
    public String toString() {
        var text = new StringBuilder();
        append(text, "ttft", ttftMillis);
        append(text, "tpot", tpotMillis);
        append(text, "e2e", endToEndMillis);
        return text.toString();
    }

    private static void append(StringBuilder text, String name, double millis) {
        if (millis != ANY) {
            text.append(text.isEmpty() ? "" : ",").append(name).append(':').append(SummaryTable.number(millis));
        }
    }
}
