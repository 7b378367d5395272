package dev.kvasir.bench;

import java.util.Locale;

/** A drawing in SVG. Colours come from classes, so that it suits light and dark pages alike. */
public final class Svg {
    /** Plain colours, then those of dark pages: many viewers know no CSS variables. */
    private static final String STYLE = """
              <style>
                text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
                .faint { fill: #656d76; font-size: 11px; }
                .title { font-size: 18px; font-weight: 600; }
                .panel { font-size: 13px; font-weight: 600; }
                .page { fill: #ffffff; }
                .grid { stroke: #d8dee4; stroke-width: 1; }
                .axis { stroke: #656d76; stroke-width: 1; }
                .line { fill: none; stroke: #2563eb; stroke-width: 2; stroke-linejoin: round; }
                .area { fill: #2563eb; fill-opacity: 0.14; stroke: none; }
                .other { fill: none; stroke: #d97706; stroke-width: 1.5; stroke-linejoin: round; }
                .dot { fill: #ffffff; stroke: #2563eb; stroke-width: 2; }
                .first { fill: #2563eb; }
                .second { fill: #d97706; }
                .line0 { fill: none; stroke: #2563eb; stroke-width: 2.5; stroke-linejoin: round; }
                .dot0 { fill: #2563eb; }
                .line1 { fill: none; stroke: #d97706; stroke-width: 1.5; stroke-linejoin: round; }
                .dot1 { fill: #d97706; }
                .line2 { fill: none; stroke: #0d9488; stroke-width: 1.5; stroke-linejoin: round; }
                .dot2 { fill: #0d9488; }
                .line3 { fill: none; stroke: #9333ea; stroke-width: 1.5; stroke-linejoin: round; }
                .dot3 { fill: #9333ea; }
                .line4 { fill: none; stroke: #dc2626; stroke-width: 1.5; stroke-linejoin: round; }
                .dot4 { fill: #dc2626; }
                .line5 { fill: none; stroke: #64748b; stroke-width: 1.5; stroke-linejoin: round; }
                .dot5 { fill: #64748b; }
                @media (prefers-color-scheme: dark) {
                  text { fill: #e6edf3; }
                  .faint { fill: #8d96a0; }
                  .page { fill: #0d1117; }
                  .grid { stroke: #30363d; }
                  .axis { stroke: #8d96a0; }
                  .line { stroke: #60a5fa; }
                  .area { fill: #60a5fa; }
                  .other { stroke: #fbbf24; }
                  .dot { fill: #0d1117; stroke: #60a5fa; }
                  .first { fill: #60a5fa; }
                  .second { fill: #fbbf24; }
                  .line0 { stroke: #60a5fa; }
                  .dot0 { fill: #60a5fa; }
                  .line1 { stroke: #fbbf24; }
                  .dot1 { fill: #fbbf24; }
                  .line2 { stroke: #2dd4bf; }
                  .dot2 { fill: #2dd4bf; }
                  .line3 { stroke: #c084fc; }
                  .dot3 { fill: #c084fc; }
                  .line4 { stroke: #f87171; }
                  .dot4 { fill: #f87171; }
                  .line5 { stroke: #94a3b8; }
                  .dot5 { fill: #94a3b8; }
                }
              </style>
            """;

    private final StringBuilder body = new StringBuilder();
    private final int width;
    private final int height;

    public Svg(int width, int height) {
        this.width = width;
        this.height = height;
    }

    /** Which end of a text lies at its point. */
    public enum Anchor {
        START,
        MIDDLE,
        END
    }

    public void line(String style, double x1, double y1, double x2, double y2) {
        body.append(String.format(
                Locale.ROOT,
                "  <line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>%n",
                style,
                x1,
                y1,
                x2,
                y2));
    }

    public void text(String style, double x, double y, Anchor anchor, String text) {
        body.append(String.format(
                Locale.ROOT,
                "  <text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>%n",
                style,
                x,
                y,
                anchor.name().toLowerCase(Locale.ROOT),
                escape(text)));
    }

    public void dot(double x, double y) {
        dot("dot", x, y);
    }

    public void dot(String style, double x, double y) {
        body.append(String.format(
                Locale.ROOT, "  <circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>%n", style, x, y));
    }

    /** A line through points, or the area they enclose. */
    public void path(String style, double[] xs, double[] ys, boolean closed) {
        var path = new StringBuilder();
        for (int i = 0; i < xs.length; i++) {
            path.append(String.format(Locale.ROOT, "%s%.1f %.1f", i == 0 ? "M" : "L", xs[i], ys[i]));
        }
        body.append("  <path class=\"%s\" d=\"%s%s\"/>\n".formatted(style, path, closed ? "Z" : ""));
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }

    @Override
    public String toString() {
        return """
                <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">
                %s  <rect class="page" width="100%%" height="100%%"/>
                %s</svg>
                """.formatted(width, height, width, height, STYLE, body);
    }
}
