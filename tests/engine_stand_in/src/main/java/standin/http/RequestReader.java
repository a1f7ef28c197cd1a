package standin.http;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** Reads HTTP/1.1 requests from a connection. */
final class RequestReader {
  private static final int LONGEST_HEAD = 32 * 1024;
  private static final int LARGEST_BODY = 32 * 1024 * 1024;

  private final InputStream in;
  private final OutputStream out;
  private final boolean encrypted;
  private final int localPort;
  private int headBytes;

  RequestReader(InputStream in, OutputStream out, boolean encrypted, int localPort) {
    this.in = in;
    this.out = out;
    this.encrypted = encrypted;
    this.localPort = localPort;
  }

  /** Empty when the client closed the connection between two requests. */
  Optional<Request> next(Runnable onFirstByte) throws IOException, HttpError {
    headBytes = 0;
    String line = line();
    if (line == null) {
      return Optional.empty();
    }
    onFirstByte.run();
    String[] words = line.split(" ");
    if (words.length != 3 || !words[2].startsWith("HTTP/1.") || !words[1].startsWith("/")) {
      throw new HttpError(400, "Not an HTTP/1.1 request");
    }
    Headers headers = headers();
    if (words[2].equals("HTTP/1.0") && !headers.has("Connection", "keep-alive")) {
      headers.add("Connection", "close");
    }
    return Optional.of(new Request(words[0], words[1], headers, body(headers), encrypted, localPort));
  }

  private Headers headers() throws IOException, HttpError {
    var headers = new Headers();
    for (String line = line(); line == null || !line.isEmpty(); line = line()) {
      int colon = line == null ? -1 : line.indexOf(':');
      if (colon < 1) {
        throw new HttpError(400, "A header field is damaged");
      }
      headers.add(line.substring(0, colon), line.substring(colon + 1).trim());
    }
    return headers;
  }

  private byte[] body(Headers headers) throws IOException, HttpError {
    boolean chunked = headers.has("Transfer-Encoding", "chunked");
    Optional<String> length = headers.first("Content-Length");
    if (chunked && length.isPresent()) {
      throw new HttpError(400, "Two lengths of the body");
    }
    if (headers.has("Expect", "100-continue")) {
      out.write("HTTP/1.1 100 Continue\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      out.flush();
    }
    if (chunked) {
      return chunks();
    }
    return exactly(length.isPresent() ? size(length.get(), 10) : 0);
  }

  private byte[] chunks() throws IOException, HttpError {
    var body = new ByteArrayOutputStream();
    while (true) {
      headBytes = 0;
      String line = line();
      if (line == null) {
        throw new EOFException("The body is incomplete");
      }
      int size = size(line.replaceFirst(";.*$", "").trim(), 16);
      if (size == 0) {
        headers();
        return body.toByteArray();
      }
      if (body.size() + size > LARGEST_BODY) {
        throw new HttpError(413, "The body is too large");
      }
      body.write(exactly(size));
      line();
    }
  }

  private byte[] exactly(int size) throws IOException {
    byte[] bytes = in.readNBytes(size);
    if (bytes.length < size) {
      throw new EOFException("The body is incomplete");
    }
    return bytes;
  }

  private static int size(String text, int radix) throws HttpError {
    try {
      int size = Integer.parseInt(text, radix);
      if (size >= 0 && size <= LARGEST_BODY) {
        return size;
      }
    } catch (NumberFormatException e) {
      throw new HttpError(400, "The length of the body is not a number");
    }
    throw new HttpError(413, "The body is too large");
  }

  private String line() throws IOException, HttpError {
    var line = new ByteArrayOutputStream();
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0) {
        return null;
      }
      if (++headBytes > LONGEST_HEAD) {
        throw new HttpError(431, "The head of the request is too long");
      }
      line.write(c);
    }
    String text = line.toString(StandardCharsets.UTF_8);
    return text.endsWith("\r") ? text.substring(0, text.length() - 1) : text;
  }
}
