package standin.http;

import java.nio.charset.StandardCharsets;

/** One field of a multipart form; the file name is empty if the field is not a file. */
public record Part(String fileName, byte[] content) {
  public String text() {
    return new String(content, StandardCharsets.UTF_8);
  }
}
