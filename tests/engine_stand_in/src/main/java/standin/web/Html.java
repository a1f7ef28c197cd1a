package standin.web;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import standin.http.Response;

/** Renders pages from the templates in the resources. */
final class Html {
  private static final Pattern PLACE = Pattern.compile("\\{\\{(\\w+)}}");

  private Html() {}

  static String escape(Object text) {
    return String.valueOf(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
  }

  /** The values are HTML already. */
  static String fill(String template, Map<String, String> values) throws IOException {
    String text = new String(resource(template), StandardCharsets.UTF_8);
    return PLACE.matcher(text).replaceAll(match -> Matcher.quoteReplacement(values.get(match.group(1))));
  }

  static Response page(int status, String title, String body) throws IOException {
    return Response.html(status, fill("page.html", Map.of("title", escape(title), "body", body)));
  }

  static Response style() throws IOException {
    return Response.of(200, "text/css; charset=UTF-8", resource("style.css")).with("Cache-Control", "max-age=300");
  }

  static Response script() throws IOException {
    return Response.of(200, "text/javascript; charset=UTF-8", resource("live.js")).with("Cache-Control", "max-age=300");
  }

  static String row(Object... cells) {
    var row = new StringBuilder("<tr>");
    for (Object cell : cells) {
      row.append("<td>").append(escape(cell)).append("</td>");
    }
    return row.append("</tr>\n").toString();
  }

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = Html.class.getResourceAsStream("/standin/" + name)) {
      return in.readAllBytes();
    }
  }
}
