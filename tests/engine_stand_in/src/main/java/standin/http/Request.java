package standin.http;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** A request, with its body. */
public final class Request {
  private final String method;
  private final String path;
  private final Map<String, String> query;
  private final Headers headers;
  private final byte[] body;
  private final boolean encrypted;
  private final int localPort;

  Request(String method, String target, Headers headers, byte[] body, boolean encrypted, int localPort)
      throws HttpError {
    this.method = method;
    int question = target.indexOf('?');
    this.path = decode((question < 0 ? target : target.substring(0, question)).replace("+", "%2B"));
    this.query = parameters(question < 0 ? "" : target.substring(question + 1));
    this.headers = headers;
    this.body = body;
    this.encrypted = encrypted;
    this.localPort = localPort;
  }

  public String method() {
    return method;
  }

  public boolean isPost() {
    return method.equals("POST");
  }

  public String path() {
    return path;
  }

  public Headers headers() {
    return headers;
  }

  public String query(String name) {
    return query.getOrDefault(name, "");
  }

  public byte[] body() {
    return body;
  }

  public String text() {
    return new String(body, StandardCharsets.UTF_8);
  }

  public boolean isForm() {
    return headers.first("Content-Type").orElse("").startsWith("application/x-www-form-urlencoded");
  }

  public Map<String, String> form() throws HttpError {
    return parameters(text());
  }

  public Map<String, Part> parts() throws HttpError {
    return Multipart.parse(headers.first("Content-Type").orElse(""), body);
  }

  public Optional<String> cookie(String name) {
    return headers.all("Cookie").stream()
        .flatMap(header -> Arrays.stream(header.split(";")))
        .map(String::trim)
        .filter(pair -> pair.startsWith(name + "="))
        .map(pair -> pair.substring(name.length() + 1))
        .findFirst();
  }

  /** The scheme that the browser used: a proxy sets X-Forwarded-Proto if it terminates TLS. */
  public boolean isSecure() {
    return headers.first("X-Forwarded-Proto").map(value -> value.equalsIgnoreCase("https")).orElse(encrypted);
  }

  /** Host and port that the browser requested. */
  private String authority() {
    return headers.first("X-Forwarded-Host").map(value -> value.split(",")[0].trim())
        .or(() -> headers.first("Host")).orElse("localhost:" + localPort);
  }

  public String host() {
    String authority = authority();
    if (authority.startsWith("[")) {
      return authority.replaceFirst("^\\[([^]]*)].*$", "$1");
    }
    return authority.replaceFirst(":\\d+$", "");
  }

  public String publicUrl() {
    String authority = authority();
    String host = authority.replaceFirst(":\\d+$", "");
    String port = authority.equals(host) ? "" : authority.substring(host.length() + 1);
    if (headers.first("X-Forwarded-Proto").isPresent()) {
      port = headers.first("X-Forwarded-Port").orElse(port);
    }
    boolean standard = port.isEmpty() || port.equals(isSecure() ? "443" : "80");
    return (isSecure() ? "https://" : "http://") + host + (standard ? "" : ":" + port) + "/";
  }

  private static Map<String, String> parameters(String text) throws HttpError {
    var found = new LinkedHashMap<String, String>();
    for (String pair : text.split("&")) {
      int equals = pair.indexOf('=');
      if (!pair.isEmpty()) {
        found.put(decode(equals < 0 ? pair : pair.substring(0, equals)),
            equals < 0 ? "" : decode(pair.substring(equals + 1)));
      }
    }
    return found;
  }

  private static String decode(String text) throws HttpError {
    try {
      return URLDecoder.decode(text, StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      throw new HttpError(400, "The address is badly encoded");
    }
  }
}
