package standin.http;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Forms with files. */
final class Multipart {
  private static final Pattern BOUNDARY = Pattern.compile("multipart/form-data;.*boundary=\"?([^\";]+)\"?.*");
  private static final Pattern NAME = Pattern.compile("(?i)content-disposition:[^\r\n]*[; ]name=\"([^\"]*)\"");
  private static final Pattern FILE = Pattern.compile("(?i)content-disposition:[^\r\n]*filename=\"([^\"]*)\"");

  private Multipart() {}

  static Map<String, Part> parse(String contentType, byte[] body) throws HttpError {
    Matcher boundary = BOUNDARY.matcher(contentType);
    if (!boundary.matches()) {
      throw new HttpError(400, "A multipart form was expected");
    }
    // In this character set each byte is one character, so positions in the text are positions in the body.
    String text = new String(body, StandardCharsets.ISO_8859_1);
    String delimiter = "--" + boundary.group(1);
    var parts = new LinkedHashMap<String, Part>();
    int start = text.indexOf(delimiter);
    while (start >= 0) {
      int end = text.indexOf("\r\n" + delimiter, start);
      int content = text.indexOf("\r\n\r\n", start) + 4;
      if (end < content || content < 4) {
        break;
      }
      String head = new String(body, start, content - start, StandardCharsets.UTF_8);
      Matcher name = NAME.matcher(head);
      Matcher file = FILE.matcher(head);
      if (name.find()) {
        byte[] bytes = text.substring(content, end).getBytes(StandardCharsets.ISO_8859_1);
        parts.put(name.group(1), new Part(file.find() ? file.group(1) : "", bytes));
      }
      start = end + 2;
    }
    return parts;
  }
}
