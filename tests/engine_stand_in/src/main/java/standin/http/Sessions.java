package standin.http;

import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The sessions of this node. They are not replicated: on another node a browser gets a new one. */
public final class Sessions {
  private static final long TIMEOUT_MILLIS = 30 * 60_000L;
  private static final SecureRandom RANDOM = new SecureRandom();
  private final String cookie;
  private final Map<String, Session> sessions = new ConcurrentHashMap<>();

  public Sessions(String cookie) {
    this.cookie = cookie;
  }

  public Session of(Request request) {
    Session known = request.cookie(cookie).map(sessions::get).orElse(null);
    if (known != null && !known.isOlderThan(TIMEOUT_MILLIS)) {
      known.touch();
      return known;
    }
    var session = new Session(randomId());
    sessions.put(session.id(), session);
    return session;
  }

  public Response attach(Session session, Request request, Response response) {
    if (request.cookie(cookie).filter(session.id()::equals).isPresent()) {
      return response;
    }
    return response.with("Set-Cookie", cookie + "=" + session.id() + "; Path=/; HttpOnly; SameSite=Lax"
        + (request.isSecure() ? "; Secure" : ""));
  }

  public int count() {
    sessions.values().removeIf(session -> session.isOlderThan(TIMEOUT_MILLIS));
    return sessions.size();
  }

  private static String randomId() {
    byte[] bytes = new byte[16];
    RANDOM.nextBytes(bytes);
    return HexFormat.of().withUpperCase().formatHex(bytes);
  }
}
