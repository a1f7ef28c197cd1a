package standin.http;

import java.util.Map;

/** Names of the status codes used here. */
final class Status {
  private static final Map<Integer, String> REASONS = Map.ofEntries(Map.entry(101, "Switching Protocols"),
      Map.entry(200, "OK"), Map.entry(201, "Created"), Map.entry(302, "Found"), Map.entry(303, "See Other"),
      Map.entry(400, "Bad Request"), Map.entry(401, "Unauthorized"), Map.entry(403, "Forbidden"),
      Map.entry(404, "Not Found"), Map.entry(405, "Method Not Allowed"), Map.entry(413, "Content Too Large"),
      Map.entry(426, "Upgrade Required"), Map.entry(431, "Request Header Fields Too Large"),
      Map.entry(500, "Internal Server Error"), Map.entry(503, "Service Unavailable"));

  private Status() {}

  static String reason(int status) {
    return REASONS.getOrDefault(status, "Status");
  }
}
